// Web Push of a page: who is asked when, what is written, and what is said when it cannot be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { device, make, profile, push, visit } from "../support/push-suite.js";

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
