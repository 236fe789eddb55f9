// The service worker, from its sources and from dist/, in a scope of its own: what it shows, opens and tells.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

const FILES = ["push-worker.js", "dist/push-worker.js"].map((name) => [name, readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")]);

/** A worker's scope. `site`: lines of a worker that imports ours. */
function start(text, { address = "https://site.example/push-worker.js", tabs = [], site = "" } = {}) {
  const listeners = {}, shown = [], told = [], opened = [], focused = [], subscribed = [];
  const globals = createContext({
    location: new URL(address),
    URL,
    addEventListener: (type, run) => (listeners[type] ??= []).push(run),
    BroadcastChannel: class {
      constructor(name) { this.name = name; }
      postMessage(message) { told.push([this.name, JSON.parse(JSON.stringify(message))]); }
      close() {}
    },
    registration: {
      showNotification: async (title, options) => void shown.push({ title, ...JSON.parse(JSON.stringify(options)) }),
      pushManager: { subscribe: async (options) => void subscribed.push(options) },
    },
    clients: {
      matchAll: async (which) => (which.type === "window" && which.includeUncontrolled ? tabs.map((url) => ({ url, focus: async () => {
        if (url.includes("stubborn")) throw new Error("no");
        focused.push(url);
      } })) : []),
      openWindow: async (url) => void opened.push(url),
    },
  });
  runInContext(site + text, globals);
  const fire = async (type, event) => {
    const waits = [];
    for (const run of listeners[type] ?? []) run({ waitUntil: (wait) => waits.push(wait), ...event });
    await Promise.all(waits);
  };
  const scope = {
    globals, listeners, shown, told, opened, focused, subscribed, fire,
    push: (payload) => fire("push", { data: payload === undefined ? null : { json: () => JSON.parse(typeof payload === "string" ? payload : JSON.stringify(payload)) } }),
    async click(link, more = {}) {
      let closed = false;
      await fire("notificationclick", { notification: { data: { bellwire: { id: "n1", link, ...more } }, close: () => (closed = true) } });
      return closed;
    },
  };
  return scope;
}

const PAYLOAD = { id: "n1", tag: "t1", title: "Invoice paid", body: "€ 12", kind: "invoice.paid", link: "/invoices/1", data: { n: 1 } };

for (const [name, text] of FILES) {
  test(`${name}: a push is shown with its tag and data, and open tabs hear of it`, async () => {
    const worker = start(text);
    await worker.push(PAYLOAD);
    assert.deepEqual(worker.shown, [{
      title: "Invoice paid", body: "€ 12", tag: "t1", dir: "auto", lang: "",
      data: { bellwire: { id: "n1", kind: "invoice.paid", link: "https://site.example/invoices/1", data: { n: 1 } } },
    }]);
    assert.deepEqual(worker.told, [["bellwire:push", { type: "push", id: "n1" }]]);
  });

  test(`${name}: it listens to pushes, clicks and changes, and to nothing that a site's own worker does`, () => {
    assert.deepEqual(Object.keys(start(text).listeners).sort(), ["notificationclick", "push", "pushsubscriptionchange"]);
  });

  test(`${name}: it leaves the importing worker's names alone, and what that receives from others`, async () => {
    const names = [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => `const ${letter} = 1;`).join("");
    const worker = start(text, { site: `${names} const show = 1, open = 1, tell = 1;\n` });
    for (const payload of [undefined, "", "hello", "[]", "null", "7", { title: "x" }, { id: "n1" }, { id: 1, tag: 2 }, { id: "", tag: "" }]) await worker.push(payload);
    await worker.fire("notificationclick", { notification: { data: null, close: () => assert.fail("another's") } });
    await worker.fire("notificationclick", { notification: { data: { url: "https://evil.example" }, close: () => assert.fail("another's") } });
    assert.deepEqual([worker.shown, worker.told, worker.opened], [[], [], []]);
  });

  test(`${name}: whatever is in a payload, it is text, and leads to the site or by https`, async () => {
    const worker = start(text);
    const links = [
      "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "blob:https://site.example/x", "file:///etc/passwd", "http://other.example/",
      " javascript:alert(1)", "\tjavascript:alert(1)", "\\\\evil", "invoices", "", 7, null, {}, ["/x"], "https://", "//[", "view-source:https://x",
    ];
    for (const link of links) await worker.push({ ...PAYLOAD, link });
    assert.deepEqual(worker.shown.map(({ data }) => data.bellwire.link), links.map(() => undefined));
    worker.shown.length = 0;
    await worker.push({ id: "n1", tag: "t".repeat(500), title: { toString: "x" }, body: ["<img src=x onerror=alert(1)>"], dir: "rtl", icon: "https://evil.example/x.png", actions: [{}], data: "x" });
    assert.deepEqual(worker.shown, [{ title: "site.example", body: "", tag: "t".repeat(64), dir: "auto", lang: "", data: { bellwire: { id: "n1", data: "x" } } }]);
    worker.shown.length = 0;
    await worker.push({ ...PAYLOAD, title: "<b>x</b>".repeat(100), body: "y".repeat(5_000), lang: "ar" });
    const [{ title, body, lang }] = worker.shown;
    assert.deepEqual([title, body.length, lang], ["<b>x</b>".repeat(25), 1_000, "ar"]);
  });

  test(`${name}: the link is the payload's, or that of its data`, async () => {
    const worker = start(text);
    const leads = async (more) => {
      worker.shown.length = 0;
      await worker.push({ id: "n", tag: "t", title: "T", ...more });
      return worker.shown[0].data.bellwire.link;
    };
    assert.equal(await leads({ link: "/a", data: { link: "/b" } }), "https://site.example/a");
    assert.equal(await leads({ data: { link: "/b" } }), "https://site.example/b");
    assert.equal(await leads({ data: { url: "https://other.example/c?d#e" } }), "https://other.example/c?d#e");
    assert.equal(await leads({ data: { href: "//other.example" } }), "https://other.example/");
    assert.equal(await leads({}), undefined);
  });

  test(`${name}: a click focuses the tab that shows the page, or opens the link`, async () => {
    const worker = start(text, { tabs: ["https://site.example/a", "https://site.example/b"] });
    assert.equal(await worker.click("https://site.example/b"), true);
    await worker.click("https://site.example/c");
    await worker.click("https://other.example/");
    await worker.click(undefined);
    assert.deepEqual([worker.focused, worker.opened], [["https://site.example/b", "https://site.example/a"], ["https://site.example/c", "https://other.example/"]]);
    const alone = start(text, { tabs: ["https://site.example/stubborn"] });
    await alone.click("https://site.example/stubborn");
    await alone.click(undefined);
    assert.deepEqual(alone.opened, ["https://site.example/stubborn", "/"]);
    const empty = start(text);
    await empty.click("javascript:alert(1)");
    await empty.click("http://other.example/");
    assert.deepEqual(empty.opened, ["/", "/"]);
  });

  test(`${name}: the worker's address may name pictures, of the site only`, async () => {
    const worker = start(text, { address: "https://site.example/push-worker.js?icon=/i.png&badge=https://evil.example/b.png" });
    await worker.push(PAYLOAD);
    assert.deepEqual([worker.shown[0].icon, worker.shown[0].badge], ["https://site.example/i.png", undefined]);
  });

  test(`${name}: a changed subscription is renewed, and open tabs hear of it`, async () => {
    const worker = start(text);
    await worker.fire("pushsubscriptionchange", { oldSubscription: { options: { userVisibleOnly: true } }, newSubscription: null });
    assert.deepEqual([worker.subscribed, worker.told], [[{ userVisibleOnly: true }], [["bellwire:push", { type: "change" }]]]);
    await worker.fire("pushsubscriptionchange", { newSubscription: {} });
    await worker.fire("pushsubscriptionchange", {});
    assert.deepEqual([worker.subscribed.length, worker.told.length], [1, 3]);
  });
}
