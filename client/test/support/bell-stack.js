// What the bell's test files with the real hub and functions share, beside stack-suite.js: for each test a user and a
// window. After each test the pages must have had no error and broken no policy, and left no connection.
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { listed, openBell, says } from "./bell.js";
import { until } from "./stack.js";
import { browser, proxy, site, stack } from "./stack-suite.js";

export { proxy, site, stack };
export let user;
let context, pages;
let users = 0;
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

export const bell = "bellwire-bell";
/** A page of the user's, in the test's window. */
export async function open(options) {
  const page = await openBell(context, site, { hub: proxy.url, functions: stack.functionsUrl, user, ...options });
  pages.push(page);
  return page;
}
export const press = (page) => page.click(`${bell} [part=bell]`);
export const label = (n) => (n ? `${n} unread notification${n === 1 ? "" : "s"}` : "Notifications");
export const notify = (more) => stack.call("POST", "/notifications", { userId: user, ...more });
export async function fill(...names) {
  for (const title of names) await notify({ title });
}
/** Both the count and the list of a page. */
export async function shows(page, wanted) {
  await listed(page, wanted);
  await says(page, label(wanted.filter((title) => title.startsWith("*")).length));
}

/** Another user from here on; returns the one before. */
export function changeUser() {
  const previous = user;
  user = `${user}b`;
  return previous;
}
