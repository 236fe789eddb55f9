// Push from end to end in Firefox ESR: a real subscription, pushes that are encrypted as the worker encrypts them,
// a real service worker, and a push service of the test's own. The bell is clicked with a real mouse.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launchFirefox } from "../support/firefox.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";
import { vapidKeys, withPush } from "../support/fake-push.js";
import { accept, eventually, forget, opened, pushPrefs, shown, state, visit as open } from "../support/push-page.js";
import { startPushService } from "../support/push-service.js";
import { startSite } from "../support/site.js";
import { until } from "../support/stack.js";

let site, service, firefox, hub, functions, keys, pages;
before(async () => {
  site = await startSite();
  site.token = (user) => fakeToken(user);
  service = await startPushService();
  firefox = await launchFirefox(pushPrefs(service));
});
after(async () => {
  await firefox?.stop();
  service?.stop();
  site?.stop();
});
beforeEach(async () => {
  hub = await startFakeHub();
  keys = vapidKeys();
  functions = withPush(hub, keys.publicKey);
  pages = [];
});
afterEach(async () => {
  // What a test leaves in the profile is nobody's at the next one's start, which has another hub.
  const page = pages.at(-1) ?? (await visit("nobody"));
  await forget(page);
  for (const page of pages) await page.close();
  await hub.stop();
});

/** A tab with a bell, connected. */
async function visit(user = "alice") {
  const page = await open(firefox, site, { hub: hub.url, functions: hub.url, user });
  pages.push(page);
  return page;
}

async function subscribe(page) {
  await accept(page);
  return device();
}
const device = () => [...functions.devices.values()].at(-1);
const push = (subscription, payload, sender = keys) => service.send(subscription, typeof payload === "string" ? payload : JSON.stringify(payload), sender);

test("a click subscribes; a push is shown, its repeat replaces it, and the open tab catches up", { timeout: 120_000 }, async () => {
  const page = await visit();
  assert.equal(await state(page), "default");
  const { kind, subscription, locale, timeZone } = await subscribe(page);
  assert.deepEqual([kind, locale, typeof timeZone], ["webpush", "en", "string"]);
  assert.match(subscription.endpoint, /^https:\/\/localhost:/);
  assert.deepEqual([subscription.keys.p256dh, subscription.keys.auth].map((key) => Buffer.from(key, "base64url").length), [65, 16]);
  hub.frames.length = 0;
  assert.equal(await push(subscription, { id: "n1", tag: "t1", title: "grüße <b>🎉</b>", body: "b", kind: "k", link: "/there", data: { a: [] } }), 201);
  await eventually(page, "it is shown", (all) => all.length === 1);
  assert.deepEqual(await shown(page), [{ title: "grüße <b>🎉</b>", body: "b", tag: "t1", dir: "auto", id: "n1", kind: "k", link: `${site.origin}/there`, data: { a: [] } }]);
  await until("the client looks whether it missed something", () => hub.frames.some(({ type }) => type === "ping"));
  assert.equal(await push(subscription, { id: "n1", tag: "t1", title: "again" }), 201);
  await eventually(page, "it is replaced", (all) => all.length === 1 && all[0].title === "again");
  assert.equal(await push(subscription, { id: "n2", tag: "t2", title: "x".repeat(3_900) }), 201);
  await eventually(page, "the longest", (all) => all.length === 2 && all.some(({ title }) => title.length === 200));
});

test("a tab that lost its connection without knowing is back with the push", { timeout: 120_000 }, async () => {
  hub.note();
  const page = await visit();
  const { subscription } = await subscribe(page);
  await page.evaluate(() => {
    globalThis.titles = [];
    document.querySelector("bellwire-bell").client.addEventListener("notification", ({ detail }) => titles.push(detail.title));
  });
  // The hub does not hear it any more, and it hears nothing, as behind a proxy that forgot the connection.
  for (const socket of hub.sockets) socket.removeAllListeners("message");
  const { id, title } = hub.note({ title: "missed" });
  assert.equal(await push(subscription, { id, tag: "t1", title }), 201);
  await page.until("it caught up", () => titles.includes("missed"), null, 15_000);
});

test("with every page of the site closed a push is shown; what is no notification of ours is not", { timeout: 120_000 }, async () => {
  const { subscription } = await subscribe(await visit());
  const before = service.acks.length;
  for (const page of pages.splice(0)) await page.close();
  for (const payload of ["{", "[]", "null", "hello", { title: "no id" }, { id: 1, tag: 1 }]) assert.equal(await push(subscription, payload), 201);
  assert.equal(await push(subscription, { id: "n1", tag: "t1", title: "closed", link: "javascript:alert(1)" }), 201);
  await until("the worker has taken all", () => service.acks.length === before + 7);
  const page = await visit();
  await eventually(page, "it is there", (all) => all.length === 1 && all[0].title === "closed" && all[0].link === undefined);
  assert.equal(await state(page), "subscribed");
});

test("another VAPID key: the next start subscribes anew, under the same device", { timeout: 120_000 }, async () => {
  const page = await visit();
  const { subscription } = await subscribe(page);
  const [name] = functions.devices.keys();
  const other = vapidKeys();
  assert.equal(await push(subscription, { id: "n", tag: "t", title: "T" }, other), 403);
  functions.key = other.publicKey;
  await page.evaluate(() => {
    const record = JSON.parse(localStorage.getItem("bellwire:push"));
    localStorage.setItem("bellwire:push", JSON.stringify({ ...record, checkedAt: 0 }));
  });
  await page.reload();
  await until("another address", () => device().subscription.endpoint !== subscription.endpoint);
  assert.deepEqual([...functions.devices.keys()], [name]);
  await until("the old one is gone", async () => (await push(subscription, {})) === 410);
  assert.equal(await push(device().subscription, { id: "n", tag: "t", title: "new key" }, other), 201);
  await opened(page);
  await eventually(page, "it is shown", ([one]) => one?.title === "new key");
});

test("a logout ends the subscription, and so does another user", { timeout: 120_000 }, async () => {
  const page = await visit();
  const { subscription } = await subscribe(page);
  await page.evaluate(() => document.querySelector("bellwire-bell").client.close({ everywhere: true }));
  await until("ended", async () => functions.devices.size === 0 && (await push(subscription, {})) === 410);
  await page.reload();
  await opened(page);
  const { subscription: second } = await subscribe(page);
  assert.notEqual(second.endpoint, subscription.endpoint);
  const bobs = await visit("bob");
  await until("ended", async () => (await push(second, {})) === 410);
  assert.equal(await state(bobs), "default");
});
