// The hook in real React, in Strict Mode, which mounts everything twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep, until } from "../support/stack.js";
import { browser, proxy, site, stack } from "../support/stack-suite.js";

async function render({ hub, functions }) {
  const { React, StrictMode, createElement, createRoot } = await import("react");
  const { useBellwire } = await import("/react.js");
  globalThis.clients = new Set();
  globalThis.renders = 0;
  const token = async (user) => (await fetch(`/token?user=${user}`)).text();
  const Bell = ({ user }) => {
    const { client, status, unread, notifications } = useBellwire({ hub, functions, user, shared: false, token: () => token(user) });
    clients.add(client);
    globalThis.renders++;
    globalThis.client = client;
    return createElement("p", null, `${user} ${status.state} ${unread}: ${notifications.map((n) => n.title).join(",")}`);
  };
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  globalThis.show = (user) => root.render(createElement(StrictMode, null, user && createElement(Bell, { user })));
  return React.version;
}

test("Strict Mode: one connection, live, another user by a prop, and none after the end", { timeout: 60_000 }, async () => {
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(site.origin + "/page");
  await page.evaluate(render, { hub: proxy.url, functions: stack.functionsUrl });
  await page.evaluate(() => show("rita"));
  const text = (wanted) => until(wanted, async () => (await page.textContent("p").catch(() => "")) === wanted);
  await text("rita open 0: ");
  assert.equal(proxy.open, 1);
  await stack.notify("rita", "one");
  await text("rita open 1: one");
  await stack.notify("rita", "two");
  await text("rita open 2: two,one");
  await page.evaluate(() => client.markRead(2));
  await text("rita open 0: two,one");
  const asked = site.asked;
  await page.evaluate(() => show("rita"));
  await sleep(300);
  assert.equal(site.asked, asked);
  await page.evaluate(() => show("ralf"));
  await text("ralf open 0: ");
  await stack.notify("rita", "three");
  await stack.notify("ralf", "his");
  await text("ralf open 1: his");
  await until("one connection", () => proxy.open === 1);
  await page.evaluate(() => show(null));
  await until("no connection", () => proxy.open === 0);
  assert.ok((await page.evaluate(() => renders)) < 60);
  assert.deepEqual(problems, []);
});
