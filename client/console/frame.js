// The console: one page over one hub's live stream. Holds what the views share (the last 15 minutes, the token, the
// route) and draws once a second while the page is visible.
import { Api, Poll, homeOf } from "./api.js";
import { Rows, el, outside, say, setAttribute, show } from "./dom.js";
import { readGrant } from "./grant.js";
import { healthView } from "./health.js";
import { nowView } from "./now.js";
import { span } from "./numbers.js";
import { Ring, number, totals } from "./series.js";
import { Stream } from "./stream.js";
import { teller } from "./teller.js";
import { gate, tokenDialog, tokenOfAddress } from "./token.js";
import { troubleView } from "./trouble.js";
import { HUB_SILENT_MS, allWell, findings, levelWord } from "./verdict.js";

/** How long a hidden page keeps its stream, so that a look at another tab costs nothing. */
const HIDDEN_MS = 60_000;
const HUBS_MS = 5_000;
const ANNOUNCE_MS = 5_000;
const MORE_FINDINGS = 3;
const END_WORDS = new Map([["token_expired", "the token has expired"], ["shutdown", "the hub shuts down"]]);

const given = tokenOfAddress();
const home = homeOf(location.href);
const told = teller();

const app = {
  ring: new Ring(), minute: totals([]), found: [], silentMs: 0, fleet: {}, grant: null,
  hub: { id: "", version: "", startedAt: "", limits: {}, bounds: [] },
  api: new Api(home),
  tell: told.tell,
  hrefOf(name, params = {}) {
    const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value)).toString();
    return `#/${name}${query ? `?${query}` : ""}`;
  },
  go(name, params) {
    const href = app.hrefOf(name, params);
    if (location.hash === href) enter();
    else location.hash = href;
  },
  refresh: () => draw(),
};

/** Those without a function come with functions.js. */
const VIEWS = {
  now: ["Now", nowView], trouble: ["Trouble", troubleView], user: ["User"], queues: ["Queues, campaigns"], cache: ["Cache"],
  health: ["Health", healthView],
};
const views = Object.fromEntries(Object.entries(VIEWS).map(([name, [title, make]]) => [name, { title, ...make?.(app) }]));
const later = [views.user, views.queues, views.cache];
for (const view of later) view.node = el("p.empty");

// The frame around the views.
const heading = el("h1", { tabindex: "-1" });
const mark = el("span.mark", { "aria-hidden": "true" }), verdictText = el("strong"), verdictLevel = el("span.words"), others = el("ul"), all = el("a", { href: "#/trouble" }, "All under Trouble");
const verdict = el("section.verdict", { "aria-label": "Verdict" }, mark, el("div", el("p", verdictLevel, verdictText), others, all));
const announcer = el("div.words", { role: "status" });
const link = el("span.link"), hubChip = el("span.hub"), tokenButton = el("button.quiet", { type: "button", click: () => tokenDialog(app.grant, useToken, forget) });
const retry = el("button", { type: "button", click: () => stream.retry() }, "Try now");
const links = Object.entries(VIEWS).map(([name, [title]]) => {
  const badge = el("span.badge");
  const node = el("a", { href: `#/${name}` }, title, badge);
  return { name, node, badge };
});
const navigation = el("nav", { id: "views", "aria-label": "Views" }, el("ul", links.map(({ node }) => el("li", node))));
const menu = el("button.menu", { type: "button", "aria-expanded": "false", "aria-controls": "views", click: () => openMenu(menu.getAttribute("aria-expanded") !== "true") }, el("span", { "aria-hidden": "true" }, "☰ "), "Menu");
const waiting = el("p.empty");
const entrance = gate(useToken);
const holder = el("div.holder");
const content = el("div", verdict, heading, waiting, holder);
const main = el("main", { id: "main", tabindex: "-1" }, entrance.node, content);
const header = el("header", menu, el("a.brand", { href: "#/now" }, "Bellwire"), hubChip, el("span.space"), link, retry, tokenButton);
document.body.append(el("a.skip", { href: "#main", click: (event) => {
  event.preventDefault();
  main.focus();
} }, "Skip to the content"), header, el("div.frame", navigation, main), told.node, announcer);

const otherRows = new Rows(others, () => {
  const node = el("li");
  return { node, update: ({ text }) => say(node, text) };
});

