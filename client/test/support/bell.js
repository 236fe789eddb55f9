// Pages with a <bellwire-bell>, as a front-end developer writes them, and what a test wants to know of one.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { until } from "./stack.js";

/** Not in git: to be looked at. */
const PICTURES = new URL("../pictures", import.meta.url).pathname;

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let pages = 0;

/**
 * Opens a page; `attributes` are the bell's, `inside` its children, `scheme` the page's color-scheme.
 * `problems` collects errors of the page and breaches of its policy, which is as strict as one can be.
 */
export async function openBell(context, site, { hub, functions, user, attributes = {}, inside = "", html = 'lang="en"', scheme = "light", side = "end", more = "", policies = "'none'" }) {
  const all = { hub, functions, user, "token-src": `/token?user=${user}`, ...attributes };
  const text = Object.entries(all).filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => `${name}="${value}"`).join(" ");
  const path = `/bell${++pages}`;
  site.pages.set(path, {
    headers: {
      "content-security-policy": `default-src 'none'; script-src 'self'; connect-src 'self' ${hub} ${hub.replace("http", "ws")} ${functions}; require-trusted-types-for 'script'; trusted-types ${policies}`,
    },
    html: `<!doctype html><html ${html}><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="${scheme}"><title>Bell</title>
<script type="module" src="/bell.js"></script></head><body><main><h1>A page</h1><div align="${side === "end" ? "right" : "left"}"><button id="before">before</button>
<bellwire-bell ${text}>${inside}</bellwire-bell>
<a id="after" href="#after">after</a></div>${more}</main></body></html>`,
  });
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => {
    // What a test breaks on purpose is no problem of the page.
    if (message.type() === "error" && !/net::ERR_|status of|favicon|WebSocket connection/.test(message.text())) page.problems.push(message.text());
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  await page.goto(site.origin + path);
  await page.waitForFunction(() => document.querySelector("bellwire-bell")?.shadowRoot);
  return page;
}

/** Waits until the bell's button says so. */
export const says = (page, label, limitMs = 10_000) =>
  until(`the button says ${label}`, async () => (await page.getAttribute("bellwire-bell [part=bell]", "aria-label").catch(() => null)) === label, limitMs);

/** Titles of the articles, an asterisk before the unread. */
export const titles = (page) =>
  page.evaluate(() =>
    [...document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("article")].map(
      (article) => (article.part.contains("item-unread") ? "*" : "") + article.querySelector("bdi").textContent,
    ),
  );

export const listed = (page, wanted, limitMs = 10_000) =>
  until(`the list is ${wanted}`, async () => JSON.stringify(await titles(page)) === JSON.stringify(wanted), limitMs).catch(async (error) => {
    throw new Error(`${error.message}, not ${await titles(page)}`);
  });

/** Where the focus is: an id or a tag of the page, or inside the bell a part, a title or a label. */
export const focused = (page) =>
  page.evaluate(() => {
    const bell = document.querySelector("bellwire-bell");
    if (document.activeElement !== bell) return document.activeElement.id || document.activeElement.localName;
    const inner = bell.shadowRoot.activeElement;
    if (inner.localName === "article") return inner.querySelector("bdi").textContent;
    return inner.part.value || inner.getAttribute("aria-label") || inner.className;
  });

/** What axe finds, as `rule: element`; it does not know what colour a page without styles has behind its link. */
export async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ exclude: ["#after"] }, { resultTypes: ["violations"] }));
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${id}: ${target} ${any.map(({ message }) => message)}`));
}

/** Texts that the bell's status told, each when it began. */
export const listen = (page) =>
  page.evaluate(() => {
    globalThis.told = [];
    const status = document.querySelector("bellwire-bell").shadowRoot.querySelector("[role=status]");
    new MutationObserver(() => status.textContent && told.push({ text: status.textContent, at: performance.now() })).observe(status, { childList: true });
  });

export const isOpen = (page) => page.evaluate(() => document.querySelector("bellwire-bell").matches(":state(open)"));

export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  // Without the pulse of a transition.
  await page.waitForTimeout(250);
  const path = join(PICTURES, `${name}.png`);
  await page.screenshot({ path });
  return path;
}
