// Push in the bell, in real Chromium: the offer, the browser's question, the switches, the service worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, focused, isOpen, listen, picture } from "../support/bell.js";
import { again, fake, gear, isShown, offer, press, push, show, words } from "../support/bell-push-suite.js";
import { bell, context, hub, inside, page, site } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

test("it never asks by itself; a click on the offer does, at once, and the device is written", { timeout: 60_000 }, async () => {
  await show();
  assert.deepEqual(push.calls, [], "before the panel is opened nothing is asked for");
  await press();
  await inside(offer).waitFor();
  assert.equal((await fake()).asked, 0);
  await listen(page);
  await words("Turn on").click();
  await until("subscribed", () => push.devices.size === 1);
  await until("the offer is gone", async () => !(await isShown(offer)));
  assert.equal(await focused(page), "Push notifications", "the focus is where the switches are");
  const { asked, active, held } = await fake();
  assert.deepEqual([asked, active], [1, true]);
  const [{ kind, locale, subscription }] = push.devices.values();
  assert.deepEqual([kind, locale, subscription.endpoint], ["webpush", "en", held.endpoint]);
  await until("told", () => page.evaluate(() => told.some(({ text }) => text === "Push notifications are on.")));
  await again();
  await press();
  await until("its state is known", () => isShown(gear));
  assert.equal(await isShown(offer), false);
  assert.equal(push.devices.size, 1);
});

test("a no is remembered, and the switches can still turn it on and off", { timeout: 60_000 }, async () => {
  await show();
  await press();
  await words("Not now").click();
  await until("the offer is gone", async () => !(await isShown(offer)));
  assert.equal(await focused(page), "Push notifications");
  await again();
  await press();
  await until("its state is known", () => isShown(gear));
  assert.deepEqual([await isShown(offer), (await fake()).asked], [false, 0]);
  await inside(gear).click();
  const here = page.getByLabel("In this browser");
  await here.check();
  await until("subscribed", () => push.devices.size === 1);
  await here.uncheck();
  await until("unsubscribed", () => push.devices.size === 0);
  await again();
  await press();
  await until("its state is known", () => isShown(gear));
  assert.equal(await isShown(offer), false, "who turned it off is not asked again");
});

test("the browser's question: dismissed it is a no, refused it is said", { timeout: 60_000 }, async () => {
  await show({ fake: { answer: "default" } });
  await press();
  await words("Turn on").click();
  await until("the offer is gone", async () => !(await isShown(offer)));
  await again();
  await press();
  await until("its state is known", () => isShown(gear));
  assert.equal(await isShown(offer), false);
  await page.evaluate(() => change({ answer: "denied" }));
  await inside(gear).click();
  await page.getByLabel("In this browser").click();
  await words("Blocked in the browser").waitFor();
  const here = page.getByLabel("In this browser");
  assert.deepEqual([await here.isChecked(), await here.isDisabled()], [false, true]);
  await picture(page, "push-denied");
  assert.deepEqual(await axe(page), []);
});

test("preferences: a pause on all devices, and quiet hours; what else is in them stays", { timeout: 60_000 }, async () => {
  push.preferences.set("alice", { kinds: { invoice: { push: false } } });
  await show();
  await press();
  await inside(gear).click();
  const paused = page.getByLabel("Pause on all my devices");
  await until("read", () => paused.isEnabled());
  assert.equal(await paused.isChecked(), false);
  await paused.check();
  const kept = () => push.preferences.get("alice");
  await until("off", () => kept().push === false);
  await page.getByLabel("Quiet hours").check();
  const timeZone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  await until("at night", () => kept().quietHours);
  assert.deepEqual(kept(), { kinds: { invoice: { push: false } }, push: false, quietHours: { from: "22:00", to: "07:00", timeZone } });
  await page.getByLabel("From").fill("21:30");
  await until("earlier", () => kept().quietHours.from === "21:30");
  // No hours at all.
  await page.getByLabel("To").fill("21:30");
  await until("refused here", async () => (await page.getByLabel("To").getAttribute("aria-invalid")) === "true");
  assert.equal(kept().quietHours.to, "07:00");
  await page.getByLabel("To").fill("06:15");
  await until("later", () => kept().quietHours.to === "06:15");
  await again();
  await press();
  await inside(gear).click();
  await until("read", () => page.getByLabel("Pause on all my devices").isEnabled());
  assert.deepEqual([await page.getByLabel("Pause on all my devices").isChecked(), await page.getByLabel("From").inputValue(), await page.getByLabel("To").inputValue()], [true, "21:30", "06:15"]);
  await page.getByLabel("Quiet hours").uncheck();
  await until("none", () => !kept().quietHours);
  push.refuse = (method) => (method === "PUT" ? [503, { code: "record_unavailable", status: 503 }] : undefined);
  // Not `uncheck`, which fails when the answer has put the mark back already.
  await page.getByLabel("Pause on all my devices").click();
  await words("That did not work.").waitFor();
  assert.equal(await page.getByLabel("Pause on all my devices").isChecked(), true, "it shows what is kept");
});

