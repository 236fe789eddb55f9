// <bellwire-bell> in real Chromium on the real hub and functions, in pages whose policy allows nothing that is not
// needed: live in two tabs, by keyboard alone, with hostile notifications, moved about, with the hub away.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { focused, isOpen, listed, openBell, says, titles } from "../support/bell.js";
import { launch } from "../support/chromium.js";
import { startProxy } from "../support/proxy.js";
import { startSite } from "../support/site.js";
import { redis, sleep, startStack, until } from "../support/stack.js";

let site, stack, browser, proxy, context, user, pages;
let users = 0;
before(async () => {
  site = await startSite();
  stack = await startStack({ origins: [site.origin] });
  proxy = await startProxy(stack.hubPort);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await proxy?.stop();
  await stack?.stop();
  site?.stop();
});
beforeEach(async () => {
  user = `bell${++users}`;
  context = await browser.newContext({ viewport: { width: 900, height: 700 } });
  pages = [];
});
afterEach(async () => {
  try {
    for (const page of pages) if (!page.isClosed()) assert.deepEqual([page.problems, await page.evaluate(() => violations)], [[], []]);
  } finally {
    await context.close();
    await until("no connection is left", () => proxy.open === 0);
  }
});

const bell = "bellwire-bell";
async function open(options) {
  const page = await openBell(context, site, { hub: proxy.url, functions: stack.functionsUrl, user, ...options });
  pages.push(page);
  return page;
}
const press = (page) => page.click(`${bell} [part=bell]`);
const label = (n) => (n ? `${n} unread notification${n === 1 ? "" : "s"}` : "Notifications");
const notify = (more) => stack.call("POST", "/notifications", { userId: user, ...more });
async function fill(...names) {
  for (const title of names) await notify({ title });
}
/** Both the count and the list of a page. */
async function shows(page, wanted) {
  await listed(page, wanted);
  await says(page, label(wanted.filter((title) => title.startsWith("*")).length));
}

test("two tabs, one socket: what arrives, is read or deleted in one is so in the other", { timeout: 120_000 }, async () => {
  await fill("one");
  const [a, b] = [await open(), await open()];
  for (const page of [a, b]) await says(page, label(1));
  for (const page of [a, b]) await press(page);
  await fill("two", "three");
  for (const page of [a, b]) await shows(page, ["*three", "*two", "*one"]);
  assert.equal(proxy.open, 1);
  await a.click(`${bell} article:nth-of-type(2)`);
  for (const page of [a, b]) await shows(page, ["*three", "two", "*one"]);
  await b.hover(`${bell} article:nth-of-type(1)`);
  await b.click(`${bell} article:nth-of-type(1) button[title=Delete]`);
  for (const page of [a, b]) await shows(page, ["two", "*one"]);
  await a.click(`${bell} [part=read-all]`);
  for (const page of [a, b]) await shows(page, ["two", "one"]);
  assert.deepEqual((await stack.feed(user)).notifications.map((n) => [n.title, Boolean(n.readAt)]), [["two", true], ["one", true]]);
  assert.equal(await a.getAttribute(`${bell} [part=read-all]`, "aria-disabled"), "true");
});

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

test("moved in the page it keeps its connection; removed it closes it; another user's bell shows nothing of the first", { timeout: 120_000 }, async () => {
  await fill("mine");
  const page = await open();
  await says(page, label(1));
  await press(page);
  await listed(page, ["*mine"]);
  const [asked, sockets] = [site.asked, []];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.evaluate(() => {
    globalThis.host = document.querySelector("bellwire-bell");
    for (let n = 0; n < 3; n++) document.body.append(host), document.querySelector("main").prepend(host);
  });
  await sleep(300);
  assert.deepEqual([proxy.open, site.asked, sockets], [1, asked, []]);
  assert.equal(await isOpen(page), false, "a popover that is taken out is closed");
  assert.equal(await page.getAttribute(`${bell} [part=bell]`, "aria-expanded"), "false");
  await fill("live");
  await says(page, label(2));
  const first = user;
  user = `${user}b`;
  await fill("other");
  await press(page);
  await page.evaluate((user) => {
    host.setAttribute("user", user);
    host.setAttribute("token-src", `/token?user=${user}`);
  }, user);
  await until("the first one's are gone", async () => (await titles(page)).every((title) => title === "*other"));
  await says(page, label(1));
  await press(page);
  await listed(page, ["*other"]);
  await stack.notify(first, "not for this one");
  await until("one connection", () => proxy.open === 1);
  assert.equal(sockets.length, 1);
  await page.evaluate(() => host.remove());
  await until("no connection", () => proxy.open === 0);
  await page.evaluate(() => document.body.append(host));
  await says(page, label(1));
  assert.deepEqual(await titles(page), []);
});

