// User: for one id, the sockets on this hub, presence and the feed; sending a test notification, marking as read.
import { Poll, explain, objects } from "./api.js";
import { action, ask, lineForm } from "./ask.js";
import { el, listing, outside, say, setAttribute, show } from "./dom.js";
import { lacking } from "./grant.js";
import { bytes, count, many, moment, span } from "./numbers.js";

/** Also how soon a new entry of the feed is seen. */
const SOCKETS_MS = 1_000;
const FEED_MS = 10_000;
const FEED_LIMIT = 20;

/** Ids of users and campaigns, as every part of Bellwire has them. */
export const isId = (text) => /^[A-Za-z0-9._~@+|-]{1,128}$/.test(text) && !/^\.\.?$/.test(text);
export const NO_ID = "Invalid id: 1–128 of A-Z a-z 0-9 . _ ~ @ + | -";

const PROTOCOLS = new Map([["v1", "WebSocket, bellwire.v1"], ["raw", "WebSocket, bellwire.raw"], ["sse", "event stream"]]);

const ENTRY_KEYS = ["id", "userId", "seq", "title", "kind", "createdAt", "delivery", "readAt"];

/** Entries of other services have neither a seq nor a mark. */
const isOurs = (entry) => typeof entry.seq === "number" && "delivery" in entry;

function entryRow() {
  const seq = el("td.n"), title = el("td.wide"), kind = el("td.wide"), when = el("td"), state = el("td");
  let last = "";
  const node = el("tr", seq, title, kind, when, state);
  return {
    node,
    update({ entry, isNew }) {
      const text = JSON.stringify([entry, isNew]);
      if (text === last) return;
      last = text;
      const ours = isOurs(entry);
      say(seq, ours ? count(entry.seq) : "–");
      const more = Object.entries(entry).filter(([name]) => !ENTRY_KEYS.includes(name));
      title.replaceChildren(el("strong", outside(entry.title ?? "(another service's entry)")));
      if (more.length) title.append(el("details", el("summary", "more"), el("pre", outside(JSON.stringify(Object.fromEntries(more), null, 1)))));
      kind.replaceChildren(outside(entry.kind ?? "–"));
      say(when, moment(entry.createdAt));
      say(state, `${isNew ? "new, " : ""}${!ours ? "no mark" : entry.readAt ? `read ${moment(entry.readAt)}` : "unread"}${entry.delivery === "pending" ? ", pending" : ""}`);
      setAttribute(node, "class", `${ours && !entry.readAt ? "unread" : ""}${isNew ? " fresh" : ""}`);
    },
  };
}

function socketRow() {
  const cells = [el("td"), el("td.n"), el("td.n"), el("td.n")];
  return {
    node: el("tr", cells),
    update({ socket }) {
      const texts = [PROTOCOLS.get(socket.protocol) ?? String(socket.protocol), span(socket.ageMs), bytes(socket.queuedBytes), count(socket.lastSeq)];
      for (const [n, cell] of cells.entries()) say(cell, texts[n]);
    },
  };
}

