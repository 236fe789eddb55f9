// What the bell tells by itself, in real Chromium against a fake hub that can be made to refuse: toasts, the status,
// what has failed. Pictures go to test/pictures/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, focused, isOpen, listed, listen, picture, says, titles } from "../support/bell.js";
import { FEED, bell, connected, fill, hub, inside, page, press, show } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

test("toasts: three at most, focus stays where it was, they wait while looked at, Escape and the cross dismiss them", { timeout: 120_000 }, async () => {
  await show({ attributes: { toasts: "" } });
  await connected();
  await page.clock.install();
  await page.focus("#before");
  const shown = () => page.evaluate(() => [...document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("[part=toast] bdi:first-of-type")].map((bdi) => bdi.textContent));
  const toasts = (wanted) => until(`toasts ${wanted}`, async () => JSON.stringify(await shown()) === JSON.stringify(wanted));
  for (const title of ["a", "b", "c", "d"]) hub.publish({ title });
  await toasts(["b", "c", "d"]);
  assert.equal(await focused(page), "before");
  await page.hover(`${bell} [part=toast]`);
  await page.clock.runFor(20_000);
  await toasts(["b", "c", "d"]);
  await page.click(`${bell} [part=toast] button[aria-label=Dismiss]`);
  await toasts(["c", "d"]);
  // The focus is on the next cross now: keys go on from there.
  assert.equal(await focused(page), "Dismiss");
  await page.keyboard.press("Escape");
  await toasts(["d"]);
  await page.keyboard.press("Escape");
  await toasts([]);
  assert.equal(await focused(page), "bell");
  await page.mouse.move(10, 10);
  hub.publish({ title: "e" });
  await toasts(["e"]);
  await page.clock.runFor(9_000);
  await toasts([]);
  await press();
  hub.publish({ title: "f" });
  await until("the list has it", async () => (await titles(page))[0] === "*f");
  assert.deepEqual(await shown(), [], "none while the panel is open");
});

test("the status tells one text in five seconds, with the number of what came", { timeout: 120_000 }, async () => {
  await show();
  await connected();
  await listen(page);
  hub.publish({ title: "first" });
  await until("told", () => page.evaluate(() => told.length === 1));
  for (const title of ["second", "third", "fourth"]) hub.publish({ title });
  await until("told the rest", () => page.evaluate(() => told.length === 2));
  const told = await page.evaluate(() => globalThis.told);
  assert.deepEqual(told.map(({ text }) => text), ["1 new notification: first", "3 new notifications"]);
  assert.ok(told[1].at - told[0].at > 4_900, `${told[1].at - told[0].at} ms`);
});

test("a delete that is refused comes back, and it is said; one that works is gone at once", async () => {
  fill();
  await show();
  await press();
  await until("articles", async () => (await titles(page)).length === FEED.length);
  const before = await titles(page);
  let refuse;
  await page.route(/notifications\/0190/, async (route) => {
    if (route.request().method() !== "DELETE") return route.continue();
    await new Promise((done) => (refuse = done));
    await route.fulfill({ status: 403, headers: { "access-control-allow-origin": "*" }, json: { code: "forbidden", title: "no" } });
  });
  const errors = page.evaluate(() => new Promise((done) => document.querySelector("bellwire-bell").addEventListener("error", ({ detail }) => done(detail.code))));
  await page.keyboard.press("PageDown");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("Delete");
  await listed(page, before.toSpliced(1, 1));
  assert.equal(await focused(page), FEED.at(-3)[0], "focus is at the next one");
  await until("asked", () => refuse);
  refuse();
  await listed(page, before);
  assert.equal(await errors, "forbidden");
  assert.equal(await inside("[part=status]").textContent(), "That did not work.Try again");
  assert.equal(await inside("[part=status] button").isVisible(), false);
  await page.unroute(/notifications\/0190/);
  await page.keyboard.press("Delete");
  await listed(page, before.toSpliced(2, 1));
  await until("it is quiet again", () => inside("[part=status]").isHidden());
});

test("a feed that cannot be read: said, with a retry that works; a token that is refused for good, too", { timeout: 120_000 }, async () => {
  fill();
  hub.refuse = (request) => (request.method === "GET" && request.url.startsWith("/users/") ? 403 : undefined);
  await show();
  await says(page, "3 unread notifications");
  // Half a minute until it tries again by itself.
  await page.evaluate(() => (Math.random = () => 60));
  await press();
  await until("said", async () => (await inside("[part=status]").textContent()).startsWith("Notifications could not be loaded."));
  assert.deepEqual(await axe(page), []);
  await picture(page, "failed");
  hub.refuse = () => undefined;
  await page.click(`${bell} [part=status] button`);
  await until("articles", async () => (await titles(page)).length === FEED.length);
  await until("quiet", () => inside("[part=status]").isHidden());
  hub.close(4403, "forbidden");
  await until("said", async () => (await inside("[part=status]").textContent()).startsWith("Not connected."));
  await page.click(`${bell} [part=status] button`);
  await until("connected again", () => inside("[part=status]").isHidden());
  assert.equal(await isOpen(page), true);
  assert.equal(await focused(page), "panel", "focus did not fall out of it");
});
