// The line against a fake hub in virtual time: silence, sleep, renewal.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { client, eventually, isOpen, turns } from "../support/node-client.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";
import { watchNetwork } from "../support/quiet.js";

let hub, clients, network;
beforeEach(async () => {
  hub = await startFakeHub();
  network = watchNetwork(hub);
  clients = [];
});
afterEach(async () => {
  mock.timers.reset();
  for (const c of clients) c.close();
  await eventually("closed", () => clients.every((c) => c.state === "closed"));
  await hub.stop();
  await network.closed();
});
const start = (options) => {
  const c = client(hub, { ...network.options, ...options });
  clients.push(c);
  return c.connect();
};
afterEach(() => mock.restoreAll());
/** Virtual time in steps. Before each, all that was sent has come, however long that takes: only virtual time counts. */
async function advance(ms, step = 1_000) {
  for (; ms > 0; ms -= step) {
    await network.quiet();
    mock.timers.tick(Math.min(ms, step));
    await turns(30);
  }
  await network.quiet();
}
const virtual = () => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.now() });

test("silence is answered with a ping, a dead hub noticed within 35 s, and the count put right by the pong", async () => {
  virtual();
  const c = start();
  await advance(1, 1);
  await isOpen(c);
  hub.note();
  await advance(32_000);
  assert.ok(hub.frames.some((f) => f.type === "ping"));
  await eventually("unread", () => c.unread === 1);
  hub.silent = true;
  await advance(36_000);
  await eventually("noticed", () => c.states.some((s) => s.reason === "silent"));
});

test("an old hub is never pinged; after silence and a wake the connection is made anew", async () => {
  hub.pings = false;
  virtual();
  const c = start();
  await advance(1, 1);
  await isOpen(c);
  await advance(120_000);
  assert.deepEqual(hub.frames, []);
  assert.equal(c.state, "open");
  // Asleep for a quarter of an hour.
  mock.timers.setTime(Date.now() + 900_000);
  await advance(10_000);
  await eventually("again", () => hub.requests.filter((r) => r.startsWith("WS")).length === 2);
});

test("asleep past the token's end: a new token, and what was missed", async () => {
  virtual();
  hub.note();
  const asked = [];
  const c = start({ token: ({ refresh }) => (asked.push(refresh), fakeToken("alice", 600)) });
  await advance(1, 1);
  await isOpen(c);
  hub.drop();
  await eventually("noticed", () => c.state === "waiting");
  hub.note();
  mock.timers.setTime(Date.now() + 3_600_000);
  await advance(40_000);
  await isOpen(c);
  assert.deepEqual(asked, [false, true]);
  await eventually("t2", () => c.got.length === 1);
});

test("the token is renewed before its end without a reconnect, and lasts as long as the hub says", async () => {
  hub.lastsMs = 120_000;
  virtual();
  let asked = 0;
  // A clock that is wrong: the claims say that it has ended long ago.
  const c = start({ token: () => (asked++, fakeToken("alice", -5_000)) });
  await advance(1, 1);
  await isOpen(c);
  assert.equal(asked, 1);
  await advance(80_000);
  assert.equal(asked, 1);
  await advance(15_000);
  await eventually("renewed", () => hub.frames.some((f) => f.type === "auth"));
  await advance(80_000);
  assert.equal(asked, 2);
  assert.equal(hub.requests.filter((r) => r.startsWith("WS")).length, 1);
  assert.deepEqual(c.states.map((s) => s.state), ["connecting", "open"]);
});

test("a token endpoint that fails for a while is asked again until it answers", async () => {
  hub.lastsMs = 100_000;
  virtual();
  let fails = false;
  const c = start({ token: () => { if (fails) throw new Error("503"); return fakeToken("alice", 100); } });
  await advance(1, 1);
  await isOpen(c);
  fails = true;
  await advance(90_000);
  assert.equal(c.state, "open");
  assert.ok(c.errors.length >= 2 && c.errors.every((code) => code === "token_failed"));
  fails = false;
  await advance(35_000);
  await eventually("renewed", () => hub.frames.some((f) => f.type === "auth"));
  assert.equal(hub.requests.filter((r) => r.startsWith("WS")).length, 1);
});

test("a stream renews by a new stream", async () => {
  virtual();
  let asked = 0;
  const c = start({ transport: "sse", token: () => (asked++, fakeToken("alice", 60)) });
  await advance(1, 1);
  await isOpen(c);
  hub.publish();
  await eventually("t1", () => c.got.length === 1);
  await advance(36_000);
  await eventually("renewed", () => asked === 2 && hub.streams.size === 1);
  hub.publish();
  await eventually("t2", () => c.got.length === 2);
  assert.ok(hub.requests.at(-1).includes("since=seq:1&epoch=e1") || hub.requests.some((r) => r.includes("since=seq:1&epoch=e1")));
});