export function userView(app) {
  const search = lineForm("User", "id of a user, such as alice", "Look up", (text) => (isId(text) ? app.go("user", { id: text }) : NO_ID));
  const hint = el("p.empty", "Enter a user's id to see their sockets on this hub, their presence and their feed.");
  const heading = el("h2"), presence = el("span.chip"), facts = el("p.facts"), unread = el("p.facts");
  const sockets = listing("Sockets on this hub", ["Protocol", ">Open for", ">Waiting", ">Last seq sent"], "", socketRow, ({ n }) => n);
  const feed = listing("Feed, newest first", [">Seq", "Title", "Kind", "Created", "State"], "The feed is empty.", entryRow, ({ entry, n }) => (typeof entry.id === "string" ? `i${entry.id}` : n));
  let id = "", position = "", entries = [], before = null;
  const userPath = () => `/users/${encodeURIComponent(id)}`;

  const send = action("Send a test notification…", () => lacking(app.grant, "notifications:write"), sendTest, ".primary");
  const mark = action("Mark all as read…", () => lacking(app.grant, "notifications:write", id), markRead);
  const details = el("div.user", el("section.panel", el("div.head", heading, presence), facts, el("div.actions", send.node, mark.node)),
    el("section.panel", el("h2", "Sockets on this hub"), sockets.node), el("section.panel", el("h2", "Feed"), unread, feed.node));
  const node = el("div.view", el("section.panel", search.node), hint, details);

  async function sendTest() {
    const userId = id, key = `console-${crypto.randomUUID()}`;
    const done = await ask({
      title: "Send a test notification?", text: ["It goes to ", el("strong", outside(userId)), ": into the feed, and to every open socket. The user sees it."],
      fields: [{ name: "title", label: "Title", value: "Test from the console", max: 200 }, { name: "body", label: "Body (may be empty)", long: true, max: 4096, required: false }], yes: "Send",
      act: ({ title, body }) => app.api.functions("POST", "/notifications", { userId, title, kind: "test", ...(body && { body }) }, { "idempotency-key": key }),
    });
    if (!done) return;
    app.tell("Sent to ", outside(userId), `: seq ${count(done.seq)}, ${done.delivery === "sent" ? "in the feed and published" : "stored; it is delivered when Redis is back"}.`);
    readFeed();
  }

  async function markRead() {
    const user = id, path = userPath(), upTo = entries.find(isOurs)?.seq;
    if (upTo === undefined) return app.tell("Nothing to mark: no entry of ", outside(user), " shown here has a seq.");
    const done = await ask({
      title: "Mark everything as read?", text: ["All entries of ", el("strong", outside(user)), ` up to seq ${count(upTo)} become read, on every device. That cannot be undone.`], yes: "Mark as read",
      act: () => app.api.functions("POST", `${path}/notifications/read`, { upTo }),
    });
    if (!done) return;
    app.tell("Marked entries of ", outside(user), ` up to seq ${count(upTo)} as read: ${count(done.unread)} unread left.`);
    readFeed();
  }

  const hubPoll = new Poll({
    everyMs: SOCKETS_MS, load: () => app.api.hub(userPath()), failed: (error) => sockets.problem(explain(error)),
    done(answer) {
      say(presence, answer.online === true ? "● online" : answer.online === false ? "○ offline" : "? presence not known");
      setAttribute(presence, "class", `chip ${answer.online === true ? "good" : ""}`);
      facts.replaceChildren(...(answer.epoch ? [`Feed at seq ${count(answer.seq)}, epoch `, outside(answer.epoch)] : ["Redis has no position of the feed."]));
      say(sockets.empty, answer.online ? "None here: the user is online on another hub, or was a moment ago." : "None.");
      sockets.update(objects(answer.sockets).map((socket, n) => ({ socket, n })));
      const now = `${answer.epoch} ${answer.seq}`;
      if (position && now !== position) readFeed();
      position = now;
    },
  });
  const feedPoll = new Poll({
    everyMs: FEED_MS, load: () => app.api.functions("GET", `${userPath()}/notifications?limit=${FEED_LIMIT}`), failed: (error) => feed.problem(explain(error)),
    done(answer) {
      entries = objects(answer.notifications);
      before ??= entries.find(isOurs)?.seq ?? 0;
      const items = entries.map((entry, n) => ({ entry, n, isNew: isOurs(entry) && entry.seq > before }));
      const came = items.filter((item) => item.isNew);
      const tail = came.length ? ` ${many(came.length, "of them has come", "of them have come")} since you opened this, the last at ${moment(came[0].entry.createdAt)}.` : " New ones appear here as they come.";
      say(unread, `${many(answer.unread, "unread entry", "unread entries")} among the newest 100; the newest ${entries.length} are shown.${tail}`);
      feed.update(items);
    },
  });

  function readFeed() {
    const scope = lacking(app.grant, "feed:read", id);
    if (scope) feed.problem(`Your token lacks the scope ${scope}, which reading feeds needs.`);
    else feedPoll.start();
  }

  return {
    node, polls: [hubPoll, feedPoll],
    start(params) {
      const wanted = params.get("id") ?? "", good = isId(wanted);
      if (wanted !== id) {
        [id, position, entries, before] = [wanted, "", [], null];
        for (const one of [sockets, feed]) one.update(null);
        for (const one of [presence, facts, unread]) say(one, "");
      }
      search.set(id);
      search.wrong(id && !good ? NO_ID : "");
      show(hint, !good);
      show(details, good);
      if (!good) return;
      heading.replaceChildren(outside(id));
      hubPoll.start();
      readFeed();
    },
    update() {
      send.update();
      mark.update();
    },
  };
}
