// Debian's Firefox ESR by WebDriver BiDi: playwright-core asks it for commands that it does not have yet.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { sleep } from "./stack.js";

const PATHS = [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"];
const START_MS = 90_000;
const COMMAND_MS = 30_000;

/** It talks to nobody but the test: no updates, no studies, no telemetry. */
const PREFS = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.systemAddon.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "http://127.0.0.1:1/",
};

/** Starts it with a fresh profile. `prefs`: more of its settings. */
export async function launchFirefox(prefs = {}) {
  const home = mkdtempSync(join(tmpdir(), "bellwire-firefox-"));
  const lines = Object.entries({ ...PREFS, ...prefs }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  writeFileSync(join(home, "user.js"), lines.join(""));
  const program = PATHS.find((path) => path && existsSync(path));
  if (!program) throw new Error("Firefox is missing: scripts/install-deps firefox");
  const child = spawn(program, ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", home], {
    env: { PATH: process.env.PATH, HOME: home, LANG: "C.UTF-8", MOZ_CRASHREPORTER_DISABLE: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((done) => child.once("exit", done));
  const clean = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const firefox = await connect(await address(child));
    return { ...firefox, stop: clean };
  } catch (error) {
    await clean();
    throw error;
  }
}

function address(child) {
  return new Promise((done, fail) => {
    let text = "";
    const timer = setTimeout(() => fail(new Error(`Firefox did not start: ${text}`)), START_MS);
    child.once("exit", (code) => fail(new Error(`Firefox ended with ${code}: ${text}`)));
    child.stderr.on("data", (data) => {
      text = (text + data).slice(-10_000);
      const url = /WebDriver BiDi listening on (ws:\S+)/.exec(text)?.[1];
      if (!url) return;
      clearTimeout(timer);
      done(`${url}/session`);
    });
  });
}

async function connect(url) {
  const socket = new WebSocket(url);
  await new Promise((done, fail) => socket.once("open", done).once("error", fail));
  const waiting = new Map();
  let ids = 0;
  socket.on("error", () => {});
  socket.on("message", (data) => {
    const { id, type, result, error, message } = JSON.parse(data);
    const { done, fail } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (type === "error") fail?.(new Error(`${error}: ${message}`));
    else done?.(result);
  });
  const send = (method, params) =>
    new Promise((done, fail) => {
      const id = ++ids;
      const timer = setTimeout(() => fail(new Error(`${method}: no answer`)), COMMAND_MS);
      const end = (use) => (value) => {
        clearTimeout(timer);
        use(value);
      };
      waiting.set(id, { done: end(done), fail: end(fail) });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await send("session.new", { capabilities: {} });
  return {
    send,
    /** A new window: when the last tab of one is closed, Firefox finds no place for the next. */
    async open(url) {
      const { context } = await send("browsingContext.create", { type: "window" });
      const page = tab(send, context);
      await page.goto(url);
      return page;
    },
  };
}

function tab(send, context) {
  const page = {
    context,
    goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
    reload: () => send("browsingContext.reload", { context, wait: "complete" }),
    activate: () => send("browsingContext.activate", { context }),
    close: () => send("browsingContext.close", { context }),
    /** Runs a function in the page, as after a click if `byHand`; what it gives must be JSON. */
    async evaluate(run, argument, byHand = false) {
      const { type, result, exceptionDetails } = await send("script.callFunction", {
        functionDeclaration: `async (text) => JSON.stringify(await (${run})(JSON.parse(text)))`,
        arguments: [{ type: "string", value: JSON.stringify(argument ?? null) }],
        target: { context },
        awaitPromise: true,
        userActivation: byHand,
      });
      if (type === "exception") throw new Error(exceptionDetails.text);
      return result.type === "string" ? JSON.parse(result.value) : undefined;
    },
    /** A real click at the middle of what a function in the page finds. */
    async click(find) {
      const { x, y } = await page.evaluate(`() => {
        const { left, top, width, height } = (${find})().getBoundingClientRect();
        return { x: Math.round(left + width / 2), y: Math.round(top + height / 2) };
      }`);
      const actions = [{ type: "pointerMove", x, y }, { type: "pointerDown", button: 0 }, { type: "pointerUp", button: 0 }];
      await send("input.performActions", { context, actions: [{ type: "pointer", id: "mouse", actions }] });
    },
    async until(what, run, argument, limitMs = 20_000) {
      for (const end = Date.now() + limitMs; ; await sleep(50)) {
        const value = await page.evaluate(run, argument);
        if (value) return value;
        if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
      }
    },
  };
  return page;
}
