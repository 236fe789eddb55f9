// What client and bell cost a page, in real Chromium against a fake hub: `node bench/cost.js [rounds]`. Modules and
// bytes (gzip -9) until the bell shows its badge; the heap, after a collection, above that of an empty page; the
// processor time of the page's main thread from the load to the badge, and for each notification that arrives: one of
// 20 at once, and one alone, in a frame of its own. Medians.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { launch } from "../test/support/chromium.js";
import { fakeToken, startFakeHub } from "../test/support/fake-hub.js";
import { startSite } from "../test/support/site.js";
import { sleep, until } from "../test/support/stack.js";

const ROUNDS = Number(process.argv[2] ?? 7);
const NOTIFICATIONS = 500;
/** Those that come alone. */
const SINGLES = 100;
/** More than a frame. */
const PAUSE_MS = 25;
const BELL = "bellwire-bell";

const site = await startSite();
site.token = (user) => fakeToken(user);
const browser = await launch();
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const gzip = (name) => gzipSync(readFileSync(new URL(`../dist/${name}`, import.meta.url)), { level: 9 }).length;

const KINDS = {
  "empty page": { body: "" },
  client: {
    script: (hub) => `import { Bellwire } from "/client.js";
      globalThis.client = new Bellwire({ hub: "${hub}", functions: "${hub}", user: "alice", token: () => fetch("/token?user=alice").then((a) => a.text()) }).connect();`,
  },
  "bell, closed": { bell: true },
  "bell, open, 20 to 500 in the list": { bell: true, isOpen: true },
};

async function measure({ script, bell, isOpen }) {
  const hub = await startFakeHub();
  for (let n = 0; n < 20; n++) hub.note();
  const context = await browser.newContext();
  const page = await context.newPage();
  const loaded = [];
  page.on("response", (answer) => /\.js$/.test(answer.url()) && loaded.push(new URL(answer.url()).pathname.slice(1)));
  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const metrics = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const element = bell ? `<script type="module" src="/bell.js"></script><${BELL} hub="${hub.url}" functions="${hub.url}" user="alice" token-src="/token?user=alice"></${BELL}>` : "";
  site.pages.set("/cost", { html: `<!doctype html><title>x</title><link rel="icon" href="data:,">${element}${script ? `<script type="module">${script(hub.url)}</script>` : ""}` });
  await page.goto(`${site.origin}/cost`);
  const isAt = (seq) => page.evaluate(([bell, seq]) => {
    const client = bell ? document.querySelector(bell)?.client : globalThis.client;
    return client?.unread && client.cursor?.seq === seq;
  }, [bell && BELL, seq]);
  if (bell || script) await until("the count, and all modules", async () => loaded.includes("feed.js") && (await isAt(20)));
  const started = (await metrics()).TaskDuration;
  const modules = [...loaded];
  if (isOpen) {
    await page.click(`${BELL} [part=bell]`);
    await page.locator(`${BELL} article`).nth(19).waitFor();
  }
  await sleep(300);
  await cdp.send("HeapProfiler.collectGarbage");
  const { JSHeapUsedSize: heap } = await metrics();
  let burst = 0, alone = 0;
  if (bell || script) {
    burst = await perNotification(NOTIFICATIONS, (n) => n % 20 === 19);
    alone = await perNotification(SINGLES, () => true);
  }
  await context.close();
  await hub.stop();
  return { startMs: started * 1e3, heap, burstUs: burst * 1e6, aloneUs: alone * 1e6, modules };

  async function perNotification(count, isPause) {
    const { TaskDuration: before } = await metrics();
    for (let n = 0; n < count; n++) {
      hub.publish();
      if (isPause(n)) await sleep(PAUSE_MS);
    }
    await until("all came", () => isAt(hub.feed[0].seq));
    await sleep(300);
    return ((await metrics()).TaskDuration - before) / count;
  }
}

const results = {};
for (let round = 0; round < ROUNDS; round++)
  for (const [name, kind] of Object.entries(KINDS)) (results[name] ??= []).push(await measure(kind));
const empty = median(results["empty page"].map(({ heap }) => heap));
console.log("| | modules to the badge | kB, gzip | renderer to the badge, ms | heap, kB | µs a notification, of 20 | alone |\n|---|---|--:|--:|--:|--:|--:|");
for (const [name, all] of Object.entries(results)) {
  const { modules } = all[0];
  const kB = modules.reduce((sum, module) => sum + gzip(module), 0) / 1000;
  const of = (key) => median(all.map((one) => one[key]));
  const each = name === "empty page" ? " | " : `${of("burstUs").toFixed(0)} | ${of("aloneUs").toFixed(0)}`;
  console.log(`| ${name} | ${modules.join(" ") || "–"} | ${kB.toFixed(1)} | ${of("startMs").toFixed(0)} | ${((of("heap") - empty) / 1000).toFixed(0)} | ${each} |`);
}
await browser.close();
site.stop();
process.exit(0);
