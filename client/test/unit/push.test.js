// Web Push of a browser profile: who owns its subscription, and when the functions hear of it.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { client, eventually, isOpen, pause } from "../support/node-client.js";
import { FakeProfile } from "../support/fake-browser.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";
import { vapidKeys, withPush } from "../support/fake-push.js";

let hub, push, profile, leave, clients;
beforeEach(async () => {
  hub = await startFakeHub();
  push = withPush(hub);
  profile = new FakeProfile();
  leave = profile.enter();
  clients = [];
});
afterEach(async () => {
  mock.restoreAll();
  for (const c of clients) c.close();
  await pause(5);
  leave();
  await hub.stop();
});

/** A page's client. */
const make = (user = "alice", options = {}) => {
  const c = client(hub, { user, token: () => fakeToken(user), ...options });
  clients.push(c);
  return c;
};
/** Another page, in which a client starts; what it does at its start is done. */
async function visit(user, options) {
  const c = make(user, options).connect();
  await isOpen(c);
  await c.push.state();
  await navigator.locks.request("bellwire:push", async () => {});
  return c;
}
const later = (ms) => {
  const now = Date.now();
  mock.method(Date, "now", () => now + ms);
};
const device = () => profile.record()?.device;
const HOUR = 3_600_000;

test("subscribing asks, registers a worker with a scope of its own, and writes the device", async () => {
  const c = make();
  assert.equal(await c.push.state(), "default");
  assert.equal(profile.asked, 0);
  assert.equal(await c.push.subscribe(), "subscribed");
  assert.equal(await c.push.state(), "subscribed");
  assert.equal(profile.asked, 1);
  const [{ scope, active }] = profile.registrations;
  assert.deepEqual([active.scriptURL, scope], ["https://site.example/push-worker.js", "https://site.example/push-worker.js"]);
  assert.match(device(), /^web-[\da-f-]{36}$/);
  const { endpoint } = profile.subscription;
  assert.deepEqual(push.devices.get(`alice/${device()}`), {
    kind: "webpush",
    subscription: { endpoint, keys: profile.subscription.toJSON().keys },
    locale: "de",
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});

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

test("what a page may not have is said, and nobody is asked", async () => {
  const c = make();
  profile.permission = "denied";
  assert.deepEqual([await c.push.state(), await c.push.subscribe()], ["denied", "denied"]);
  profile.permission = "default";
  globalThis.isSecureContext = false;
  assert.deepEqual([await c.push.state(), await c.push.subscribe()], ["blocked-insecure", "blocked-insecure"]);
  globalThis.isSecureContext = true;
  push.key = null;
  assert.equal(await c.push.state(), "unconfigured");
  for (const name of ["PushManager", "Notification", "localStorage"]) {
    const had = globalThis[name];
    globalThis[name] = undefined;
    assert.equal(await c.push.state(), "unsupported", name);
    globalThis[name] = had;
  }
  assert.deepEqual([profile.asked, push.devices.size, profile.registrations.length], [0, 0, 0]);
  await assert.rejects(make(undefined, { user: undefined }).push.subscribe(), /option `user`/);
});

test("a refusal in the browser's question is the answer, and nothing is registered", async () => {
  const c = make();
  for (const answer of ["default", "denied"]) {
    profile.answer = answer;
    assert.equal(await c.push.subscribe(), answer);
  }
  assert.deepEqual([profile.registrations.length, profile.record()], [0, null]);
});

test("a no is remembered for this user alone, and forgotten with a yes", async () => {
  const c = make();
  await c.push.decline();
  assert.equal(await make().push.state(), "declined");
  assert.equal(await make("bob").push.state(), "default");
  assert.equal(await c.push.subscribe(), "subscribed");
  assert.equal(await c.push.unsubscribe(), "declined", "who turns it off is not asked again");
  await c.push.subscribe();
  profile.permission = "granted";
  profile.subscription.unsubscribe();
  assert.equal(await c.push.state(), "default");
});

test("unsubscribing removes the device and the subscription", async () => {
  const c = make();
  await c.push.subscribe();
  const { endpoint } = profile.subscription;
  await c.push.unsubscribe();
  assert.deepEqual([push.devices.size, profile.subscription, profile.ended, profile.record()], [0, null, [endpoint], null]);
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

test("logging out ends the subscription, in the tab that logs out and for good", async () => {
  const c = await visit("alice");
  await c.push.subscribe();
  c.close({ everywhere: true });
  await eventually("ended", () => profile.record() === null && push.devices.size === 0);
  assert.equal(profile.subscription, null);
  assert.equal(await make().push.state(), "default", "she may be offered it again");
  // A page that is closed without a logout keeps it.
  const again = await visit("alice");
  await again.push.subscribe();
  again.close();
  await eventually("closed", () => again.state === "closed");
  await pause(20);
  assert.equal(await make().push.state(), "subscribed");
});

test("a page that went away while it logged out: the next start ends it, whoever it is", async () => {
  for (const next of ["alice", "bob"]) {
    await make().push.subscribe();
    const held = profile.record();
    profile.store.set("bellwire:push", JSON.stringify({ ...held, user: "" }));
    await visit(next);
    assert.deepEqual([profile.subscription, profile.record()], [null, null]);
  }
});

test("another user in this profile: the subscription ends, and theirs is another device and address", async () => {
  await make().push.subscribe();
  const [name, { endpoint }] = [device(), profile.subscription];
  await visit("bob");
  assert.deepEqual([profile.subscription, profile.record(), profile.ended], [null, null, [endpoint]]);
  const c = make("bob");
  assert.equal(await c.push.state(), "default");
  await c.push.subscribe();
  assert.notEqual(device(), name);
  assert.notEqual(profile.subscription.endpoint, endpoint);
  // Nobody else's token deletes it: the push service's 410 does.
  assert.deepEqual([...push.devices.keys()], [`alice/${name}`, `bob/${device()}`]);
  assert.equal(push.calls.filter((call) => call.startsWith("DELETE")).length, 0);
});

test("subscribing where another user's subscription is: it ends first", async () => {
  await make().push.subscribe();
  const [name, { endpoint }] = [device(), profile.subscription];
  const c = make("bob");
  assert.equal(await c.push.state(), "default");
  await c.push.subscribe();
  assert.deepEqual(profile.ended, [endpoint]);
  assert.notEqual(device(), name);
  assert.equal(await make().push.state(), "default");
});

test("another installation's subscription is left alone until this one subscribes", async () => {
  await make("alice", { functions: `${hub.url}/other/..` }).push.subscribe();
  const held = profile.record();
  await visit("bob");
  assert.deepEqual(profile.record(), held);
});

test("tabs that subscribe at once make one subscription and one device", async () => {
  await Promise.all([make().push.subscribe(), make().push.subscribe(), make().push.subscribe()]);
  assert.deepEqual([push.devices.size, profile.ended.length, profile.registrations.length], [1, 0, 1]);
});

test("a device's own name, and another one later", async () => {
  const c = make();
  await c.push.subscribe({ device: "laptop" });
  assert.deepEqual([...push.devices.keys()], ["alice/laptop"]);
  await c.push.subscribe({ device: "desk" });
  assert.deepEqual([...push.devices.keys()], ["alice/desk"]);
  await c.push.subscribe();
  assert.deepEqual([...push.devices.keys()], ["alice/desk"]);
});

test("the site's own worker keeps its scope, and another worker's registration is not touched", async () => {
  const site = profile.register("https://site.example/sw.js", "https://site.example/");
  await make().push.subscribe();
  assert.equal(site.pushManager.held, null);
  await make().push.unsubscribe();
  await make().push.subscribe({ worker: "/sw.js" });
  assert.ok(site.pushManager.held);
  assert.deepEqual(profile.registrations.map(({ scope }) => scope), ["https://site.example/", "https://site.example/push-worker.js"]);
});

test("a language or time zone that the functions do not know is left out", async () => {
  push.refuse = (method, path, body) => {
    const field = method === "PUT" && ["timeZone", "locale"].find((name) => body[name]);
    return field ? [400, { code: "invalid_field", field, status: 400 }] : undefined;
  };
  assert.equal(await make().push.subscribe(), "subscribed");
  const [{ kind, locale, timeZone }] = push.devices.values();
  assert.deepEqual([kind, locale, timeZone], ["webpush", undefined, undefined]);
});

test("a browser without a push service: the error is told, and the next start does not try", async () => {
  profile.fails = new DOMException("push service error", "AbortError");
  await assert.rejects(make().push.subscribe(), { name: "AbortError" });
  assert.equal(profile.record(), null);
});

test("functions that fail while it is written: nothing is claimed, and the next start writes it", async () => {
  push.refuse = (method) => (method === "PUT" ? [503, { code: "record_unavailable", status: 503 }] : undefined);
  const c = make();
  await assert.rejects(c.push.subscribe(), { code: "record_unavailable" });
  assert.equal(await c.push.state(), "default");
  push.refuse = () => undefined;
  await visit("alice");
  assert.deepEqual([await c.push.state(), push.devices.size], ["subscribed", 1]);
});

test("preferences are read, and written as a whole", async () => {
  const c = make();
  assert.deepEqual(await c.push.preferences(), {});
  const wanted = { push: true, quietHours: { from: "22:00", to: "07:00", timeZone: "Europe/Berlin" } };
  await c.push.setPreferences(wanted);
  assert.deepEqual(await c.push.preferences(), wanted);
});

test("a client is no promise: an async function may return its push", async () => {
  const { push } = make();
  assert.equal(await (async () => push)(), push);
});
