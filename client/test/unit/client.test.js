// The client against a fake hub: counts, marks, feed, iteration, tabs, leaks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { List } from "../../list.js";
import { hurry, hub, start } from "../support/client-suite.js";
import { eventually, isOpen, pause } from "../support/node-client.js";

const memory = () => {
  const kept = new Map();
  return { kept, getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => void kept.set(k, v), removeItem: (k) => void kept.delete(k) };
};

test("marks and deletes made elsewhere during a break: the count of the welcome, the list read again", async () => {
  hurry();
  for (let n = 0; n < 5; n++) hub.note();
  const c = start();
  const list = new List(c, { limit: 100 });
  await eventually("list", () => list.entries.length === 5 && c.unread === 5);
  hub.drop();
  hub.feed.forEach((n) => (n.readAt = "x"));
  hub.feed.splice(1, 1);
  hub.note();
  await eventually("equal", () => JSON.stringify(list.entries) === JSON.stringify(hub.feed) && c.unread === 1);
  assert.deepEqual(c.got, ["t6"]);
  list.stop();
});

test("an old hub says no count: the feed does", async () => {
  hub.pings = false;
  hub.note();
  const c = start();
  await eventually("count", () => c.unread === 1);
  hub.publish();
  await eventually("count", () => c.unread === 2);
});

test("a notification that leaves the window or expires makes the client ask", async () => {
  hurry();
  for (let n = 0; n < 100; n++) hub.note();
  const c = start();
  await eventually("count", () => c.unread === 100);
  hub.feed.slice(0, 60).forEach((n) => (n.readAt = "x"));
  hub.say({ type: "read", upTo: 0, unread: hub.unread() });
  await eventually("count", () => c.unread === 40);
  hub.publish();
  await eventually("the oldest was unread", () => c.unread === 40 && hub.frames.some((f) => f.type === "ping"));
});

test("markRead: sent at once, told to this tab", async () => {
  for (let n = 0; n < 3; n++) hub.note();
  const c = start();
  await isOpen(c);
  assert.equal(await c.markRead(2), 1);
  assert.equal(await c.markRead([hub.feed[0].id]), 0);
  await eventually("count", () => c.unread === 0);
  assert.ok(c.events.some((e) => e.type === "read" && e.upTo === 2 && e.unread === 1));
  await c.remove(hub.feed[0].id);
  assert.ok(c.events.some((e) => e.type === "removed"));
  await assert.rejects(start({ functions: undefined }).markRead(1), { code: "no_functions" });
});

test("marks made offline are kept, one request for all, sent at open, also by a later page", async () => {
  hurry();
  for (let n = 0; n < 4; n++) hub.note();
  const storage = memory();
  const c = start({ storage });
  await isOpen(c);
  hub.refuse = () => 503;
  hub.drop();
  await eventually("away", () => c.state !== "open");
  assert.equal(await c.markRead(1), null);
  assert.equal(await c.markRead(2), null);
  assert.equal(await c.markRead([hub.feed[0].id]), null);
  assert.ok(c.events.some((e) => e.type === "read" && e.pending));
  c.close();
  await pause(10);
  assert.deepEqual(JSON.parse([...storage.kept.values()][0]), { upTo: 2, epoch: "e1", ids: [hub.feed[0].id] });
  hub.refuse = () => undefined;
  const posts = () => hub.requests.filter((r) => r.includes("/read"));
  const before = posts().length;
  const later = start({ storage });
  await eventually("sent", () => later.unread === 1 && storage.kept.size === 0);
  assert.equal(posts().length - before, 2);
});

test("a mark that is refused for good is dropped and thrown; logout forgets what is kept", async () => {
  const storage = memory();
  const c = start({ storage });
  await isOpen(c);
  hub.refuse = (_, url) => (url.pathname.endsWith("/read") ? 400 : undefined);
  await assert.rejects(c.markRead(1), { code: "c400", status: 400 });
  assert.equal(storage.kept.size, 0);
  hub.refuse = (_, url) => (url.pathname.endsWith("/read") ? 503 : undefined);
  await c.markRead(1);
  assert.equal(storage.kept.size, 1);
  c.close({ everywhere: true });
  await eventually("closed", () => c.state === "closed");
  assert.equal(storage.kept.size, 0);
  assert.equal(c.status.reason, "logged out");
});

test("history reads page by page; a loop receives until the client is closed", async () => {
  for (let n = 0; n < 230; n++) hub.note();
  const c = start();
  const titles = [];
  for await (const n of c.history()) titles.push(n.title);
  assert.equal(titles.length, 230);
  assert.equal(titles.at(-1), "t1");
  await isOpen(c);
  const seen = [];
  const loop = (async () => {
    for await (const n of c) seen.push(n.title);
  })();
  await pause(5);
  hub.publish();
  hub.publish();
  await eventually("both", () => seen.length === 2);
  c.close();
  await loop;
  assert.deepEqual(seen, ["t231", "t232"]);
});

