// Tabs of real Chromium against the real hub: one socket for all tabs of a user, and none shared between users.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { inOrder, leader, openTab, opened, settled } from "../support/chromium.js";
import { sleep, until } from "../support/stack.js";
import { browser, proxy, site, stack } from "../support/stack-suite.js";

let context, user, pages;
let users = 0;
beforeEach(() => (user = `tabs${++users}`));
const tab = (who = user, options) => openTab(context, { site, hub: proxy.url, functions: stack.functionsUrl, user: who, options });
async function open(number) {
  context = await browser.newContext();
  pages = [];
  for (let n = 0; n < number; n++) pages.push(await tab());
  await Promise.all(pages.map((page) => opened(page)));
}
const scenario = (name, run) =>
  test(name, { timeout: 90_000 }, async () => {
    try {
      await run();
    } finally {
      await context?.close();
      await until("no connection is left", () => proxy.open === 0);
    }
  });
const everywhere = async (titles, tabs = pages) => {
  await settled(stack, tabs, { user });
  for (const page of tabs) assert.ok(await inOrder(page, titles), `${await page.evaluate(() => got)} ≠ ${titles}`);
};

scenario("ten tabs, one socket; leaders close one after the other, and a last one is left", async () => {
  await open(10);
  assert.equal(proxy.open, 1);
  await stack.notify(user, "first");
  await settled(stack, pages, { user });
  const titles = ["first"];
  for (let n = 1; pages.length > 1; n++) {
    const lead = await leader(pages);
    pages = pages.filter((page) => page !== lead);
    await stack.notify(user, `a${n}`);
    titles.push(`a${n}`);
    await lead.close();
    await stack.notify(user, `b${n}`);
    titles.push(`b${n}`);
    if (n % 4 === 0) await everywhere(titles);
  }
  await everywhere(titles);
  await until("one socket", () => proxy.open === 1);
});

scenario("a leader that crashes", async () => {
  await open(3);
  const lead = await leader(pages);
  pages = pages.filter((page) => page !== lead);
  const session = await context.newCDPSession(lead);
  await stack.notify(user, "w");
  await everywhere(["w"]);
  session.send("Page.crash").catch(() => {});
  await stack.notify(user, "x");
  await everywhere(["w", "x"]);
});

scenario("a leader that hangs: a visible tab takes over, and the old leader doubles nothing when it is back", async () => {
  await open(3);
  await stack.notify(user, "w");
  await everywhere(["w"]);
  const lead = await leader(pages);
  const others = pages.filter((page) => page !== lead);
  lead.evaluate(() => { for (const end = Date.now() + 10_000; Date.now() < end; ); }).catch(() => {});
  await sleep(200);
  await stack.notify(user, "x");
  await until("another leads", () => leader(others), 9_000);
  await everywhere(["w", "x"], others);
  await stack.notify(user, "y");
  await everywhere(["w", "x", "y"], others);
  await until("the old one follows", async () => !(await lead.evaluate(() => client.isLeader)), 15_000);
  await stack.notify(user, "z");
  await everywhere(["w", "x", "y", "z"]);
  await until("one socket", () => proxy.open === 1);
});

scenario("a leader that crashes before there is a feed: the next one tells of a gap", async () => {
  await open(2);
  const lead = await leader(pages);
  pages = pages.filter((page) => page !== lead);
  await lead.close();
  await stack.notify(user, "x");
  await settled(stack, pages, { user });
  const [{ gaps, got }] = await Promise.all(pages.map((page) => page.evaluate(() => ({ gaps, got }))));
  assert.ok(gaps.length === 1 || got.length === 1, "told in one way or the other");
});

scenario("a tab that comes later, with and without what it has, and one that was left behind", async () => {
  await open(1);
  await stack.notify(user, "x");
  await stack.notify(user, "y");
  await everywhere(["x", "y"]);
  const since = await pages[0].evaluate(() => list.entries[1].id);
  const late = await tab(user, { since });
  await opened(late);
  await settled(stack, [late], { user });
  assert.deepEqual(await late.evaluate(() => gaps), ["missed"]);
  const fresh = await tab(user, { since: await pages[0].evaluate(() => list.entries[0].id) });
  await opened(fresh);
  assert.deepEqual(await fresh.evaluate(() => gaps), []);
  await stack.notify(user, "z");
  pages.push(late, fresh);
  await settled(stack, pages, { user });
  assert.deepEqual(await fresh.evaluate(() => got), ["z"]);
});

scenario("logout closes every tab, and forgets; another user's tabs go on", async () => {
  await open(3);
  const other = await tab("zoe");
  await opened(other);
  await pages[1].evaluate(() => client.close({ everywhere: true }));
  for (const page of pages) await until("closed", () => page.evaluate(() => client.state === "closed" && client.status.reason === "logged out"));
  await stack.notify("zoe", "for zoe");
  await settled(stack, [other], { user: "zoe" });
  assert.equal(await other.evaluate(() => client.state), "open");
  assert.deepEqual(await pages[0].evaluate(() => Object.keys(localStorage)), []);
});

scenario("two users in one browser never share, also when cookies give the other's token", async () => {
  await open(2);
  const other = await tab("mallory");
  await opened(other);
  await stack.notify(user, "secret");
  await stack.notify("mallory", "other");
  await everywhere(["secret"]);
  await settled(stack, [other], { user: "mallory" });
  assert.deepEqual(await other.evaluate(() => got), ["other"]);
  for (const page of pages) await page.close();
  const normal = site.token;
  site.token = () => normal("mallory");
  try {
    const again = await tab();
    await until("closed", () => again.evaluate(() => client.state === "closed"));
    assert.deepEqual(await again.evaluate(() => client.status), { state: "closed", code: 4403, reason: "other_user" });
    assert.deepEqual(await again.evaluate(() => got), []);
  } finally {
    site.token = normal;
  }
});

scenario("a page that goes into the history gives the lead away, and is right when it comes back", async () => {
  await open(2);
  const lead = await leader(pages);
  const other = pages.find((page) => page !== lead);
  await lead.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await until("the other leads", () => other.evaluate(() => client.isLeader));
  await stack.notify(user, "x");
  await settled(stack, [other], { user });
  await lead.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await settled(stack, pages, { user });
});

scenario("a leader whose timers stand still while it waits: a visible tab goes on in its place", async () => {
  await open(2);
  const lead = await leader(pages);
  const other = pages.find((page) => page !== lead);
  // As in a background tab after five minutes.
  await lead.evaluate(() => {
    globalThis.setTimeout = (run, ms) => (ms > 50 ? 0 : queueMicrotask(run));
  });
  await stack.hub.end();
  await until("waits", () => other.evaluate(() => client.state === "waiting"));
  await stack.hub.start();
  await stack.notify(user, "x");
  await until("the other leads", () => other.evaluate(() => client.isLeader), 15_000);
  await opened(other);
  await settled(stack, [other], { user });
});