function openMenu(open) {
  setAttribute(menu, "aria-expanded", open);
  navigation.classList.toggle("open", open);
  if (open) links.find(({ node }) => node.getAttribute("aria-current"))?.node.focus();
}
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || menu.getAttribute("aria-expanded") !== "true") return;
  openMenu(false);
  menu.focus();
});

// The token and the stream.
const stream = new Stream(`${home}/live`, take, () => draw());

function useToken(token) {
  app.api.token = token;
  app.grant = readGrant(token);
  stream.start(token);
  fleetPoll.start();
  enter();
}

/** A new page knows nothing of the old one. */
const forget = () => location.reload();

function take(type, value) {
  if (type === "hub") takeHub(value);
  else if (type === "history" && Array.isArray(value.snapshots)) app.ring.take(value.snapshots);
  else if (type === "snapshot") {
    app.ring.take([value]);
    drawSoon();
  } else if (type === "end") stream.ends(END_WORDS.get(value.reason));
}

function takeHub(value) {
  const before = app.hub.id;
  const texts = Object.fromEntries(["version", "startedAt"].map((name) => [name, String(value[name] ?? "")]));
  const limits = Object.fromEntries(["sockets", "socketsPerUser", "queuedBytes"].map((name) => [name, number(value.limits?.[name])]));
  const bounds = Array.isArray(value.latencyBoundsUs) ? value.latencyBoundsUs.filter(Number.isFinite) : [];
  app.hub = { ...texts, id: String(value.hub ?? ""), limits, bounds };
  app.ring.clear();
  needLater();
  const functions = String(value.functions ?? "").replace(/\/+$/, "");
  if (app.api.functionsUrl !== functions) {
    app.api.functionsUrl = functions;
    setTimeout(enter);
  }
  if (before && before !== app.hub.id) app.tell("The page talks to another hub now: ", outside(app.hub.id), " instead of ", outside(before), ".");
}

const fleetPoll = new Poll({
  everyMs: HUBS_MS, load: () => app.api.hub("/fleet"), failed: (error) => (app.fleet = { error }),
  done: ({ hubs, onlineUsers }) => (app.fleet = { hubs: (Array.isArray(hubs) ? hubs : []).filter((hub) => typeof hub?.id === "string"), onlineUsers }),
});

// The views that ask the functions: loaded with the hub's first word, so that they are there when it is not, or when
// one is opened before.
let loadLater, isLoading = false;

async function needLater() {
  const [{ update }] = later;
  if (update || isLoading) return;
  isLoading = true;
  const tellAll = (text) => later.forEach(({ node }) => say(node, text));
  tellAll("Loading …");
  try {
    const { userView, queuesView, cacheView } = await loadLater();
    for (const [n, make] of [userView, queuesView, cacheView].entries()) Object.assign(later[n], make(app));
    if (later.includes(current)) enter();
  } catch {
    tellAll("This view could not be loaded. It is tried again when the hub answers.");
  }
  isLoading = false;
}

// The route: #/view?params.
let current = null;

const stopPolls = () => current?.polls?.forEach((poll) => poll.stop());

function enter() {
  const late = tokenOfAddress();
  if (late) return useToken(late);
  const [, name, query] = /^#\/(\w+)\??(.*)$/.exec(location.hash) ?? [null, "now", ""];
  const known = Object.hasOwn(views, name) ? name : "now";
  const params = new URLSearchParams(query);
  const view = views[known];
  const moved = current && current !== view;
  stopPolls();
  if (view.node !== holder.firstChild) holder.replaceChildren(view.node);
  current = view;
  if (later.includes(view)) needLater();
  say(heading, view.title);
  document.title = `${view.title} – Bellwire console`;
  for (const { name: of, node } of links) {
    if (of === known) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
  openMenu(false);
  if (app.grant && !document.hidden) view.start?.(params);
  draw();
  if (moved) {
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }
}
addEventListener("hashchange", enter);

// Drawing.
let wanted = false;
function drawSoon() {
  if (wanted || document.hidden) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    draw();
  });
}

