// The demo page of `make up`: what its two bells receive, and a form that sends to them over the HTTP API.
import "../bell.js";

const USERS = ["alice", "bob"];
const LINES_MAX = 8;
const LIMIT_MS = 15_000;
const CLIENT_TRIES = 250;
const EXAMPLES = {
  order: () => [{ title: "Order 4711 shipped", body: "It arrives on Thursday between 9 and 12.", kind: "order" }],
  comment: () => [{ title: "Carol commented on your draft", body: "“The second paragraph says it all. Cut the first.”", kind: "comment" }],
  build: () => [{ title: "Build 982 failed", body: "2 of 418 tests: checkout, refund.", kind: "build" }],
  burst: () => Array.from({ length: 20 }, (_, n) => ({ title: `Message ${n + 1} of 20`, kind: "burst" })),
};

const functions = document.querySelector("meta[name=functions]").content;
const log = document.querySelector("ol");
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** What a click sent: how many arrived of how many, for the line that says so. Its key travels in `data`. */
const sent = new Map();
let clicks = 0;

// --- what the users receive ----------------------------------------------------------------------------------

/** A bell's client; the bell makes it once it has read all of its attributes. */
async function clientOf(bell) {
  for (let n = 0; n < CLIENT_TRIES && !bell.client; n++) await new Promise((done) => setTimeout(done, 20));
  return bell.client;
}

async function watch(user) {
  const card = document.getElementById(user);
  const client = await clientOf(card.querySelector("bellwire-bell"));
  const say = (name, text) => (card.querySelector(`[data-of=${name}]`).textContent = text);
  let received = 0;

  const show = () => {
    const { state, reason } = client.status;
    card.querySelector("[data-of=state]").dataset.state = state;
    say("state", state === "open" ? (client.isLeader ? "open" : "open, in another tab") : [state, reason].filter(Boolean).join(": "));
    say("unread", client.unread ?? "–");
  };
  for (const type of ["statechange", "unread", "read", "removed"]) client.addEventListener(type, show);
  client.addEventListener("notification", ({ detail }) => {
    const now = performance.now();
    say("received", ++received);
    show();
    const click = sent.get(detail.data?.demo);
    if (!click) return say("latency", "–");
    click.arrived.push(now - click.at);
    say("latency", ms(now - click.at));
    click.update();
  });
  show();
}
for (const user of USERS) watch(user);

// --- sending -------------------------------------------------------------------------------------------------

let bearer;
async function call(path, body) {
  const send = async (fresh) => {
    if (fresh || !bearer) {
      const answer = await fetch("/demo/token/sender", { method: "POST", signal: AbortSignal.timeout(LIMIT_MS) });
      if (!answer.ok) throw new Error(`no token: ${answer.status}`);
      bearer = (await answer.json()).token;
    }
    const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(LIMIT_MS) };
    return fetch(functions + path, init).catch(() => Promise.reject(new Error(`no answer from ${functions}`)));
  };
  let answer = await send(false);
  if (answer.status === 401) answer = await send(true);
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.detail ?? result.title ?? String(answer.status));
  return result;
}

/** Adds a line at the top of the log; returns a function that changes it. */
function line() {
  const item = document.createElement("li");
  log.querySelector(".empty")?.remove();
  log.prepend(item);
  while (log.childElementCount > LINES_MAX) log.lastElementChild.remove();
  return (text, small, failed = false) => {
    const detail = document.createElement("small");
    detail.textContent = small;
    item.replaceChildren(text, detail);
    item.classList.toggle("failed", failed);
  };
}

async function send(notifications) {
  const to = new FormData(document.forms[0]).get("to").split(" ");
  const key = `${performance.timeOrigin}-${++clicks}`;
  const all = to.flatMap((userId) => notifications.map((n) => ({ userId, ...n, data: { demo: key } })));
  const write = line();
  const what = `${all.length === 1 ? all[0].title : `${all.length} notifications`} → ${to.join(" and ")}`;
  const click = { at: performance.now(), arrived: [], update: () => {} };
  let created = "creating …";
  click.update = () => {
    const { length } = click.arrived;
    const last = length ? `, ${all.length === 1 ? "on screen" : "the last on screen"} ${ms(Math.max(...click.arrived))} after the click` : "";
    write(what, `${created}; ${length} of ${all.length} arrived${last}`);
  };
  sent.set(key, click);
  // What arrives later belongs to no line any more.
  if (sent.size > LINES_MAX) sent.delete(sent.keys().next().value);
  click.update();
  try {
    if (all.length === 1) await call("/notifications", all[0]);
    else await call("/notifications/batch", { notifications: all });
    created = `201 after ${ms(performance.now() - click.at)}`;
    click.update();
  } catch (error) {
    write(what, String(error.message), true);
  }
}

document.forms[0].addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const body = form.get("text").trim();
  send([{ title: form.get("title"), ...(body && { body }) }]);
});
for (const button of document.querySelectorAll("[data-example]"))
  button.addEventListener("click", () => send(EXAMPLES[button.dataset.example]()));

// --- the two lines -------------------------------------------------------------------------------------------

const bell = document.querySelector("bellwire-bell");
const attributes = ["hub", "functions", "user", "token-src"].map((name) => `${name}="${bell.getAttribute(name)}"`);
const lines = `<script type="module" src="${bell.getAttribute("hub")}/bell.js"></script>\n<bellwire-bell ${attributes.join(" ")}></bellwire-bell>`;
document.querySelector("pre code").textContent = lines;
const status = document.querySelector(".snippet [role=status]");
document.querySelector(".copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(lines);
    status.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(document.querySelector("pre code"));
    status.textContent = "Selected: copy it with the keyboard.";
  }
});