test("by keyboard: offer, switches and list, and Escape gives the focus back", { timeout: 60_000 }, async () => {
  await show();
  await page.focus("#before");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await inside(offer).waitFor();
  const way = [];
  for (let n = 0; n < 4; n++) {
    await page.keyboard.press("Tab");
    way.push(await focused(page));
  }
  assert.deepEqual(way, ["read-all", "Push notifications", "yes", "text"]);
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "Push notifications");
  await page.keyboard.press("Enter");
  await until("read", () => page.getByLabel("Quiet hours").isEnabled());
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await until("quiet", () => push.preferences.get("alice")?.quietHours);
  await page.keyboard.press("Tab");
  // A time is the field's own: arrows do not leave it for the list.
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.getByLabel("From").evaluate((field) => field.getRootNode().activeElement === field), true);
  await until("23:00", () => push.preferences.get("alice").quietHours.from === "23:00");
  await page.keyboard.press("Escape");
  await until("closed", async () => !(await isOpen(page)));
  assert.equal(await focused(page), "bell");
});

test("no offer where there can be none: no attribute, no worker configured, no service", { timeout: 60_000 }, async () => {
  await show({ attributes: { push: null } });
  await press();
  await page.waitForTimeout(300);
  assert.deepEqual([push.calls, await page.locator(`${bell} ${offer}`).count()], [[], 0]);
  push.key = null;
  await show();
  await press();
  await until("asked", () => push.calls.includes("GET /push/key"));
  await page.waitForTimeout(300);
  assert.deepEqual([await isShown(offer), await isShown(gear)], [false, false]);
  push.key = "AAAA";
  await show({ fake: { fails: true } });
  await press();
  await words("Turn on").click();
  await words("That did not work.").waitFor();
  await picture(page, "push-failed");
  assert.deepEqual(await axe(page), []);
});

test("another user in the same profile: the old subscription ends, and the offer is theirs", { timeout: 60_000 }, async () => {
  await show();
  await press();
  await words("Turn on").click();
  await until("subscribed", () => push.devices.size === 1);
  await again({ user: "bob" });
  await until("ended", async () => (await fake()).held === null);
  await press();
  await inside(offer).waitFor();
});

test("a page without the policy `bellwire` is told, and nothing else happens", { timeout: 60_000 }, async () => {
  await show({ policies: "'none'" });
  await press();
  await words("Turn on").click();
  await words("That did not work.").waitFor();
  assert.equal(push.devices.size, 0);
  const violated = await page.evaluate(() => violations.splice(0).map((text) => text.split(" ")[0]));
  assert.ok(violated.every((name) => /trusted-types/.test(name)) && violated.length, violated.join());
  page.problems.length = 0;
});

test("the worker in Chromium: a push is shown, replaced by its tag, and told to the open tab", { timeout: 60_000 }, async () => {
  await show();
  await context.grantPermissions(["notifications"], { origin: site.origin });
  await press();
  await words("Turn on").click();
  await until("subscribed", () => push.devices.size === 1);
  const cdp = await context.newCDPSession(page);
  const registrations = [];
  cdp.on("ServiceWorker.workerRegistrationUpdated", (event) => registrations.push(...event.registrations));
  await cdp.send("ServiceWorker.enable");
  const { registrationId } = await until("the worker", () => registrations.find(({ scopeURL }) => scopeURL.endsWith("/push-worker.js")));
  const deliver = (data) => cdp.send("ServiceWorker.deliverPushMessage", { origin: site.origin, registrationId, data: typeof data === "string" ? data : JSON.stringify(data) });
  const shown = () =>
    page.evaluate(async () => {
      const [registration] = await navigator.serviceWorker.getRegistrations();
      return (await registration.getNotifications()).map(({ title, body, tag, dir, data }) => ({ title, body, tag, dir, ...data.bellwire }));
    });
  hub.frames.length = 0;
  await deliver({ id: "n1", tag: "t1", title: "<b>Paid</b>", link: "/there", data: { a: [] } });
  await until("shown", async () => (await shown()).length === 1);
  await until("the client looks", () => hub.frames.some(({ type }) => type === "ping"));
  await deliver({ id: "n1", tag: "t1", title: "Paid twice", body: "b" });
  await until("replaced", async () => (await shown())[0].title === "Paid twice");
  await deliver("{");
  await deliver({ id: "n2", tag: "t2", title: "Other", link: "javascript:alert(1)" });
  await until("two", async () => (await shown()).length === 2);
  assert.deepEqual((await shown()).map(({ title, tag, dir, link }) => [title, tag, dir, link]).sort(), [["Other", "t2", "auto", undefined], ["Paid twice", "t1", "auto", undefined]]);
});
