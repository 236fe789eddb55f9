// A subscription over time: what a start writes, and what the browser and the worker change.
import assert from "node:assert/strict";
import { test } from "node:test";
import { vapidKeys } from "../support/fake-push.js";
import { eventually } from "../support/node-client.js";
import { HOUR, device, hub, later, make, profile, push, visit } from "../support/push-suite.js";

test("a start asks for nothing, and writes nothing before it is due", async () => {
  await visit("alice");
  assert.deepEqual([push.calls, profile.asked], [["GET /push/key"], 0], "the test's own question");
  await make().push.subscribe();
  push.calls.length = 0;
  await visit("alice");
  assert.deepEqual(push.calls, []);
  later(HOUR + 1);
  await visit("alice");
  assert.deepEqual(push.calls, ["GET /push/key"]);
  later(25 * HOUR);
  await visit("alice");
  assert.deepEqual(push.calls.slice(1), ["GET /push/key", `PUT /users/alice/devices/${device()}`]);
});

test("another VAPID key: a new subscription under the same device", async () => {
  await make().push.subscribe();
  const [name, { endpoint }] = [device(), profile.subscription];
  push.key = vapidKeys().publicKey;
  later(HOUR + 1);
  await visit("alice");
  assert.notEqual(profile.subscription.endpoint, endpoint);
  assert.deepEqual([...push.devices.keys()], [`alice/${name}`]);
  assert.equal(push.devices.get(`alice/${name}`).subscription.endpoint, profile.subscription.endpoint);
});

test("a subscription that the browser has changed or lost is written at the next start", async () => {
  await make().push.subscribe();
  const manager = profile.registrations[0].pushManager;
  for (const change of [
    async () => {
      await manager.held.unsubscribe();
      await manager.subscribe({ userVisibleOnly: true, applicationServerKey: push.key });
    },
    () => manager.held.unsubscribe(),
    () => profile.registrations.splice(0),
  ]) {
    const { endpoint } = profile.subscription;
    await change();
    const c = await visit("alice");
    assert.notEqual(profile.subscription.endpoint, endpoint);
    assert.equal(push.devices.get(`alice/${device()}`).subscription.endpoint, profile.subscription.endpoint);
    assert.deepEqual([await c.push.state(), push.devices.size, profile.asked], ["subscribed", 1, 1]);
  }
});

test("the worker says that the subscription has changed: an open tab writes it", async () => {
  const c = make().connect();
  await c.push.subscribe();
  const manager = profile.registrations[0].pushManager;
  await manager.held.unsubscribe();
  await manager.subscribe({ userVisibleOnly: true, applicationServerKey: push.key });
  const channel = new BroadcastChannel("bellwire:push");
  channel.postMessage({ type: "change" });
  await eventually("written", () => push.devices.get(`alice/${device()}`).subscription.endpoint === profile.subscription.endpoint);
  channel.close();
});

test("the worker says that a push has come: the tab looks whether its connection lives", async () => {
  const c = await visit("alice");
  await c.push.subscribe();
  hub.frames.length = 0;
  const channel = new BroadcastChannel("bellwire:push");
  channel.postMessage({ type: "push", id: "n1" });
  await eventually("a ping", () => hub.frames.some(({ type }) => type === "ping"));
  channel.close();
});

test("permission withdrawn: the device goes at the next start", async () => {
  await make().push.subscribe();
  profile.permission = "denied";
  const c = await visit("alice");
  assert.deepEqual([push.devices.size, profile.subscription, profile.record(), await c.push.state()], [0, null, null, "denied"]);
});
