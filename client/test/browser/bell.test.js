// <bellwire-bell> in real Chromium on the real hub and functions, in pages whose policy allows nothing that is not
// needed: live in two tabs, moved about, with the hub away, by the page's own client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isOpen, listed, says, titles } from "../support/bell.js";
import { bell, changeUser, fill, label, notify, open, press, proxy, shows, site, stack, user } from "../support/bell-stack.js";
import { sleep, until } from "../support/stack.js";

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
  const first = changeUser();
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
