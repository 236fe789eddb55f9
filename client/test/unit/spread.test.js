// A thousand clients whose hub dies: when they knock, in virtual time.
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { Bellwire } from "../../client.js";
import { turns } from "../support/node-client.js";
import { seeded } from "../support/seeded.js";

const CLIENTS = 1_000;
let hub;
const { random } = Math;
afterEach(() => {
  mock.timers.reset();
  Math.random = random;
});

/** As much of a WebSocket as the client uses. */
class Socket {
  readyState = 1;
  constructor() {
    hub.knocks.push(Date.now());
    if (!hub.alive) return void setImmediate(() => this.onclose?.({ code: 1006, reason: "" }));
    hub.sockets.add(this);
    setImmediate(() => this.onmessage?.({ data: '{"type":"welcome","epoch":"e","seq":1,"unread":0,"expiresInMs":3600000}' }));
  }
  send() {
    this.onmessage?.({ data: '{"type":"pong","epoch":"e","seq":1,"unread":0}' });
  }
  close() {
    hub.sockets.delete(this);
  }
}
const fetch = async () => {
  hub.knocks.push(Date.now());
  throw new TypeError("refused");
};

async function crowd() {
  Math.random = seeded(7);
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1e12 });
  hub = { alive: true, sockets: new Set(), knocks: [] };
  const options = { hub: "http://hub", token: () => "t", user: "u", shared: false, WebSocket: Socket, fetch, storage: null };
  const clients = Array.from({ length: CLIENTS }, () => new Bellwire(options).connect());
  await advance(11_000, 1_000);
  assert.equal(hub.sockets.size, CLIENTS);
  hub.knocks = [];
  return clients;
}
async function advance(ms, step = 50) {
  for (; ms > 0; ms -= step) {
    mock.timers.tick(step);
    await turns(4);
  }
}
function die(code, before) {
  hub.alive = false;
  for (const socket of [...hub.sockets]) {
    before?.(socket);
    socket.onclose?.({ code, reason: "" });
  }
  hub.sockets.clear();
}
/** Knocks in each second from `start` on. */
function perSecond(start) {
  const counts = [];
  for (const at of hub.knocks) {
    const second = Math.floor((at - start) / 1_000);
    if (second >= 0) counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

test("a hub killed for 20 s: they come back spread over half a minute, all of them", async () => {
  const clients = await crowd();
  const died = Date.now();
  die(1006);
  await advance(20_000);
  // Full jitter: after t seconds about 1.44/t of them try in a second, and every second failure asks for a ticket.
  const down = perSecond(died);
  for (let second = 4; second < 20; second++) assert.ok(down[second] < (CLIENTS * 5) / second, `second ${second}: ${down}`);
  hub.alive = true;
  const back = Date.now();
  await advance(45_000);
  assert.equal(hub.sockets.size, CLIENTS);
  const counts = perSecond(back);
  assert.ok(Math.max(...counts) < CLIENTS / 5, String(counts));
  // And a few tickets that were asked for in that moment.
  assert.ok(counts.reduce((a, b) => a + b) < CLIENTS * 1.02, String(counts));
  for (const client of clients) client.close();
  await advance(10, 10);
});

test("hints are honoured: no client connects before its time", async () => {
  const clients = await crowd();
  const died = Date.now();
  let n = 0;
  die(1012, (socket) => socket.onmessage?.({ data: `{"type":"reconnect","afterMs":${2_000 + 10 * n++}}` }));
  hub.alive = true;
  await advance(14_000);
  assert.equal(hub.sockets.size, CLIENTS);
  const counts = perSecond(died);
  assert.deepEqual(counts.slice(0, 2), [0, 0]);
  assert.ok(Math.max(...counts) <= 106, String(counts));
  for (const client of clients) client.close();
  await advance(10, 10);
});
