// What the bell loads when: nothing of the panel before the pointer or the focus comes to it, and a first click that
// works while the module is on its way, when it does not come, and when it comes at last.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { axe, focused, isOpen, listen, picture, says, titles } from "../support/bell.js";
import { anew, bell, context, hub, inside, page, visit } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

let loaded, answer;
beforeEach(async () => {
  for (let n = 0; n < 3; n++) hub.note();
  await anew({ viewport: { width: 800, height: 600 } });
  loaded = [];
  answer = (route) => route.continue();
  await context.route(/\.js(\?|$)/, (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    loaded.push(name);
    return name === "bell-panel.js" ? answer(route) : route.continue();
  });
});

const count = (name) => loaded.filter((one) => one === name).length;
async function show(attributes = {}) {
  await visit({ attributes });
  await says(page, "3 unread notifications");
}

test("a page loads nothing of the panel until the pointer or the focus is on the bell; its button never moves", async () => {
  await show();
  // What moves when the element is defined, a page prevents: README.md says how.
  await page.evaluate(() => {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifts += value; }).observe({ type: "layout-shift" });
  });
  await until("the feed's module", () => count("feed.js"));
  assert.deepEqual([count("bell-panel.js"), count("list.js")], [0, 0]);
  const box = await inside("[part=bell]").boundingBox();
  assert.deepEqual([box.width, box.height], [40, 40]);
  await page.hover(`${bell} [part=bell]`);
  await until("the panel's module", () => count("bell-panel.js") === 1 && count("list.js") === 1);
  await page.click(`${bell} [part=bell]`);
  await until("articles", async () => (await titles(page)).length === 3);
  assert.deepEqual(await inside("[part=bell]").boundingBox(), box);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await page.evaluate(() => shifts), 0);
  assert.equal(count("bell-panel.js"), 1);
});

test("by the keyboard: the focus loads it", async () => {
  await show();
  await page.focus("#before");
  await page.keyboard.press("Tab");
  await until("the panel's module", () => count("bell-panel.js") === 1);
  assert.equal(await focused(page), "bell");
});

test("the first click opens a dialog with the focus in it while the module is on its way; the list fills it in place", async () => {
  let go;
  answer = (route) => (go = () => route.continue());
  await show();
  await page.click(`${bell} [part=bell]`);
  await until("asked for", () => go);
  assert.equal(await isOpen(page), true);
  assert.equal(await focused(page), "panel");
  const dialog = inside("[part=panel]");
  assert.deepEqual([await dialog.getAttribute("aria-label"), await dialog.getAttribute("aria-busy")], ["Notifications", "true"]);
  assert.equal(await inside("[part=status]").isVisible(), false);
  assert.deepEqual(await axe(page), []);
  await picture(page, "panel-loading");
  const edges = async () => { const { x, y, width } = await dialog.boundingBox(); const heading = await inside("h2").boundingBox(); return [x, y, width, heading.x, heading.y]; };
  const before = await edges();
  go();
  await until("articles", async () => (await titles(page)).length === 3);
  assert.deepEqual(await edges(), before);
  assert.equal(await focused(page), "panel");
  assert.equal(await dialog.getAttribute("aria-busy"), "false");
  await page.keyboard.press("PageDown");
  assert.equal(await focused(page), "t3");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "bell");
});

