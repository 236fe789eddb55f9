// The modules touch nothing when they are imported: a server renders with them, a worker and Node run them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const run = (code) =>
  execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: new URL("../..", import.meta.url), encoding: "utf8", timeout: 20_000 });

test("import and construction under SSR: no window, no document, no timer that keeps the process", () => {
  const code = `
    for (const name of ["window", "document", "navigator", "localStorage", "location", "BroadcastChannel", "WebSocket"])
      Object.defineProperty(globalThis, name, { get() { throw new Error("touched " + name); }, configurable: true });
    for (const name of ["setTimeout", "setInterval", "fetch", "addEventListener"])
      Object.defineProperty(globalThis, name, { get() { throw new Error("touched " + name); }, configurable: true });
    const { Bellwire } = await import("./client.js");
    await import("./api.js");
    await import("./list.js");
    await import("./push.js");
    await import("./react.js");
    const { BellwireBell } = await import("./bell.js");
    if (typeof BellwireBell !== "function") throw new Error("no bell");
    console.log(typeof Bellwire);`;
  assert.equal(run(code).trim(), "function");
});

test("a component renders on a server, and connects to nothing", () => {
  const code = `
    import { createElement } from "react";
    import { renderToString } from "react-dom/server";
    import { useBellwire } from "./react.js";
    const Bell = () => {
      const { status, unread, notifications } = useBellwire({ hub: "http://hub", functions: "http://f", user: "u", token: () => { throw new Error("asked"); } });
      return createElement("p", null, status.state, " ", String(unread), " ", notifications.length);
    };
    console.log(renderToString(createElement(Bell)).replace(/<!-- -->/g, ""));`;
  assert.equal(run(code).trim(), "<p>idle null 0</p>");
});

test("the package has no dependencies, and its modules import only each other and react", async () => {
  const { readdirSync, readFileSync } = await import("node:fs");
  const home = new URL("../../", import.meta.url);
  assert.equal(JSON.parse(readFileSync(new URL("package.json", home))).dependencies, undefined);
  const all = [...readdirSync(home), ...readdirSync(new URL("bell/", home)).map((name) => `bell/${name}`)];
  for (const file of all.filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(new URL(file, home), "utf8");
    for (const [, from] of text.matchAll(/^(?:import|export) .* from "([^"]+)";/gm)) assert.match(from, file === "react.js" ? /^(\.\/\w+\.js|react)$/ : /^\.\.?\/(bell\/)?[\w-]+\.js$/, file);
  }
});
