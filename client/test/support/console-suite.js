// What the console's test files share: a browser for the file; for each test a hub that does what it is told, and a
// window. Of dist/, or with CONSOLE_SOURCES=1 of the sources. With the real hub: console-stack.test.js.
import { after, afterEach, before, beforeEach } from "node:test";
import { launch } from "./chromium.js";
import { openConsole } from "./console-page.js";
import { consoleToken, startFakeConsole } from "./fake-console.js";

/** Each view, and what of a dressed scene stands in it when all its answers are there. */
export const SHOWN = {
  "now": ["Redis heard"], "trouble": ["Refused connections"], "user?id=alice": ["● online", "Your order has shipped"],
  "queues?queue=mail&campaign=spring": ["images:resize", "550 mailbox unavailable", /of 100,000 processed/, /59,210 sent/],
  "cache": ["profile/{userId}", "Redis: memory"], "health": ["takes writes", "Redis: memory", "hub-b81c"],
};
export const VIEWS = Object.keys(SHOWN);
export const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

export let fake, context;
let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());
beforeEach(async () => {
  fake = await startFakeConsole({ dist: !process.env.CONSOLE_SOURCES });
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
