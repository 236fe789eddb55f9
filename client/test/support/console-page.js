// Opens the console in a browser, and notes what must never happen: errors, violations of its policy, requests elsewhere.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { until } from "./stack.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** `origins`: where it may send requests to. */
export async function openConsole(context, address, { token, view = "", origins = [] } = {}) {
  const page = await context.newPage();
  const seen = { errors: [], violations: [], elsewhere: [] };
  const allowed = [new URL(address).origin, ...origins.map((url) => new URL(url).origin)];
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("dialog", (dialog) => {
    seen.errors.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && !allowed.includes(url.origin)) seen.elsewhere.push(request.url());
  });
  await page.exposeFunction("noteViolation", (text) => seen.violations.push(text));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => globalThis.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
  const fragment = token ? `#token=${token}${view && `&/${view}`}` : view && `#/${view}`;
  await page.goto(address + fragment);
  return Object.assign(page, { seen });
}

/** Nothing went wrong behind the scenes. */
export function clean(page) {
  assert.deepEqual(page.seen, { errors: [], violations: [], elsewhere: [] });
}

export const sees = (page, text, limitMs = 20_000) =>
  page.locator("body").getByText(text).filter({ visible: true }).first().waitFor({ timeout: limitMs });

export const verdictOf = (page) => page.locator(".verdict").innerText();

export const verdictSays = (page, pattern, limitMs = 20_000) => until(`verdict says ${pattern}`, async () => pattern.test(await verdictOf(page).catch(() => "")), limitMs);

/** What axe finds in WCAG 2.2 A and AA and its best practices. The policy forbids scripts of the page, not of the browser. */
export async function axe(page) {
  await page.evaluate(readFileSync(AXE, "utf8"));
  const found = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ["violations"] })).violations);
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
}

/** As if the tab went to the background, or came back. */
export const setHidden = (page, hidden) =>
  page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
