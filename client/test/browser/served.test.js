// The client as the hub serves it: a page of another origin imports it, in real Chromium.
import assert from "node:assert/strict";
import { test } from "node:test";
import { token, until } from "../support/stack.js";
import { browser, site, stack } from "../support/stack-suite.js";

test("a module of the hub loads across origins, by its name and by its hash, and receives", { timeout: 60_000 }, async () => {
  const manifest = await (await fetch(`${stack.hubUrl}/assets/manifest.json`)).json();
  for (const [n, path] of ["/client.js", manifest["client.js"].path].entries()) {
    const user = `served${n}`;
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(site.origin + "/page");
    await page.evaluate(async ({ module, hub, functions, user, text }) => {
      const { Bellwire } = await import(module);
      globalThis.got = [];
      const client = (globalThis.client = new Bellwire({ hub, functions, user, token: () => text }));
      client.addEventListener("notification", ({ detail }) => got.push(detail.title));
      client.connect();
    }, { module: stack.hubUrl + path, hub: stack.hubUrl, functions: stack.functionsUrl, user, text: token(user) });
    await until("open", () => page.evaluate(() => client.state === "open"));
    await stack.notify(user, "x");
    await until("live", () => page.evaluate(() => got.includes("x")));
    assert.deepEqual(errors, []);
    await page.close();
  }
});

test("a script with `integrity` and `crossorigin` runs, and another hash is refused", { timeout: 60_000 }, async () => {
  const { path, integrity } = (await (await fetch(`${stack.hubUrl}/assets/manifest.json`)).json())["client.js"];
  const page = await browser.newPage();
  const load = async (integrity) => {
    // A new document: one remembers that a module did not load.
    await page.goto(site.origin + "/page");
    return page.evaluate(({ src, integrity }) => {
      const script = Object.assign(document.createElement("script"), { type: "module", crossOrigin: "anonymous", src, integrity });
      return new Promise((done) => {
        script.onload = () => done("loaded");
        script.onerror = () => done("refused");
        document.head.append(script);
      });
    }, { src: `${stack.hubUrl}${path}`, integrity });
  };
  assert.equal(await load(`sha384-${"A".repeat(64)}`), "refused");
  assert.equal(await load(integrity), "loaded");
});
