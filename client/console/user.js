// User: for one id, the sockets on this hub, presence and the feed; sending a test notification, marking as read.
import { CallError, Poll, explain } from "./api.js";
import { action, ask } from "./ask.js";
import { Rows, el, newId, outside, say, setAttribute, show, table } from "./dom.js";
import { lacking } from "./grant.js";
import { bytes, count, many, moment, span } from "./numbers.js";

const SOCKETS_MS = 2_000;
const FEED_MS = 10_000;
const FEED_LIMIT = 20;

/** Ids of users and campaigns, as every part of Bellwire has them. */
export const isId = (text) => /^[A-Za-z0-9._~@+|-]{1,128}$/.test(text) && !/^\.\.?$/.test(text);
export const NO_ID = "An id has 1–128 of A-Z a-z 0-9 . _ ~ @ + | -";

const PROTOCOLS = { v1: "WebSocket, bellwire.v1", raw: "WebSocket, bellwire.raw", sse: "event stream" };

const HINT = "Enter an id: which sockets the user has on this hub, whether they are online anywhere, and what stands in their feed.";

const ENTRY_KEYS = ["id", "userId", "seq", "title", "createdAt", "delivery", "readAt"];

function entryRow() {
  const seq = el("td.n"), title = el("td.wide"), when = el("td"), state = el("td"), kind = el("td");
  let last = "";
  const row = el("tr", seq, title, kind, when, state);
  return {
    node: row,
    update({ entry }) {
      const text = JSON.stringify(entry);
      if (text === last) return;
      last = text;
      const ours = typeof entry.seq === "number" && "delivery" in entry;
      say(seq, ours ? count(entry.seq) : "–");
      const more = Object.fromEntries(Object.entries(entry).filter(([name]) => !ENTRY_KEYS.includes(name)));
      const rest = JSON.stringify(more, null, 1);
      title.replaceChildren(el("strong", outside(entry.title ?? "(another service's entry)")), ...(rest === "{}" ? [] : [el("details", el("summary", "more"), el("pre", outside(rest)))]));
      kind.replaceChildren(typeof entry.kind === "string" ? outside(entry.kind) : "–");
      say(when, moment(entry.createdAt));
      const told = !ours ? "no mark" : entry.readAt ? `read ${moment(entry.readAt)}` : "unread";
      say(state, ours && entry.delivery === "pending" ? `${told}, pending` : told);
      setAttribute(row, "class", ours && !entry.readAt ? "unread" : "");
    },
  };
}

function socketRow() {
  const cells = [el("td"), el("td.n"), el("td.n"), el("td.n")];
  return {
    node: el("tr", cells),
    update(socket) {
      const texts = [PROTOCOLS[socket.protocol] ?? String(socket.protocol), span(socket.ageMs), bytes(socket.queuedBytes), socket.lastSeq === null ? "–" : count(socket.lastSeq)];
      for (const [n, cell] of cells.entries()) say(cell, texts[n]);
    },
  };
}