test("a feed that fails is read again until it answers", async () => {
  hurry();
  hub.note();
  hub.refuse = (_, url) => (url.pathname.endsWith("/notifications") && url.pathname.startsWith("/users") ? 503 : undefined);
  const c = start();
  const list = new List(c);
  await isOpen(c);
  await pause(50);
  assert.equal(list.entries.length, 0);
  hub.refuse = () => undefined;
  await eventually("list", () => list.entries.length === 1);
  list.stop();
});

test("what changes while the list is being read wins over the read's older answer", async () => {
  hurry();
  for (let n = 0; n < 4; n++) hub.note();
  /** Answers of the feed that are on their way: each waits until it is let go. */
  let held = null;
  const slow = async (url, init) => {
    const answer = await fetch(url, init);
    if (held && String(url).includes("/notifications?limit=20")) await new Promise((go) => held.push(go));
    return answer;
  };
  const c = start({ fetch: slow });
  const list = new List(c);
  await eventually("list", () => list.entries.length === 4);
  const [, third, second] = list.entries;
  const changes = {
    notification: () => hub.publish(),
    read() {
      hub.feed.find((n) => n.id === third.id).readAt = "x";
      hub.say({ type: "read", ids: [third.id], unread: hub.unread() });
    },
    removed() {
      hub.feed.splice(hub.feed.findIndex((n) => n.id === second.id), 1);
      hub.say({ type: "removed", ids: [second.id], unread: hub.unread() });
    },
  };
  const now = () => JSON.stringify(list.entries.map(({ id, readAt }) => [id, Boolean(readAt)]));
  const truth = () => JSON.stringify(hub.feed.map(({ id, readAt }) => [id, Boolean(readAt)]));
  for (const [type, change] of Object.entries(changes)) {
    held = [];
    list.read();
    await eventually("the older answer is on its way", () => held.length === 1);
    const seen = [];
    list.changed = () => seen.push(now());
    change();
    await eventually(`${type} is shown`, () => now() === truth());
    held.shift()();
    await eventually("it is read once more", () => held.length === 1);
    assert.ok(seen.every((entries) => entries === truth()), `${type}: the older answer was never shown`);
    held.shift()();
    held = null;
    await pause(20);
    assert.equal(now(), truth(), type);
    assert.ok(seen.every((entries) => entries === truth()), type);
  }
  list.stop();
});

test("a new record is a gap, after which its numbers count", async () => {
  hurry();
  for (let n = 0; n < 9; n++) hub.note();
  const c = start();
  const list = new List(c);
  await eventually("list", () => list.entries.length === 9);
  hub.replaceRecord("e2");
  hub.note({ id: "0190b000-0000-7000-8000-000000000001", title: "new" });
  hub.drop();
  await eventually("list", () => list.entries.length === 1 && list.entries[0].title === "new");
  hub.publish({ id: "0190b000-0000-7000-8000-000000000002" });
  await eventually("live", () => c.got.at(-1) === "t2");
  list.stop();
});

test("1,000 reconnects leave no listener, no timer and no memory behind", async () => {
  // Not by `mock`, which keeps every call.
  const { random } = Math;
  Math.random = () => 0.0001;
  hub.note();
  const c = start();
  await isOpen(c);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const reconnect = async (times) => {
    for (let n = 0; n < times; n++) {
      const opens = hub.requests.length;
      hub.drop();
      await eventually("again", () => hub.requests.length > opens && hub.sockets.size === 1 && c.state === "open");
    }
    for (const log of [hub.requests, hub.tokens, hub.frames, c.states, c.unreads, c.events]) log.length = 0;
    globalThis.gc?.();
    await pause(20);
    globalThis.gc?.();
    return { timers: timers(), heap: process.memoryUsage().heapUsed };
  };
  // The first ones compile, and size what the fake hub keeps.
  const first = await reconnect(600);
  const last = await reconnect(1_000);
  assert.ok(last.timers <= first.timers + 4, `${first.timers} → ${last.timers} timers`);
  // A leak of a kilobyte per reconnect fails; memory that is released late does not.
  for (let n = 0; globalThis.gc && n < 50 && last.heap - first.heap >= 1_000_000; n++) {
    await pause(20);
    globalThis.gc();
    last.heap = process.memoryUsage().heapUsed;
  }
  if (globalThis.gc) assert.ok(last.heap - first.heap < 1_000_000, `${first.heap} → ${last.heap} bytes`);
  Math.random = random;
  c.close();
  await eventually("closed", () => c.state === "closed");
  await eventually("no socket is left", () => hub.sockets.size === 0);
});
