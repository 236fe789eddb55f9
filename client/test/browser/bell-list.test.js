// The list of <bellwire-bell> in real Chromium on the real hub and functions: by keyboard alone, with hostile
// notifications, page after page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { focused, isOpen, listed, says, titles } from "../support/bell.js";
import { bell, fill, label, notify, open, press, shows, stack, user } from "../support/bell-stack.js";
import { redis, sleep, until } from "../support/stack.js";

test("the keyboard alone: open, go through, read all, delete, follow, close; the focus after each step", { timeout: 120_000 }, async () => {
  await fill("one", "two", "three", "four");
  const page = await open({ more: '<p id="x">x</p>' });
  await notify({ title: "five", data: { link: `${new URL(page.url()).pathname}#there` } });
  await says(page, label(5));
  const step = async (keys, where) => {
    await page.keyboard.press(keys);
    await until(`${keys}: the focus is at ${where}`, async () => (await focused(page)) === where).catch(async (error) => {
      throw new Error(`${error.message}, not ${await focused(page)}`);
    });
  };
  await page.focus("#before");
  await step("Tab", "bell");
  assert.equal(await page.getAttribute(`${bell} [part=bell]`, "aria-expanded"), "false");
  await step("Enter", "panel");
  assert.equal(await page.getAttribute(`${bell} [part=bell]`, "aria-expanded"), "true");
  await listed(page, ["*five", "*four", "*three", "*two", "*one"]);
  await step("Tab", "read-all");
  await step("Tab", "five");
  await step("PageDown", "four");
  await step("ArrowDown", "three");
  await step("PageUp", "four");
  await step("Control+End", "one");
  await step("PageDown", "one");
  await step("Control+Home", "read-all");
  await step("Tab", "one");
  await step("Tab", "Delete: one");
  await step("Enter", "two");
  await listed(page, ["*five", "*four", "*three", "*two"]);
  await step("PageUp", "three");
  await step("Delete", "two");
  await listed(page, ["*five", "*four", "*two"]);
  await step("Enter", "two");
  await shows(page, ["*five", "*four", "two"]);
  await step("Shift+Tab", "read-all");
  await step("Space", "read-all");
  await shows(page, ["five", "four", "two"]);
  await step("Escape", "bell");
  assert.equal(await isOpen(page), false);
  // A new page of the same bell: from the panel a step further is out of it, and it closes.
  await step("Space", "panel");
  await step("Tab", "read-all");
  await step("Tab", "two");
  await step("Tab", "Delete: two");
  await step("Tab", "after");
  assert.equal(await isOpen(page), false);
  await step("Shift+Tab", "bell");
  await step("Enter", "panel");
  await step("PageDown", "five");
  await step("Enter", "bell");
  assert.ok(page.url().endsWith("#there"), page.url());
  assert.equal(await isOpen(page), false);
  await step("Enter", "panel");
  while ((await titles(page)).length > 1) await page.keyboard.press("PageDown"), await page.keyboard.press("Delete"), await sleep(50);
  await page.keyboard.press("Delete");
  await until("the last one is gone", async () => (await titles(page)).length === 0);
  assert.equal(await focused(page), "panel", "nothing is left to have it");
});