export function userView(app) {
  const field = el("input", { type: "search", id: newId(), autocomplete: "off", spellcheck: "false", maxlength: "128", placeholder: "id of a user, such as alice" });
  const search = el("form.search", { role: "search", submit: (event) => {
    event.preventDefault();
    const id = field.value.trim();
    if (id) app.go("user", { id });
  } }, el("label", { for: field.id }, "User"), field, el("button.primary", { type: "submit" }, "Look up"));
  const hint = el("p.empty", HINT);
  const heading = el("h2"), presence = el("span.chip"), facts = el("p.facts");
  const sockets = table("Sockets on this hub", ["Protocol", ">Open for", ">Waiting", ">Last seq sent"]);
  const socketRows = new Rows(sockets.body, socketRow);
  const noSocket = el("p.empty"), hubWrong = el("p.wrong"), feedWrong = el("p.wrong"), noEntry = el("p.empty", "The feed is empty.");
  const feed = table("Feed, newest first", [">Seq", "Title", "Kind", "Created", "State"]);
  const entries = new Rows(feed.body, entryRow);
  const unread = el("p.facts");
  let id = "", position = "", page = null, feedPoll = null, hubPoll = null, waitsFor = "";

  const lacksWrite = () => lacking(app.grant, "notifications:write");
  const send = action("Send a test notification…", lacksWrite, sendTest, ".primary");
  const mark = action("Mark all as read…", () => lacking(app.grant, "notifications:write", id), markRead);
  const details = el("div.user", el("section.panel", el("div.head", heading, presence), facts, el("div.actions", send.node, mark.node)),
    el("section.panel", el("h2", "Sockets on this hub"), hubWrong, noSocket, sockets.node),
    el("section.panel", el("h2", "Feed"), unread, feedWrong, noEntry, feed.node));
  const node = el("div.view", el("section.panel", search), hint, show(details, false));
  for (const one of [hubWrong, feedWrong, noSocket, noEntry]) show(one, false);

  async function sendTest() {
    const user = id;
    const key = `console-${crypto.randomUUID()}`;
    const done = await ask({
      title: "Send a test notification?", text: ["It goes to ", el("strong", outside(user)), ": into the feed, and to every open socket. The user sees it."],
      fields: [{ name: "title", label: "Title", value: "Test from the console", max: 200 }, { name: "body", label: "Body (may be empty)", long: true, max: 4096, required: false }], yes: "Send",
      act: ({ title, body }) => app.api.functions("POST", "/notifications", { userId: user, title, kind: "test", ...(body && { body }) }, { "idempotency-key": key }),
    });
    if (!done) return;
    const where = done.delivery === "sent" ? "in the feed and published" : "stored; Redis is away, it is delivered later";
    app.tell("Sent to ", outside(user), `: seq ${count(done.seq)}, ${where}.`);
    feedPoll?.start();
  }

  async function markRead() {
    const user = id;
    const newest = page?.notifications.find((entry) => typeof entry.seq === "number" && "delivery" in entry)?.seq;
    if (newest === undefined) return app.tell("Nothing to mark: the feed of ", outside(user), " has no entry with a seq, or could not be read.");
    const done = await ask({
      title: "Mark everything as read?", text: ["All entries of ", el("strong", outside(user)), ` up to seq ${count(newest)} become read, on every device. That cannot be undone.`], yes: "Mark as read",
      act: () => app.api.functions("POST", `/users/${encodeURIComponent(user)}/notifications/read`, { upTo: newest }),
    });
    if (!done) return;
    app.tell("Marked entries of ", outside(user), ` up to seq ${count(newest)} as read: ${count(done.unread)} unread left.`);
    feedPoll?.start();
  }

  function showHub(answer) {
    show(hubWrong, false);
    const list = Array.isArray(answer.sockets) ? answer.sockets : [];
    say(presence, answer.online === true ? "● online" : answer.online === false ? "○ offline" : "? presence not known");
    setAttribute(presence, "class", `chip ${answer.online === true ? "good" : ""}`);
    say(facts, answer.epoch ? `Feed at seq ${count(answer.seq)}, epoch ${answer.epoch}` : "No position of the feed is known to Redis.");
    say(noSocket, answer.online ? "None here. The user is online on another hub, or was a moment ago." : "None.");
    show(noSocket, !list.length);
    show(sockets.node, list.length > 0);
    socketRows.update(list.map((socket, n) => ({ ...socket, n })), (socket) => socket.n);
    const now = `${answer.epoch} ${answer.seq}`;
    if (position && now !== position) feedPoll?.start();
    position = now;
  }

  function showFeed(answer) {
    page = answer;
    const list = Array.isArray(answer.notifications) ? answer.notifications.filter((entry) => entry && typeof entry === "object") : [];
    show(feedWrong, false);
    show(noEntry, !list.length);
    show(feed.node, list.length > 0);
    say(unread, list.length ? `${many(answer.unread, "unread entry", "unread entries")} among the newest 100; the newest ${list.length} are shown.` : "");
    entries.update(list.map((entry, n) => ({ entry, n })), ({ entry, n }) => (typeof entry.id === "string" ? `i${entry.id}` : `n${n}`));
  }

  function wrongWith(place, others) {
    return (error) => {
      if (!(error instanceof CallError)) throw error;
      say(place, explain(error));
      show(place, true);
      for (const other of others) show(other, false);
    };
  }

  function stop() {
    hubPoll?.stop();
    feedPoll?.stop();
  }

  function begin() {
    const path = encodeURIComponent(id);
    hubPoll = new Poll({ everyMs: SOCKETS_MS, load: () => app.api.hub(`/users/${path}`), done: showHub, failed: wrongWith(hubWrong, [sockets.node, noSocket]) });
    feedPoll = new Poll({ everyMs: FEED_MS, load: () => app.api.functions("GET", `/users/${path}/notifications?limit=${FEED_LIMIT}`), done: showFeed, failed: wrongWith(feedWrong, [feed.node, noEntry]) });
    hubPoll.start();
    feedAsks();
  }

  /** Once the token allows it and the functions are known. */
  function feedAsks() {
    waitsFor = lacking(app.grant, "feed:read", id) ?? "";
    if (!waitsFor) return feedPoll.start();
    feedPoll.stop();
    say(feedWrong, `Your token lacks the scope ${waitsFor}, which reading feeds needs.`);
    show(feedWrong, true);
  }

  return {
    node,
    stop,
    start(params) {
      const wanted = params.get("id") ?? "";
      stop();
      if (wanted !== id) {
        [id, position, page] = [wanted, "", null];
        socketRows.update([], String);
        entries.update([], String);
        for (const one of [sockets.node, feed.node, noEntry, noSocket, feedWrong, hubWrong]) show(one, false);
        say(presence, "…");
        say(facts, "");
        say(unread, "");
      }
      if (document.activeElement !== field) field.value = id;
      const good = isId(id);
      say(hint, id ? `This is no id of a user. ${NO_ID}` : HINT);
      show(hint, !good);
      show(details, good);
      if (!good) return;
      heading.replaceChildren(outside(id));
      begin();
    },
    update() {
      send.update();
      mark.update();
    },
  };
}
