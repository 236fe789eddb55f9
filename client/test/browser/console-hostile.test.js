// Texts from outside in every place where the console shows one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { VIEWS, fake, goTo, open } from "../support/console-suite.js";
import { quiet } from "../support/fake-console.js";
import { sleep, until } from "../support/stack.js";

const EVIL = `"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=2</script><svg onload=globalThis.pwned=3>\u202Egnp.exe'\`\${1}{{7*7}}`;

test("texts from outside stay texts: ids, titles, kinds, payloads, queues, resources, reasons, hubs, versions, errors", async () => {
  dress(fake);
  const key = { "constructor": 1, "__proto__x": 2, [EVIL]: 3 };
  fake.hub = { ...fake.hub, hub: EVIL, version: EVIL, startedAt: EVIL };
  fake.fleet = { hubs: [{ id: EVIL, self: true }, { id: "other" }], onlineUsers: EVIL };
  fake.users.alice = { online: EVIL, epoch: EVIL, seq: EVIL, sockets: [{ protocol: EVIL, ageMs: EVIL, queuedBytes: EVIL, lastSeq: EVIL }] };
  fake.feeds.alice = { unread: EVIL, next: EVIL, notifications: [{ id: EVIL, seq: 1, title: EVIL, body: EVIL, kind: EVIL, createdAt: EVIL, readAt: EVIL, delivery: EVIL, data: { [EVIL]: EVIL } }, { title: { a: EVIL } }, null, 7, EVIL] };
  fake.queues = { ...fake.queues, [EVIL]: { ready: 1, delayed: 0, inFlight: 0, dead: 1, oldestAgeSeconds: EVIL } };
  fake.dead.mail = [{ id: EVIL, diedAt: EVIL, attempts: EVIL, reason: EVIL, payload: EVIL }, { id: "b", diedAt: "", attempts: 1, reason: EVIL, raw: EVIL.repeat(9) }];
  fake.campaigns.spring = { processed: EVIL, remaining: 5, responses: EVIL, total: 7 };
  fake.pushes.spring = { state: EVIL, reason: EVIL, total: EVIL, remaining: EVIL, sent: EVIL, failed: EVIL, invalid: EVIL, skipped: EVIL, retrying: EVIL, perSecond: EVIL, etaSeconds: EVIL };
  fake.cache = [{ resource: EVIL, hits: EVIL, stale: 1, misses: 2, fetches: 3, failures: 1, fetchMs: { mean: EVIL, worst: 1 } }];
  fake.ready = { status: 503, code: EVIL, detail: EVIL };
  fake.next = (at) => ({ ...quiet(at), closes: key, refusals: { [`forbidden/${EVIL}`]: 9, ...key }, resumes: key, undelivered: key, relay: key });
  const page = await open("now");
  const check = async (where) => {
    const state = await page.evaluate(() => ({ pwned: globalThis.pwned, injected: document.querySelectorAll("img, script:not([type=module]), iframe, [onerror], [onload], b, main svg:not(.spark)").length }));
    assert.deepEqual(state, { pwned: undefined, injected: 0 }, where);
    assert.ok((await page.locator("body").innerText()).includes(EVIL), `${where} shows the text as it is`);
  };
  for (const view of VIEWS) {
    await goTo(page, view);
    await until(`${view} shows the text`, async () => (await page.locator("body").innerText()).includes(EVIL));
    // What else is asked for, and another snapshot.
    await sleep(2_000);
    await check(view);
  }
  await page.evaluate((text) => (location.hash = `#/user?id=${encodeURIComponent(text)}`), EVIL);
  await sees(page, "Invalid id");
  await page.evaluate((text) => (location.hash = `#/queues?queue=${encodeURIComponent(text)}&campaign=${encodeURIComponent(text)}`), EVIL);
  await sees(page, "Invalid queue name");
  await page.evaluate((text) => (location.hash = `#token=${text}`), EVIL);
  await sleep(500);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  clean(page);
});
