// Faults at random, one after the other, while notifications, marks and deletes go on: three tabs behind a proxy.
// SEED and SECONDS choose; a failure prints the seed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { leader, openTab, opened, settled } from "../support/chromium.js";
import { hasWords, redis, sleep } from "../support/stack.js";
import { browser, proxy, site, stack } from "../support/stack-suite.js";

const SEED = Number(process.env.SEED ?? 1);
const SECONDS = Number(process.env.SECONDS ?? 30);

let state = SEED;
/** An integer below `limit`. */
function random(limit) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

test(`random faults, seed ${SEED}`, { timeout: (SECONDS + 120) * 1_000 }, async () => {
  const user = "soak";
  const context = await browser.newContext();
  const made = { site, hub: proxy.url, functions: stack.functionsUrl, user };
  let pages = [await openTab(context, made), await openTab(context, made), await openTab(context, made)];
  await Promise.all(pages.map((page) => opened(page)));
  await stack.notify(user, "0");
  await settled(stack, pages, { user });
  const log = [];
  const words = await hasWords(stack);
  const faults = {
    kill: async () => {
      await stack.hub.end("SIGKILL");
      await sleep(random(1_500));
      await stack.hub.start();
    },
    terminate: async () => {
      await stack.hub.end("SIGTERM");
      await stack.hub.start();
    },
    stop: async () => {
      stack.hub.signal("SIGSTOP");
      await sleep(random(3_000));
      stack.hub.signal("SIGCONT");
    },
    flush: () => redis(stack.redisPort, "FLUSHALL"),
    cut: async () => {
      proxy.cut();
    },
    closeLeader: async () => {
      const lead = await leader(pages);
      if (!lead || pages.length < 2) return;
      pages = pages.filter((page) => page !== lead);
      await lead.close();
      pages.push(await openTab(context, made));
    },
    wake: async () => {
      for (const page of pages) await page.evaluate(() => void dispatchEvent(new Event("online")));
    },
    offline: async () => {
      await context.setOffline(true);
      proxy.cut();
      await sleep(random(2_000));
      await context.setOffline(false);
    },
    hang: async () => {
      const lead = await leader(pages);
      lead?.evaluate(() => { for (const end = Date.now() + 3_000; Date.now() < end; ); }).catch(() => {});
    },
  };
  let count = 0, going = true;
  const publisher = (async () => {
    while (going) {
      await stack.notify(user, String(++count));
      if (random(6) === 0) await stack.call("POST", `/users/${user}/notifications/read`, { upTo: Math.max(0, count - random(5)) });
      if (words && random(12) === 0) {
        const { notifications } = await stack.feed(user, 5);
        const { id } = notifications[random(notifications.length)];
        await stack.call("DELETE", `/users/${user}/notifications/${id}`);
      }
      await sleep(random(300));
    }
  })();
  const names = Object.keys(faults);
  for (const end = Date.now() + SECONDS * 1_000; Date.now() < end; ) {
    const name = names[random(names.length)];
    log.push(name);
    await faults[name]();
    await sleep(random(2_500));
  }
  going = false;
  await publisher;
  for (const page of pages) await opened(page, 40_000);
  await settled(stack, pages, { user }).catch((error) => assert.fail(`${log}: ${error.message.slice(0, 3_000)}`));
  for (const page of pages) {
    const { got, gaps } = await page.evaluate(() => ({ got: got.map(Number), gaps }));
    for (let n = 1; n < got.length; n++) assert.ok(got[n] > got[n - 1], `order: ${got.slice(0, n + 1)} (${log})`);
    const missing = Array.from({ length: got.at(-1) - got[0] + 1 }, (_, n) => got[0] + n).filter((n) => !got.includes(n));
    // What was deleted while a tab was away is not replayed.
    assert.ok(missing.length <= count / 8 || gaps.length, `${missing} never came, and no gap was told (${log})`);
  }
  await context.close();
});