test("the hub is killed: the bell says so, goes on with what the functions have, and is right when it is back", { timeout: 120_000 }, async () => {
  await fill("one");
  const page = await open();
  await says(page, label(1));
  await press(page);
  await listed(page, ["*one"]);
  await stack.hub.end("SIGKILL");
  const isOffline = () => page.evaluate(() => document.querySelector("bellwire-bell").matches(":state(offline)"));
  await until("offline", isOffline);
  await until("said", async () => (await page.textContent(`${bell} [part=status]`)).startsWith("Not connected. Retrying…"));
  await page.click(`${bell} article`);
  await listed(page, ["one"]);
  await fill("while away");
  await stack.hub.start();
  await until("online", async () => !(await isOffline()), 40_000);
  await shows(page, ["*while away", "one"]);
  assert.equal(await page.locator(`${bell} [part=status]`).isVisible(), false);
});

test("the page's own client, its router, its token, and what was set before the module came", { timeout: 120_000 }, async () => {
  await notify({ title: "one", data: { href: "/away" } });
  const page = await open({ attributes: { "token-src": null } });
  await sleep(300);
  assert.equal(proxy.open, 0, "without a token there is nothing to connect with");
  const events = await page.evaluateHandle(() => {
    const events = [];
    const host = document.querySelector("bellwire-bell");
    for (const type of ["open", "close", "select", "notification", "read"])
      host.addEventListener(type, (event) => {
        events.push([type, event.detail?.href ?? event.detail?.title ?? event.detail?.ids?.length ?? null]);
        if (type === "select" || event.detail?.title === "quiet") event.preventDefault();
      });
    host.toggleAttribute("toasts", true);
    host.token = () => fetch(`/token?user=${host.getAttribute("user")}`).then((answer) => answer.text());
    return events;
  });
  await says(page, label(1));
  await notify({ title: "quiet" });
  await notify({ title: "loud" });
  await page.locator(`${bell} [part=toast]`).waitFor();
  assert.equal(await page.locator(`${bell} [part=toast]`).count(), 1, "a prevented notification makes no toast");
  await press(page);
  await listed(page, ["*loud", "*quiet", "*one"]);
  const before = page.url();
  await page.click(`${bell} article:nth-of-type(3)`);
  await says(page, label(2));
  assert.equal(page.url(), before, "the page's router takes it");
  const away = `${site.origin}/away`;
  await until("told of the mark", async () => (await events.jsonValue()).some(([type]) => type === "read"));
  // `read` may repeat: what this tab has done, and what the hub says of it.
  const once = (await events.jsonValue()).filter((event, n, all) => JSON.stringify(event) !== JSON.stringify(all[n - 1]));
  assert.deepEqual(once, [["notification", "quiet"], ["notification", "loud"], ["open", null], ["select", away], ["close", null], ["read", 1]]);
  await page.evaluate(async () => {
    const { Bellwire } = await import("/client.js");
    const host = document.querySelector("bellwire-bell");
    globalThis.client = new Bellwire({ hub: host.getAttribute("hub"), functions: host.getAttribute("functions"), user: host.getAttribute("user"), token: host.token });
    host.client = client;
    client.connect();
  });
  await says(page, label(2));
  await until("one connection", () => proxy.open === 1);
  await page.evaluate(() => document.querySelector("bellwire-bell").remove());
  await sleep(300);
  assert.equal(await page.evaluate(() => client.state), "open", "the page closes its own client");
  await page.evaluate(() => {
    client.close();
    // An element that was written before the module ran has plain properties.
    const host = document.createElement("bellwire-bell");
    Object.defineProperty(host, "texts", { value: { title: "Early" }, configurable: true, writable: true, enumerable: true });
    document.body.append(host);
  });
  await says(page, "Early");
});
