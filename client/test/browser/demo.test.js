// The demo page of `make up` in real Chromium: what is sent to one user reaches that user's bell and no other.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launch } from "../support/chromium.js";
import { startStack, until } from "../support/stack.js";

const PHONE = { width: 360, height: 740 };

let stack, browser, page, problems;
before(async () => {
  stack = await startStack({ demo: true });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});
beforeEach(async () => {
  page = await browser.newPage();
  problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("requestfailed", (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("request", (request) => request.url().includes("//127.0.0.1:") || request.url().startsWith("data:") || problems.push(`asks ${request.url()}`));
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(`${stack.hubUrl}/demo`);
  for (const user of ["alice", "bob"]) await until(`${user} is connected`, async () => (await say(user, "state")) === "open");
});
afterEach(async () => {
  assert.deepEqual([...problems, ...(await page.evaluate(() => violations))], []);
  // Every test starts with nothing unread.
  for (const user of ["alice", "bob"]) await stack.call("DELETE", `/users/${user}`);
  await page.close();
});

const say = (user, name) => page.locator(`#${user} [data-of=${name}]`).textContent();
const unread = (user) => page.evaluate((user) => document.querySelector(`#${user} bellwire-bell`).client.unread, user);
const badge = (user) => page.locator(`#${user} bellwire-bell [part~=badge]`).textContent();
const scenario = (name, run) => test(name, { timeout: 60_000 }, run);

scenario("sent to alice: her bell counts 1, bob's 0", async () => {
  await page.getByRole("textbox", { name: "Title" }).fill("Hello <b>alice</b>");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await until("alice's bell counts", async () => (await unread("alice")) === 1 && (await badge("alice")).trim() === "1");
  assert.equal(await say("alice", "received"), "1");
  assert.match(await say("alice", "latency"), /^[\d.]+ ms$/);
  await until("bob's bell counts, though he has no feed yet", async () => (await unread("bob")) === 0);
  assert.equal(await say("bob", "received"), "0");
  await until("the line is complete", async () =>
    /Hello <b>alice<\/b> → alice.*201 after [\d.]+ ms; 1 of 1 arrived, on screen/s.test(await page.getByRole("log").textContent()));
});

scenario("a burst to both arrives at both", async () => {
  await page.getByRole("radio", { name: "Both" }).check();
  await page.getByRole("button", { name: "A burst of 20" }).click();
  await until("all arrived", async () => (await page.getByRole("log").textContent()).includes("40 of 40 arrived"));
  for (const user of ["alice", "bob"]) {
    assert.equal(await say(user, "received"), "20");
    await until(`${user}'s bell counts`, async () => (await unread(user)) === 20);
  }
});

scenario("each user's toasts are in a corner of their own, on a desktop and on a phone", async () => {
  await page.getByRole("radio", { name: "Both" }).check();
  for (const viewport of [{ width: 1280, height: 800 }, PHONE]) {
    await page.setViewportSize(viewport);
    await page.getByRole("button", { name: "A burst of 20" }).click();
    const corners = () => page.evaluate(() => ["alice", "bob"].map((user) => {
      const toasts = document.querySelector(`#${user} bellwire-bell`).shadowRoot.querySelector(".toasts");
      // They come with the panel's module.
      if (!toasts) return { count: 0 };
      const { left, right, top, bottom } = toasts.getBoundingClientRect();
      return { count: toasts.childElementCount, left, right, top, bottom };
    }));
    await until("both have toasts", async () => (await corners()).every(({ count }) => count === 3));
    const [alice, bob] = await corners();
    assert.ok(alice.right <= bob.left || alice.bottom <= bob.top, JSON.stringify([viewport, alice, bob]));
    for (const { left, right, top, bottom } of [alice, bob])
      assert.ok(left >= 0 && top >= 0 && right <= viewport.width && bottom <= viewport.height, JSON.stringify([viewport, alice, bob]));
    await until("the burst is over", async () => (await page.getByRole("log").textContent()).includes("40 of 40 arrived"));
  }
});

scenario("the two lines are what the page itself uses", async () => {
  const lines = (await page.locator("pre code").textContent()).split("\n");
  assert.equal(lines[0], `<script type="module" src="${stack.hubUrl}/bell.js"></script>`);
  assert.match(lines[1], /^<bellwire-bell hub="[^"]+" functions="[^"]+" user="alice" token-src="\/demo\/token\/alice"><\/bellwire-bell>$/);
  assert.equal(lines.length, 2);
  await page.getByRole("button", { name: "Copy" }).click();
  await until("it says so", async () => /Copied|Selected/.test(await page.locator(".snippet [role=status]").textContent()));
});

scenario("it fits a phone: nothing sticks out sideways, in light and dark", async () => {
  await page.setViewportSize(PHONE);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { scrollWidth, clientWidth } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scrollWidth, clientWidth };
    });
    assert.ok(scrollWidth <= clientWidth, `${scrollWidth} > ${clientWidth}`);
  }
});
