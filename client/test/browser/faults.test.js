// Real Chromium, hub, Redis and functions: after each fault every tab shows what the feed says, nothing came
// twice or out of order, and all that could come live did.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { inOrder, leader, openTab, opened, settled } from "../support/chromium.js";
import { redis, sleep, until } from "../support/stack.js";
import { browser, proxy, site, stack } from "../support/stack-suite.js";

let user, count, context, pages, titles;
let users = 0;
beforeEach(() => {
  user = `user${++users}`;
  [count, titles] = [0, []];
});

async function tabs(number, { hub = stack.hubUrl, options } = {}) {
  context = await browser.newContext();
  pages = [];
  const made = { site, hub, functions: stack.functionsUrl, user, options };
  for (let n = 0; n < number; n++) pages.push(await openTab(context, made));
  await Promise.all(pages.map((page) => opened(page)));
}
async function notify(number = 1) {
  for (; number > 0; number--) {
    titles.push(`n${++count}`);
    await stack.notify(user, `n${count}`);
  }
}
/** Everything in every tab, in the given time. */
async function right({ limitMs, live = true } = {}) {
  await settled(stack, pages, { user, limitMs });
  if (live) for (const page of pages) assert.ok(await inOrder(page, titles), `${await page.evaluate(() => got)} ≠ ${titles}`);
}
/** From when the connection is open again. */
const reopened = (limitMs = 40_000) => Promise.all(pages.map((page) => opened(page, limitMs)));
const fault = (name, run) =>
  test(name, { timeout: 120_000 }, async () => {
    try {
      await run();
    } finally {
      await context?.close();
    }
  });

for (const [signal, name] of [["SIGKILL", "killed"], ["SIGTERM", "terminated"]]) {
  fault(`hub ${name}`, async () => {
    await tabs(3);
    await notify(2);
    await right();
    await stack.hub.end(signal);
    await notify(3);
    await stack.call("POST", `/users/${user}/notifications/read`, { upTo: 2 });
    await stack.hub.start();
    await reopened();
    await notify();
    await right();
  });
}

fault("hub stopped and continued: what was published meanwhile, and what marks were made", async () => {
  await tabs(2);
  await notify(2);
  await right();
  stack.hub.signal("SIGSTOP");
  await notify(2);
  await stack.call("POST", `/users/${user}/notifications/read`, { upTo: 3 });
  await sleep(2_000);
  stack.hub.signal("SIGCONT");
  await reopened();
  await right();
});

fault("redis killed: what is pending comes when it is back", async () => {
  await tabs(2);
  await notify(2);
  await right();
  await stack.redis.end("SIGKILL");
  await sleep(500);
  await notify(1);
  await stack.redis.start(null);
  await stack.redisReady();
  await stack.call("POST", "/admin/relay");
  await notify(1);
  await stack.hub.ready();
  await right();
});

fault("redis flushed: feeds are rebuilt, nothing comes twice", async () => {
  await tabs(2);
  await notify(4);
  await right();
  await redis(stack.redisPort, "FLUSHALL");
  await notify(2);
  await right();
  await stack.hub.end();
  await stack.hub.start();
  await reopened();
  await right();
});

fault("functions down: live goes on, marks wait, the list is right when they are back", async () => {
  await tabs(2);
  await notify(3);
  await right();
  await stack.functions.end();
  assert.equal(await pages[0].evaluate(() => client.markRead(2)), null);
  await stack.hub.end();
  await stack.hub.start();
  await reopened();
  await stack.functions.start("/healthz");
  await notify(1);
  await until("the mark is sent", async () => (await stack.feed(user)).unread === 2, 20_000);
  await right({ limitMs: 20_000 });
});

fault("a proxy goes deaf: noticed at the next sign of life, or at once when the page is looked at", async () => {
  await tabs(2, { hub: proxy.url });
  await notify(2);
  await right();
  proxy.goDeaf();
  await notify(2);
  await stack.call("POST", `/users/${user}/notifications/read`, { upTo: 1 });
  await sleep(500);
  proxy.hear();
  const lead = await leader(pages);
  const pings = await lead.evaluate(() => {
    document.dispatchEvent(new Event("visibilitychange"));
    return client.status.state;
  });
  assert.equal(pings, "open");
  const noticed = () => lead.evaluate(() => states.some((s) => s.reason === "silent"));
  // A hub without `ping` is not asked before half a minute of silence.
  await until("noticed", noticed, 12_000).catch(async () => {
    await sleep(25_000);
    await lead.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await until("noticed", noticed);
  });
  await reopened();
  await right();
});

fault("offline and online", async () => {
  await tabs(2, { hub: proxy.url });
  await notify(1);
  await right();
  await context.setOffline(true);
  proxy.goDeaf();
  await notify(2);
  await sleep(1_000);
  proxy.hear();
  await context.setOffline(false);
  for (const page of pages) await page.evaluate(() => client.status.state);
  const lead = await leader(pages);
  await until("noticed", async () => {
    await lead.evaluate(() => dispatchEvent(new Event("online")));
    await sleep(1_000);
    return lead.evaluate(() => states.some((s) => s.state === "waiting"));
  }, 40_000);
  await reopened();
  await right();
});

fault("offline while waiting: marks made meanwhile are sent, and the page is online soon", async () => {
  await tabs(2);
  await notify(3);
  await right();
  await stack.hub.end();
  await context.setOffline(true);
  await sleep(3_000);
  assert.equal(await pages[1].evaluate(() => client.markRead([list.entries[0].id])), null);
  await stack.hub.start();
  await notify(1);
  await context.setOffline(false);
  await reopened(15_000);
  await right();
});
