// The line against a fake hub: reconnects, hints, terminal codes, transports.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { WebSocket } from "ws";
import { client, eventually, isOpen, pause } from "../support/node-client.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";

let hub, clients;
beforeEach(async () => {
  hub = await startFakeHub();
  clients = [];
});
afterEach(async () => {
  for (const c of clients) c.close();
  await pause(5);
  await hub.stop();
});
const start = (options) => {
  const c = client(hub, options);
  clients.push(c);
  return c.connect();
};
/** Makes waits short. */
const hurry = () => mock.method(Math, "random", () => 0.01);
afterEach(() => mock.restoreAll());
test("states, notifications in order, unread from welcome on", async () => {
  hub.note();
  const c = start();
  assert.equal(c.state, "idle");
  await isOpen(c);
  await eventually("unread", () => c.unread === 1);
  hub.publish();
  hub.publish();
  await eventually("both", () => c.got.length === 2);
  assert.deepEqual(c.got, ["t2", "t3"]);
  assert.equal(c.unread, 3);
  assert.deepEqual(c.cursor, { epoch: "e1", seq: 3, id: hub.feed[0].id });
  c.close();
  await eventually("closed", () => c.state === "closed");
  assert.deepEqual(c.states.map((s) => s.state), ["connecting", "open", "closed"]);
  assert.deepEqual(c.status, { state: "closed", code: 1000, reason: "closed" });
  await eventually("no socket", () => hub.sockets.size === 0);
});

test("a dropped socket is resumed: nothing lost, nothing twice, and the count is the hub's", async () => {
  hurry();
  const c = start();
  await isOpen(c);
  hub.publish();
  await eventually("t1", () => c.got.length === 1);
  for (let round = 0; round < 5; round++) {
    hub.drop();
    hub.note();
    hub.feed.at(-1).readAt = "x";
    await eventually("resumed", () => c.got.length === round + 2 && c.state === "open");
  }
  assert.deepEqual(c.got, ["t1", "t2", "t3", "t4", "t5", "t6"]);
  await eventually("unread", () => c.unread === 5);
});

test("connect and close in one task open nothing; close and connect keep the connection", async () => {
  const c = start();
  c.close();
  await pause(20);
  assert.equal(hub.requests.length, 0);
  c.connect();
  await isOpen(c);
  c.close();
  c.connect();
  await pause(20);
  assert.equal(hub.requests.filter((r) => r.startsWith("WS")).length, 1);
  assert.equal(c.state, "open");
});

for (const [code, reason] of [[1002, "malformed frame"], [1007, "not UTF-8"], [4400, "protocol violation"], [4403, "forbidden"], [4413, "frame too large"]]) {
  test(`${code} ends for good, with a word`, async () => {
    hurry();
    const c = start();
    await isOpen(c);
    hub.close(code, reason);
    await eventually("closed", () => c.state === "closed");
    assert.deepEqual(c.status, { state: "closed", code, reason });
    await pause(50);
    assert.equal(hub.requests.filter((r) => r.startsWith("WS")).length, 1);
  });
}

for (const code of [1011, 1012, 4408, 4429, 4499]) {
  test(`${code} comes back with the cursor`, async () => {
    hurry();
    hub.note();
    const c = start();
    await isOpen(c);
    hub.close(code, "word");
    await eventually("again", () => hub.requests.filter((r) => r.startsWith("WS")).length === 2 && c.state === "open");
    assert.ok(hub.requests.at(-1).endsWith("?since=seq:1&epoch=e1"));
    assert.equal(c.states.find((s) => s.state === "waiting").reason, "word");
  });
}

test("4401 comes back with a new token, 4410 without the cursor and with a gap", async () => {
  hurry();
  const asked = [];
  const c = start({ functions: undefined, token: ({ refresh }) => (asked.push(refresh), fakeToken()) });
  await isOpen(c);
  hub.publish();
  await eventually("t1", () => c.got.length);
  hub.close(4401, "token expired");
  await eventually("again", () => hub.tokens.length === 2 && c.state === "open");
  assert.deepEqual(asked, [false, true]);
  assert.notEqual(hub.tokens[0], hub.tokens[1]);
  hub.close(4410, "cursor unreachable");
  await eventually("again", () => hub.requests.filter((r) => r.startsWith("WS")).length === 3 && c.state === "open");
  assert.equal(hub.requests.filter((r) => r.startsWith("WS")).at(-1), "WS /ws/notifications");
  assert.equal(c.events.filter((e) => e.type === "gap").length > 0, true);
});

test("afterMs is kept to, whatever wakes", async () => {
  hurry();
  const c = start();
  await isOpen(c);
  hub.say({ type: "reconnect", afterMs: 300 });
  hub.close(1012, "restart");
  await eventually("waits", () => c.state === "waiting");
  const since = performance.now();
  assert.deepEqual(c.status, { state: "waiting", retryInMs: 300, reason: "restart" });
  globalThis.dispatchEvent?.(new Event("online"));
  await isOpen(c);
  assert.ok(performance.now() - since >= 290);
});

