// What the bell's test files with a fake hub share, beside site-suite.js: for each test a hub that can be made to
// refuse, and one page at a time. After each test the page must have had no error and broken no policy.
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { openBell } from "./bell.js";
import { fakeToken, startFakeHub } from "./fake-hub.js";
import { browser, site } from "./site-suite.js";
import { until } from "./stack.js";

export const DESKTOP = { viewport: { width: 1000, height: 720 } };
export const PHONE = { viewport: { width: 375, height: 667 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const HOUR_MS = 3_600_000;
/** Title, text, age in hours, whether it is read. */
export const FEED = [
  ["Password changed", null, 960, true],
  ["You were added to Project Aurora", "Lena gave you write access", 216, true],
  ["Your export has finished", "customers.csv, 48,210 rows", 72, true],
  ["Weekly report is ready", null, 26, true],
  ["Build failed on main", "3 of 412 tests failed after 6 min 12 s", 0.9, false],
  ["Payment received", "€ 1,240.00 from Nordwind GmbH for invoice 2025-118", 0.25, false],
  ["Minh commented on your pull request", "“Looks good. Could we keep the old key names until the migration is done?”", 0.04, false],
];

export { site };
export let hub, context, page;
beforeEach(async () => {
  site.token = (user) => fakeToken(user);
  hub = await startFakeHub();
});
afterEach(async () => {
  try {
    if (page && !page.isClosed()) assert.deepEqual([page.problems, await page.evaluate(() => violations)], [[], []]);
  } finally {
    await context?.close();
    await hub.stop();
  }
});

export function fill(feed = FEED) {
  for (const [title, body, hours, isRead] of feed)
    hub.note({ title, ...(body && { body }), createdAt: new Date(Date.now() - hours * HOUR_MS).toISOString(), ...(isRead && { readAt: "2026-01-01T00:00:00Z" }), ...(!isRead && { data: { link: "/there" } }) });
}
/** Another window in place of the one there is. */
export async function anew(of = DESKTOP) {
  await context?.close();
  context = await browser.newContext(of);
}
/** Alice's page, in the window that there is. */
export async function visit(options) {
  page = await openBell(context, site, { hub: hub.url, functions: hub.url, user: "alice", ...options });
  return page;
}
/** The same in a new window. */
export async function show(options = {}, of = DESKTOP) {
  await anew(of);
  return visit(options);
}

export const bell = "bellwire-bell";
export const press = () => page.click(`${bell} [part=bell]`);
export const inside = (selector) => page.locator(`${bell} ${selector}`);
/** Only then what the hub publishes arrives: the button also says "Notifications" before. */
export const connected = () => until("it is connected", () => page.evaluate(() => document.querySelector("bellwire-bell").client?.state === "open"));
