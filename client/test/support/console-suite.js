// What the console's test files share: a browser for the file; for each test a hub that does what it is told, and a
// window. With the real hub: console-stack.test.js.
import { after, afterEach, before, beforeEach } from "node:test";
import { launch } from "./chromium.js";
import { openConsole } from "./console-page.js";
import { consoleToken, startFakeConsole } from "./fake-console.js";

export const VIEWS = ["now", "trouble", "user?id=alice", "queues?queue=mail&campaign=spring", "cache", "health"];
export const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

export let fake, context;
let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());
beforeEach(async () => {
  fake = await startFakeConsole({ dist: Boolean(process.env.CONSOLE_DIST) });
  await anew({ viewport: DESKTOP });
});
afterEach(async () => {
  await context.close();
  await fake.stop();
});

/** Another window in place of the one there is. */
export async function anew(options) {
  await context?.close();
  context = await browser.newContext(options);
}

export const open = (view, { scope, token = consoleToken(scope) } = {}) => openConsole(context, fake.page, { token, view });
export const goTo = (page, view) => page.evaluate((hash) => (location.hash = hash), `#/${view}`);
export const writes = () => fake.requests.filter(({ method }) => method !== "GET");
export const button = (page, name) => page.getByRole("button", { name });
export const dialog = (page) => page.getByRole("dialog");
