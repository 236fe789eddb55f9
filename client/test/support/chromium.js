// Debian's Chromium, and pages that keep a list as an application would.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { until } from "./stack.js";

const PATHS = [
  process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export function launch() {
  const executablePath = PATHS.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("Chromium is missing: scripts/install-deps chromium");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
}

/** A tab with a client and its list; `page.got`: titles as they came in. */
export async function openTab(context, { site, hub, functions, user = "alice", options = {}, prepare = async (_page) => {} }) {
  const page = await context.newPage();
  await prepare(page);
  page.on("pageerror", (error) => console.error("page error:", error.message));
  await page.goto(site.origin + "/page");
  await page.evaluate(startClient, { hub, functions, user, options });
  return page;
}

async function startClient({ hub, functions, user, options }) {
  const { Bellwire } = await import("/client.js");
  const { List } = await import("/list.js");
  const token = async () => {
    const answer = await fetch(`/token?user=${user}`);
    if (!answer.ok) throw new Error(`token: ${answer.status}`);
    return answer.text();
  };
  const client = new Bellwire({ hub, functions, user, token, ...options });
  const got = [], states = [], errors = [], gaps = [];
  client.addEventListener("notification", ({ detail }) => got.push(detail.title));
  client.addEventListener("statechange", ({ detail }) => states.push({ ...detail, at: Date.now() }));
  client.addEventListener("error", ({ detail }) => errors.push(detail.code));
  client.addEventListener("gap", ({ detail }) => gaps.push(detail.reason));
  const list = new List(client, { limit: 100 });
  Object.assign(globalThis, { client, list, got, states, errors, gaps, Bellwire });
  client.connect();
}

/** What a tab shows, as texts to compare. */
export const shown = (page) =>
  page.evaluate(() => ({
    state: client.state,
    unread: client.unread,
    list: list.entries.slice(0, 100).map((n) => `${n.id} ${n.title} ${n.readAt ? "read" : "unread"}`).join("\n"),
  }));

/** What the feed over HTTP is, in the same form. */
export async function truth(stack, user = "alice") {
  const { notifications, unread } = await stack.feed(user);
  return { state: "open", unread, list: notifications.map((n) => `${n.id} ${n.title} ${n.readAt ? "read" : "unread"}`).join("\n") };
}

/** Lines that one of the lists lacks. */
function difference(seen, right) {
  const [a, b] = [seen.split("\n"), right.split("\n")];
  const lacks = b.filter((line) => !a.includes(line)).map((line) => `lacks ${line}`);
  const more = a.filter((line, n) => !b.includes(line) || a.indexOf(line) !== n).map((line) => `has ${line}`);
  return [...lacks, ...more, ...(lacks.length + more.length || seen === right ? [] : ["another order"])];
}

/**
 * Waits until every tab shows the feed. The limit is what a busy machine may take; how long it does take on an idle one,
 * bench/recovery.js measures.
 */
export async function settled(stack, pages, { user = "alice", limitMs = 20_000 } = {}) {
  let last;
  await until("every tab shows the feed", async () => {
    const right = JSON.stringify(await truth(stack, user));
    last = await Promise.all(pages.map(shown));
    return last.every((seen) => JSON.stringify(seen) === right);
  }, limitMs).catch(async (error) => {
    const right = await truth(stack, user);
    const wrong = last.map((seen) => [seen.state, seen.unread, ...difference(seen.list, right.list)].join(" | "));
    throw new Error(`${error.message}: unread ${right.unread}, tabs: ${wrong.join("\n")}`);
  });
}

export const opened = (page, limitMs = 15_000) => until("the client is open", () => page.evaluate(() => client.state === "open"), limitMs);

export async function leader(pages) {
  for (const page of pages) if (!page.isClosed() && (await page.evaluate(() => client.isLeader))) return page;
  return null;
}

/** Titles came once each, in order. */
export async function inOrder(page, titles) {
  const got = await page.evaluate(() => got);
  return JSON.stringify(got) === JSON.stringify(titles);
}
