// The line against a fake hub: states, reconnects, hints, terminal codes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hurry, hub, start } from "../support/client-suite.js";
import { fakeToken } from "../support/fake-hub.js";
import { eventually, isOpen, pause } from "../support/node-client.js";

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
