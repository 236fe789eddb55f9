// The words that older hubs do not have, in real Chromium against a fake hub: what a page gains by them.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { leader, openTab, opened } from "../support/chromium.js";
import { startFakeHub } from "../support/fake-hub.js";
import { startProxy } from "../support/proxy.js";
import { browser, site } from "../support/site-suite.js";
import { until } from "../support/stack.js";

let hub, proxy, context, pages;
beforeEach(async () => {
  hub = await startFakeHub();
  for (let n = 0; n < 3; n++) hub.note();
  proxy = await startProxy(Number(new URL(hub.url).port));
  context = await browser.newContext();
  pages = [];
  for (let n = 0; n < 2; n++) pages.push(await openTab(context, { site, hub: proxy.url, functions: hub.url }));
  await Promise.all(pages.map((page) => opened(page)));
  await right();
});
afterEach(async () => {
  await context.close();
  await proxy.stop();
  await hub.stop();
});
/** Every tab's badge and list are the hub's. */
async function right() {
  const wanted = () => JSON.stringify([hub.unread(), hub.feed.map((n) => n.title)]);
  const seen = (page) => page.evaluate(() => JSON.stringify([client.unread, list.entries.map((n) => n.title)]));
  await until("right", async () => (await Promise.all(pages.map(seen))).every((text) => text === wanted()));
}
/** When a tab noticed that its connection is dead. */
const noticed = (page) => until("noticed", () => page.evaluate(() => states.find((s) => s.reason === "silent")?.at), 60_000);

test("a proxy that went deaf while the machine slept: noticed by a ping three seconds after the wake", async () => {
  proxy.goDeaf();
  hub.publish();
  hub.feed[2].readAt = "x";
  await until("what is published goes nowhere", () => proxy.swallowed > 0);
  proxy.hear();
  const lead = await leader(pages);
  const wokenAt = await lead.evaluate(() => (document.dispatchEvent(new Event("visibilitychange")), Date.now()));
  const after = (await noticed(lead)) - wokenAt;
  assert.ok(after > 2_900 && after < 6_000, `${after} ms`);
  await right();
  assert.deepEqual(await pages[1].evaluate(() => got), ["t4"]);
});

test("a proxy that goes deaf is noticed in half a minute, also without a wake of the page", async () => {
  proxy.goDeaf();
  const deafAt = Date.now();
  hub.publish();
  await until("what is published goes nowhere", () => proxy.swallowed > 0);
  proxy.hear();
  const lead = await leader(pages);
  // 25 s of silence, up to 3 until the client looks at its clock, 3 for a pong; the rest is for a busy machine.
  const after = (await noticed(lead)) - deafAt;
  assert.ok(after < 36_000, `${after} ms`);
  await right();
});

test("deletes are told to every tab, and the badge after a break needs no request", async () => {
  await pages[0].evaluate(() => client.remove(list.entries[0].id));
  await right();
  await Promise.all(pages.map((page) => page.evaluate(() => list.stop())));
  const before = hub.requests.length;
  hub.drop();
  hub.feed[0].readAt = "x";
  await until("badge", () => pages[1].evaluate(() => client.unread === 1 && client.state === "open"));
  assert.deepEqual(hub.requests.slice(before).filter((line) => !line.startsWith("WS")), []);
});

test("the event stream's module does not load at first: a try that failed, then a stream", async () => {
  let asked = 0;
  await context.route("**/sse.js*", (route) => (++asked > 2 ? route.continue() : route.abort()));
  const page = await openTab(context, { site, hub: hub.url, functions: hub.url, options: { transport: "sse", shared: false } });
  await opened(page, 30_000);
  assert.ok(asked > 2);
  const seen = await page.evaluate(() => states.filter((s) => s.state === "waiting").map((s) => s.reason));
  assert.ok(seen.length > 0 && seen.every((reason) => reason === "network"), String(seen));
  assert.equal(hub.streams.size, 1);
});

for (const [name, failures] of [["at first: a mark waits for it", 4], ["at all: a mark is refused with a word, after seven tries", Infinity]])
  test(`the feed's module does not load ${name}; who reads the feed is told at once`, async () => {
    hub.note();
    let asked = 0;
    await context.route("**/feed.js*", (route) => (++asked > failures ? route.continue() : route.abort()));
    const page = await context.newPage();
    await page.goto(`${site.origin}/page`);
    const { feed, mark } = await page.evaluate(async (hub) => {
      // The pauses between the tries.
      Math.random = () => 0.001;
      const { Bellwire, BellwireError } = await import("/client.js");
      const token = () => fetch("/token?user=alice").then((answer) => answer.text());
      const client = new Bellwire({ hub, functions: hub, user: "alice", token, shared: false });
      const failed = (error) => ({ code: error.code, isOurs: error instanceof BellwireError });
      const feed = await client.feed().catch(failed);
      const mark = await client.markRead(1).then((unread) => ({ unread }), failed);
      client.close();
      return { feed, mark };
    }, hub.url);
    const refused = { code: "network", isOurs: true };
    assert.deepEqual(feed, refused);
    assert.deepEqual(mark, failures === Infinity ? refused : { unread: 3 });
    // Chromium remembers that the first address failed: it is asked for once, then another one at each of eight tries.
    assert.equal(asked, failures === Infinity ? 9 : 5);
  });
