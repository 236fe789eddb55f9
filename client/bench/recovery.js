// How long pages take to be right again after a fault, in real Chromium: `node bench/recovery.js [rounds]`.
// "open": from when hub, Redis or network are back until the client is open again. "right": until list and
// badge equal the feed. Milliseconds; outages of two seconds where nothing else is said.
import { launch, leader, openTab, opened, settled } from "../test/support/chromium.js";
import { startProxy } from "../test/support/proxy.js";
import { startSite } from "../test/support/site.js";
import { redis, sleep, startStack } from "../test/support/stack.js";

const ROUNDS = Number(process.argv[2] ?? 20);
const OUTAGE_MS = 2_000;
const LIMIT_MS = 60_000;
const DEAF = "proxy deaf, then a wake";

const site = await startSite();
const stack = await startStack({ origins: [site.origin] });
const proxy = await startProxy(stack.hubPort);
const browser = await launch();
let context, pages, user;

async function tabs(hub) {
  context = await browser.newContext();
  pages = [];
  for (let n = 0; n < 2; n++) pages.push(await openTab(context, { site, hub, functions: stack.functionsUrl, user }));
  await Promise.all(pages.map((page) => opened(page)));
  await stack.notify(user, "before");
  await settled(stack, pages, { user });
}
/** Of the tabs' states behind the mark, the last that opened. */
const openedAt = async (mark) => Math.max(...(await Promise.all(pages.map((page) => page.evaluate((mark) => states.findLast((s) => s.state === "open" && s.at > mark)?.at ?? mark, mark)))));

const FAULTS = {
  "hub killed (-9)": async () => {
    await stack.hub.end("SIGKILL");
    await sleep(OUTAGE_MS);
    await stack.notify(user, "missed");
    await stack.hub.start();
  },
  "hub terminated": async () => {
    await stack.hub.end("SIGTERM");
    await stack.notify(user, "missed");
    await stack.hub.start();
  },
  "hub stopped": async () => {
    stack.hub.signal("SIGSTOP");
    await stack.notify(user, "missed");
    await sleep(OUTAGE_MS);
    stack.hub.signal("SIGCONT");
  },
  "redis killed": async () => {
    await stack.redis.end("SIGKILL");
    await sleep(OUTAGE_MS);
    await stack.notify(user, "missed");
    await stack.redis.start(null);
    await stack.redisReady();
    await stack.call("POST", "/admin/relay");
  },
  "redis flushed": async () => {
    await redis(stack.redisPort, "FLUSHALL");
    await stack.notify(user, "missed");
  },
  "functions down": async () => {
    await stack.functions.end();
    await sleep(OUTAGE_MS);
    await stack.functions.start("/healthz");
    await stack.notify(user, "missed");
  },
  "leader closed": async () => {
    const lead = await leader(pages);
    pages = pages.filter((page) => page !== lead);
    await stack.notify(user, "missed");
    await lead.close();
  },
  "leader crashed": async () => {
    const lead = await leader(pages);
    pages = pages.filter((page) => page !== lead);
    const session = await context.newCDPSession(lead);
    session.send("Page.crash").catch(() => {});
    await stack.notify(user, "missed");
  },
  "leader hung": async () => {
    const lead = await leader(pages);
    pages = pages.filter((page) => page !== lead);
    lead.evaluate(() => { for (const end = Date.now() + 8_500; Date.now() < end; ); }).catch(() => {});
    await sleep(50);
    await stack.notify(user, "missed");
  },
  "offline, then online": async () => {
    await context.setOffline(true);
    await stack.hub.end("SIGKILL");
    await stack.hub.start();
    await stack.notify(user, "missed");
    await sleep(OUTAGE_MS);
    await context.setOffline(false);
  },
  [DEAF]: async () => {
    proxy.goDeaf();
    await stack.notify(user, "missed");
    await sleep(OUTAGE_MS);
    proxy.hear();
    const lead = await leader(pages);
    await lead.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  },
};

const row = (values) => {
  const sorted = values.toSorted ? values.toSorted((a, b) => a - b) : [...values].sort((a, b) => a - b);
  return `${String(sorted[Math.floor(sorted.length / 2)]).padStart(6)} ${String(sorted.at(-1)).padStart(6)}`;
};
const only = process.argv[3];
try {
  console.log(`${"fault".padEnd(24)} open: median, worst   right: median, worst   (${ROUNDS} rounds)`);
  for (const [name, run] of Object.entries(FAULTS)) {
    if (only && !name.includes(only)) continue;
    const open = [], right = [];
    for (let round = 0; round < ROUNDS; round++) {
      user = `${name.replace(/\W/g, "")}${round}`;
      await tabs(name === DEAF ? proxy.url : stack.hubUrl);
      const mark = Date.now();
      await run();
      const back = Date.now();
      await settled(stack, pages, { user, limitMs: LIMIT_MS });
      right.push(Date.now() - back);
      open.push(Math.max(0, (await openedAt(mark)) - back));
      await context.close();
    }
    console.log(`${name.padEnd(24)} ${row(open).padStart(18)} ${row(right).padStart(22)}`);
  }
} finally {
  await browser.close();
  await proxy.stop();
  await stack.stop();
  site.stop();
}