function draw() {
  if (document.hidden) return;
  const { state, heardAt } = stream;
  app.silentMs = heardAt === null ? 0 : Date.now() - heardAt;
  app.minute = totals(app.ring.last(60));
  const { newest: snapshot } = app.ring;
  const now = { snapshot, minute: app.minute, limits: app.hub.limits, bounds: app.hub.bounds, silentMs: app.silentMs };
  app.found = findings(now);
  const refused = state.name === "refused" ? state.problem : null;
  show(entrance.node, !app.grant || refused !== null);
  entrance.update(refused ? refusalText(refused) : "");
  for (const one of [content, navigation, menu, tokenButton, link]) show(one, app.grant);
  show(hubChip, app.grant && app.hub.id);
  drawLink(state);
  drawVerdict(now, snapshot);
  const needsHub = !snapshot && ["now", "trouble", "health"].some((name) => views[name] === current);
  show(waiting, needsHub && !refused);
  say(waiting, state.problem ? "Nothing to show before the hub answers." : "Waiting for the hub's first snapshot …");
  if (app.grant) current?.update?.();
}

function refusalText(problem) {
  const [verb, need] = problem.status === 403 ? ["refuses", " It must have the scope ops:read."] : ["does not accept", ""];
  return `The hub ${verb} this token: ${problem.message}.${need} Paste another one.`;
}

function drawLink({ name, retryAt, problem }) {
  const fresh = name === "live" && app.silentMs < HUB_SILENT_MS;
  const wait = retryAt ? ` in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s` : "";
  const before = stream.heardAt === null ? (problem ?? "Connecting") : `Hub silent for ${span(app.silentMs)}${problem ? ` (${problem})` : ""}`;
  const text = fresh ? "● Live" : name === "refused" ? "✕ Refused" : name === "connecting" && stream.heardAt === null ? "Connecting …" : `✕ ${before}, trying again${wait}`;
  say(link, text);
  setAttribute(link, "class", `link ${fresh ? "good" : name === "connecting" ? "" : "bad"}`);
  show(retry, name === "waiting");
  const { hubs } = app.fleet;
  const of = hubs?.length > 1 ? `, one of ${hubs.length}` : "";
  if (hubChip.textContent !== `hub ${app.hub.id}${of}`) {
    hubChip.replaceChildren("hub ", outside(app.hub.id), of);
    hubChip.title = `This page shows one hub: ${app.hub.id}, version ${app.hub.version}`;
  }
  const { grant } = app;
  const left = grant?.expiresAt ? grant.expiresAt - Date.now() : null;
  say(tokenButton, left === null ? "Token" : left > 0 ? `Token: ${span(left)} left` : "Token expired");
  setAttribute(tokenButton, "class", `quiet${left !== null && left < 300_000 ? " warn" : ""}`);
}

let announced = "", announcedAt = 0;

function drawVerdict(now, snapshot) {
  const { found } = app;
  show(verdict, snapshot);
  if (!snapshot) return;
  const [first, ...rest] = found;
  const level = first?.level ?? "good";
  const text = first?.text ?? allWell(now);
  setAttribute(verdict, "class", `verdict ${level}`);
  say(mark, { good: "✓", warn: "!", bad: "✕" }[level]);
  say(verdictLevel, `${levelWord[level]}: `);
  say(verdictText, text);
  const isTrouble = current === views.trouble;
  otherRows.update(isTrouble ? rest : rest.slice(0, MORE_FINDINGS), (item) => item.key);
  show(others, rest.length > 0);
  show(all, found.length > 0 && !isTrouble);
  for (const { name, badge } of links) {
    const mine = found.filter((item) => item.view === name).length;
    say(badge, mine || "");
    show(badge, mine > 0);
  }
  const keys = found.map((item) => item.key).join();
  if (keys === announced || Date.now() < announcedAt + ANNOUNCE_MS) return;
  [announced, announcedAt] = [keys, Date.now()];
  say(announcer, `${levelWord[level]}: ${text}`);
}

// A hidden page draws and asks nothing; after a minute it lets the stream go, too.
let ticker = null, letGo = null;

function wake() {
  clearTimeout(letGo);
  clearInterval(ticker);
  ticker = setInterval(drawSoon, 1000);
  if (app.grant && stream.state.name === "idle") stream.start(app.api.token);
  if (app.grant) fleetPoll.start();
  enter();
}

function rest() {
  clearInterval(ticker);
  stopPolls();
  fleetPoll.stop();
  letGo = setTimeout(() => stream.stop(), HIDDEN_MS);
}

/** `load`: gives the views that ask the functions. */
export function start(load) {
  loadLater = load;
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
  if (given) useToken(given);
  wake();
  if (!given) entrance.focus();
}