test("hostile notifications are text: nothing runs, nothing leads anywhere but to http, https and the site", { timeout: 120_000 }, async () => {
  const evil = ['<img src=x onerror="pwned=1">', "<script>pwned=1</script>", '"><svg onload=pwned=1>', "{{constructor.constructor('pwned=1')()}}", "${pwned=1}", "</article></div>\u202e\u2066x", "a\u0001b", "👩‍👩‍👧‍👦 𝒳"];
  const links = ["javascript:pwned=1", " JavaScript:pwned=1", "java\tscript:pwned=1", "data:text/html,<script>pwned=1</script>", "//evil.example/x", "vbscript:x", { toString: 1 }, ["javascript:pwned=1"], 7, null];
  for (const text of evil) await notify({ title: text, body: text, kind: "x", data: { link: "javascript:pwned=1", text, __proto__x: text } });
  for (const link of links) await notify({ title: "link", kind: "<b>", data: { link, url: link, href: link } });
  // Entries of other services, of any shape.
  for (const n of [{ title: { a: 1 }, id: "<i>" }, { id: 7, title: null, body: ["x"] }, { createdAt: "never", title: evil[0] }, { createdAt: "2026-01-01T00:00:00Z", data: { link: "javascript:pwned=1" }, body: evil[1] }])
    await redis(stack.redisPort, "LPUSH", `notifications:${user}`, JSON.stringify({ userId: user, ...n }));
  const page = await open({ attributes: { toasts: "" } });
  await page.evaluate(() => (globalThis.pwned = 0));
  await until("the page is connected", () => page.evaluate(() => document.querySelector("bellwire-bell").client?.state === "open"));
  await notify({ title: evil[0], body: evil[1], data: { link: "javascript:pwned=1" } });
  await page.locator(`${bell} [part=toast]`).waitFor();
  await press(page);
  const count = evil.length + links.length + 5;
  await until("more", async () => {
    await page.evaluate(() => document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=more]").click());
    return (await titles(page)).length === count;
  });
  const seen = await page.evaluate(() => {
    const { shadowRoot: root } = document.querySelector("bellwire-bell");
    return {
      elements: [...new Set([...root.querySelectorAll("article *")].map(({ localName }) => localName))].sort(),
      handlers: [...root.querySelectorAll("*")].filter((node) => [...node.attributes].some(({ name }) => name.startsWith("on"))).length,
      links: [...root.querySelectorAll("a")].map(({ href }) => href),
      texts: [...root.querySelectorAll("bdi")].map((bdi) => bdi.textContent),
    };
  });
  assert.deepEqual(seen.elements, ["a", "bdi", "button", "div", "path", "span", "svg", "time"]);
  assert.equal(seen.handlers, 0);
  assert.deepEqual(seen.links, ["http://evil.example/x"]);
  for (const text of evil) assert.ok(seen.texts.includes(text), text);
  // What the page itself gives goes through the same filter; each item is pressed once.
  await page.evaluate(() => (document.querySelector("bellwire-bell").toHref = () => "javascript:pwned=1"));
  await page.evaluate(() => {
    for (const title of document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("article .title")) title.click();
  });
  assert.equal(await page.evaluate(() => pwned), 0);
  assert.equal(await page.locator(`${bell} article a`).count(), 0);
});

test("older entries: by the button, with the focus on the first of them, and by themselves near the end", { timeout: 120_000 }, async () => {
  const many = Array.from({ length: 70 }, (_, n) => ({ userId: user, title: `t${n + 1}` }));
  await stack.call("POST", "/notifications/batch", { notifications: many });
  const page = await open();
  await says(page, label(70));
  await press(page);
  await until("the first page", async () => (await titles(page)).length === 20);
  assert.equal(await page.getAttribute(`${bell} article`, "aria-setsize"), "-1");
  await page.evaluate(() => document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=more]").click());
  await until("the second page", async () => (await titles(page)).length === 40);
  assert.equal(await focused(page), "t50");
  await page.evaluate(() => document.querySelector("bellwire-bell").shadowRoot.querySelector(".scroll").scrollTo(0, 1e6));
  await until("the third page", async () => (await titles(page)).length === 60);
  await page.keyboard.press("Control+End");
  await until("the last page", async () => (await titles(page)).length === 70);
  assert.deepEqual(await titles(page), many.map(({ title }) => `*${title}`).reverse());
  const places = await page.evaluate(() => [...document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("article")].map((a) => `${a.ariaPosInSet}/${a.ariaSetSize}`));
  assert.deepEqual([places[0], places[69]], ["1/70", "70/70"]);
  assert.equal(await page.locator(`${bell} [part=more]`).isVisible(), false);
});
