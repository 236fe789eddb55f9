// How the line is made against a fake hub: refused handshakes, blocked sockets, event streams.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { hurry, hub, start } from "../support/client-suite.js";
import { fakeToken } from "../support/fake-hub.js";
import { eventually, isOpen } from "../support/node-client.js";

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

test("a `ws` class and none at all import without a window", async () => {
  assert.equal(globalThis.window, undefined);
  assert.equal(globalThis.document, undefined);
  assert.ok(WebSocket);
});
