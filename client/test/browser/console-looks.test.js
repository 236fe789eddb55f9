// The console for everybody: axe in light and dark, phone and desktop, keyboard, addresses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, clean, openConsole, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { PHONE, SHOWN, VIEWS, anew, button, context, fake, goTo, open } from "../support/console-suite.js";
import { quiet } from "../support/fake-console.js";
import { until } from "../support/stack.js";

test("the address carries view, user and queue: links, back and forward work", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await page.getByRole("link", { name: "Queues" }).click();
  await page.getByRole("link", { name: "mail" }).click();
  await sees(page, "550 mailbox unavailable");
  assert.equal(new URL(page.url()).hash, "#/queues?queue=mail");
  assert.equal(await page.title(), "Queues, campaigns – Bellwire console");
  await page.goBack();
  await page.goBack();
  await sees(page, "Your order has shipped");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "readers are told of the new view");
  await page.goForward();
  await sees(page, "images:resize");
  await page.evaluate(() => (location.hash = "#/nothing?<script>"));
  await sees(page, "Redis heard");
  clean(page);
});

for (const [scheme, viewport] of [["light", undefined], ["dark", undefined], ["light", PHONE], ["dark", PHONE]]) {
  test(`axe finds nothing: ${scheme}, ${viewport ? "phone" : "desktop"}; nothing is wider than the page`, async () => {
    await anew({ colorScheme: scheme, ...(viewport && { viewport }) });
    dress(fake);
    fake.next = (at) => ({ ...quiet(at), closes: { 4408: 2, 1011: 1 }, refusals: { "forbidden/origin": 1 }, gaps: 1 });
    const gate = await openConsole(context, fake.page);
    await sees(gate, "Paste a token");
    assert.deepEqual(await axe(gate), []);
    await gate.close();
    const page = await open("now");
    for (const view of VIEWS) {
      await goTo(page, view);
      for (const text of SHOWN[view]) await sees(page, text);
      assert.deepEqual(await axe(page), [], view);
      const [wide, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= window_, `${view}: ${wide} of ${window_}`);
    }
    await page.evaluate(() => (location.hash = "#/cache"));
    await button(page, "Invalidate a tag").click();
    assert.deepEqual(await axe(page), [], "a question");
    await page.keyboard.press("Escape");
    await button(page, /^Token/).click();
    assert.deepEqual(await axe(page), [], "the token");
    clean(page);
  });
}

test("by keyboard: skip the navigation, choose a view, open a queue, put a letter back, close what was told", async () => {
  dress(fake);
  const page = await open("now");
  await sees(page, "● Live");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const tabTo = async (pattern, limit = 40) => {
    for (let n = 0; n < limit; n++) {
      await page.keyboard.press("Tab");
      if (pattern.test(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent))) return;
    }
    assert.fail(`not reached: ${pattern}`);
  };
  await page.evaluate(() => document.querySelector("nav a").focus());
  await tabTo(/^Queues/);
  await page.keyboard.press("Enter");
  await sees(page, "images:resize");
  await tabTo(/^mail$/);
  await page.keyboard.press("Enter");
  await sees(page, "550 mailbox unavailable");
  await tabTo(/^Choose/);
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await sees(page, "Put dead letters back?");
  await page.keyboard.press("Enter");
  await sees(page, /Put 1 message of/);
  await tabTo(/^Close this message/, 120);
  await page.keyboard.press("Enter");
  await until("closed", async () => !(await page.locator(".told").isVisible()));
  clean(page);
});

test("on a phone the views are in a menu that Escape closes", async () => {
  await anew({ viewport: PHONE, hasTouch: true });
  dress(fake);
  const page = await open("now");
  await sees(page, "● Live");
  const menu = button(page, "Menu");
  assert.equal(await page.getByRole("link", { name: "Trouble", exact: false }).filter({ visible: true }).count() > 1, false);
  await menu.tap();
  assert.equal(await menu.getAttribute("aria-expanded"), "true");
  await page.keyboard.press("Escape");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "☰ Menu");
  await menu.tap();
  await page.getByRole("navigation").getByRole("link", { name: "Health" }).tap();
  await sees(page, "What answers");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
  await sees(page, /one of 3/);
  clean(page);
});