test("a user without a feed gets a position: a break before the first notification is no gap, and loses nothing", async () => {
  hurry();
  const c = start();
  await eventually("position", () => c.cursor?.epoch === "e1" && c.unread === 0);
  hub.drop();
  await eventually("again", () => hub.requests.at(-1).endsWith("?since=seq:0&epoch=e1"));
  await isOpen(c);
  hub.drop();
  hub.note();
  await eventually("replayed", () => c.got.length === 1 && c.unread === 1);
  assert.deepEqual(c.events.filter((e) => e.type === "gap"), []);
  const pings = hub.frames.length;
  await pause(50);
  assert.equal(hub.frames.length, pings);
});

test("a connection without a position that comes back tells of a gap", async () => {
  hurry();
  const c = start({ functions: undefined });
  await isOpen(c);
  hub.drop();
  hub.note();
  await eventually("gap", () => c.events.some((e) => e.type === "gap" && e.seq === 1));
  assert.deepEqual(c.got, []);
});

test("a WebSocket that cannot be made is told, and a stream opened instead", async () => {
  hurry();
  const c = start({ WebSocket: class { constructor() { throw new TypeError("not here"); } } });
  await isOpen(c);
  assert.equal(hub.streams.size, 1);
  assert.equal(c.errors.length, 1);
});

test("two refused handshakes: the ticket says why, and Retry-After is kept to", async () => {
  hurry();
  hub.refuse = () => 503;
  hub.retryAfter = "1";
  const c = start();
  await eventually("asked", () => c.status.reason === "c503");
  assert.ok(c.status.retryInMs >= 1_000 && c.status.retryInMs <= 2_000);
  assert.deepEqual(hub.requests, ["WS /ws/notifications", "WS /ws/notifications", "POST /ws/ticket"]);
});

test("two refused handshakes, and the ticket says 403: the end", async () => {
  hurry();
  hub.refuse = () => 403;
  const c = start();
  await eventually("closed", () => c.state === "closed");
  assert.deepEqual(c.status, { state: "closed", code: 4403, reason: "c403" });
});

test("a token that the hub refuses is replaced by way of the ticket", async () => {
  hurry();
  let good;
  hub.refuse = (_request, _url, bearer) => (bearer === good ? undefined : 401);
  const c = start({ token: ({ refresh }) => (refresh ? (good = fakeToken()) : "old") });
  await isOpen(c);
  assert.deepEqual(hub.requests.slice(0, 3), ["WS /ws/notifications", "WS /ws/notifications", "POST /ws/ticket"]);
});

test("sockets blocked: an event stream after three, which resumes where a socket was, and nothing is lost on the way", async () => {
  hurry();
  const c = start();
  await isOpen(c);
  hub.publish();
  await eventually("t1", () => c.got.length === 1);
  hub.refuse = (request) => (request.headers.upgrade ? 400 : undefined);
  hub.drop();
  hub.note();
  await eventually("by stream", () => c.got.length === 2);
  assert.equal(hub.streams.size, 1);
  hub.publish();
  await eventually("t3", () => c.got.length === 3);
  await eventually("unread over HTTP", () => c.unread === 3);
  hub.drop();
  hub.note();
  await eventually("resumed", () => c.got.length === 4);
  hub.say({ type: "removed", ids: ["x"], unread: 1 });
  await eventually("unread", () => c.unread === 1);
  // Blocked streams, sockets that pass: back again.
  hub.refuse = (request) => (request.url.startsWith("/sse") ? 503 : undefined);
  hub.drop();
  hub.note();
  await eventually("by socket", () => hub.sockets.size === 1 && c.got.length === 5);
  assert.deepEqual(c.got, ["t1", "t2", "t3", "t4", "t5"]);
});

test("transport `websocket` and `sse` hold; without WebSocket it is a stream", async () => {
  hurry();
  const stream = start({ transport: "sse" });
  await isOpen(stream);
  assert.equal(hub.streams.size, 1);
  const before = hub.requests.length;
  hub.refuse = (request) => (request.headers.upgrade ? 400 : undefined);
  start({ transport: "websocket" });
  await eventually("six tries", () => hub.requests.slice(before).filter((r) => r.startsWith("WS")).length > 5, 10_000);
  assert.equal(hub.requests.slice(before).filter((r) => r.includes("/sse")).length, 0);
  if (!globalThis.WebSocket) {
    await isOpen(start({ WebSocket: undefined }));
    assert.equal(hub.streams.size, 2);
  }
});

test("a token endpoint that fails at the start: waits with the reason, then opens; no token: the end", async () => {
  hurry();
  let fails = true;
  const c = start({ token: () => { if (fails) throw new Error("503"); return fakeToken(); } });
  await eventually("waits", () => c.status.reason === "token_failed");
  fails = false;
  await isOpen(c);
  const none = start({ token: () => null });
  await eventually("closed", () => none.state === "closed");
  assert.deepEqual(none.status, { state: "closed", code: 4401, reason: "no_token" });
  const other = start({ token: () => fakeToken("bob") });
  await eventually("closed", () => other.state === "closed");
  assert.deepEqual(other.status, { state: "closed", code: 4403, reason: "other_user" });
});

test("a `ws` class and none at all import without a window", async () => {
  assert.equal(globalThis.window, undefined);
  assert.equal(globalThis.document, undefined);
  assert.ok(WebSocket);
});