test("a module that does not load: said, told, an error of the page, closable; the retry works", async () => {
  answer = (route) => route.abort();
  await show();
  await listen(page);
  await page.evaluate(() => {
    globalThis.errors = [];
    document.querySelector("bellwire-bell").addEventListener("error", ({ detail }) => errors.push(detail.code));
  });
  await page.click(`${bell} [part=bell]`);
  const status = inside("[part=status]");
  await until("said", async () => (await status.textContent()) === "Notifications could not be loaded.Try again");
  await until("told", () => page.evaluate(() => told.some(({ text }) => text === "Notifications could not be loaded.")));
  await until("an error event", () => page.evaluate(() => errors.includes("network")));
  assert.ok(await inside("[part=status] button").isVisible());
  assert.deepEqual(await page.evaluate(() => errors), ["network"]);
  assert.deepEqual(await axe(page), []);
  await picture(page, "panel-missing");
  // The badge goes on, and Escape closes.
  hub.publish({ title: "four" });
  await says(page, "4 unread notifications");
  await page.keyboard.press("Escape");
  assert.deepEqual([await isOpen(page), await focused(page)], [false, "bell"]);
  await page.keyboard.press("Enter");
  await until("said again", () => inside("[part=status] button").isVisible());
  answer = (route) => route.continue();
  await page.click(`${bell} [part=status] button`);
  await until("articles", async () => (await titles(page)).length === 4);
  assert.equal(await status.isVisible(), false);
  assert.equal(await focused(page), "panel", "the focus did not fall out of it");
});

test("a module that does not load while the hub is away comes with the hub", async () => {
  answer = (route) => route.abort();
  await show();
  await page.click(`${bell} [part=bell]`);
  await until("said", () => inside("[part=status] button").isVisible());
  answer = (route) => route.continue();
  hub.drop();
  await until("articles", async () => (await titles(page)).length === 3);
  assert.equal(await inside("[part=status]").isVisible(), false);
});

test("a toast whose module is on its way shows when it is there, unless the bell is another user's by then", async () => {
  let go;
  answer = (route) => (go = () => route.continue());
  await show({ toasts: "" });
  hub.publish({ title: "for alice" });
  await until("asked for", () => go);
  await page.evaluate(() => {
    const host = document.querySelector("bellwire-bell");
    host.setAttribute("user", "bob");
    host.setAttribute("token-src", "/token?user=bob");
  });
  await until("bob's connection", () => hub.requests.filter((request) => request.startsWith("WS")).length >= 2);
  go();
  await until("loaded", () => count("list.js") === 1);
  await until("bob is connected", () => page.evaluate(() => document.querySelector("bellwire-bell").client?.state === "open"));
  hub.publish({ title: "for bob" });
  await until("a toast", async () => (await inside("[part=toast]").count()) === 1);
  assert.equal(await inside("[part=toast] bdi").first().textContent(), "for bob");
});

test("what arrives is drawn once before the next picture, and writes only the places of the others", async () => {
  await show();
  await page.click(`${bell} [part=bell]`);
  await until("articles", async () => (await titles(page)).length === 3);
  await page.evaluate(() => {
    globalThis.frames = [];
    globalThis.requestAnimationFrame = (draw) => frames.push(draw);
    globalThis.written = new MutationObserver(() => {});
    globalThis.list = document.querySelector("bellwire-bell").shadowRoot.querySelector("[role=feed]");
    written.observe(list, { attributes: true, characterData: true, childList: true, subtree: true });
  });
  for (let n = 0; n < 20; n++) hub.publish();
  await until("all came", () => page.evaluate(() => document.querySelector("bellwire-bell").client.unread === 23));
  assert.deepEqual([await page.evaluate(() => frames.length), (await titles(page)).length], [1, 3]);
  const touched = await page.evaluate(() => {
    frames[0]();
    const records = written.takeRecords();
    const inside = records.filter(({ target }) => target !== list);
    return { added: records.flatMap(({ addedNodes }) => [...addedNodes]).length, inside: [...new Set(inside.map(({ attributeName }) => attributeName))] };
  });
  assert.deepEqual(touched, { added: 20, inside: ["aria-posinset", "aria-setsize"] });
  assert.equal((await titles(page)).length, 23);
  await says(page, "23 unread notifications");
  // Without a frame: what the user does. Its answer, which draws once more, never comes.
  await page.route(/notifications\/0190/, () => {});
  await page.focus(`${bell} article`);
  await page.keyboard.press("Delete");
  assert.deepEqual([await page.evaluate(() => frames.length), (await titles(page)).length, await focused(page)], [1, 22, "t22"]);
});
