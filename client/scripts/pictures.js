// Takes the pictures of the documents anew: `node scripts/pictures.js`. They are looked at before they are committed.
import { join } from "node:path";
import { openBell, says } from "../test/support/bell.js";
import { launch } from "../test/support/chromium.js";
import { openConsole } from "../test/support/console-page.js";
import { dress } from "../test/support/console-scene.js";
import { consoleToken, startFakeConsole } from "../test/support/fake-console.js";
import { fakeToken, startFakeHub } from "../test/support/fake-hub.js";
import { withPush, withoutService } from "../test/support/fake-push.js";
import { startSite } from "../test/support/site.js";
import { sleep } from "../test/support/stack.js";

const home = new URL("../..", import.meta.url).pathname;
const out = (name) => join(home, "docs/images", name);
const HOUR_MS = 3_600_000;
/** Title, text, age in hours, whether it is read. */
const FEED = [
  ["Your export has finished", "customers.csv, 48,210 rows", 72, true],
  ["Weekly report is ready", undefined, 26, true],
  ["Payment received", "€ 1,240.00 from Nordwind GmbH, invoice 2026-118", 0.24, false],
  ["Minh commented on your pull request", "“Looks good. Could we keep the old key names until the migration is done?”", 0.04, false],
];

const browser = await launch();

/** Pictures side by side, each a part of the given size at `x`, `y` of its own. */
async function beside(name, parts, { width, height, scale }) {
  const context = await browser.newContext({ viewport: { width: width * parts.length, height }, deviceScaleFactor: scale });
  const page = await context.newPage();
  const images = parts.map(({ data, x, y, size }) => `<div style="width:${width}px;height:${height}px;background:url(data:image/png;base64,${data.toString("base64")}) -${x}px -${y}px/${size}px auto"></div>`);
  await page.setContent(`<body style="margin:0;display:flex">${images.join("")}`);
  await page.screenshot({ path: out(name) });
  await context.close();
}

/** A page with nothing but an open bell. */
async function openPage(context, site, hub, scheme, attributes) {
  const page = await openBell(context, site, { hub: hub.url, functions: hub.url, user: "alice", scheme, attributes, policies: "bellwire" });
  await page.addStyleTag({ content: `body{margin:0;background:${scheme === "dark" ? "#14151a" : "#f3f5f7"}} h1,#before,#after{display:none} main>div{padding:12px 22px}` });
  await says(page, "2 unread notifications");
  await page.click("bellwire-bell [part=bell]");
  await page.locator("bellwire-bell article").first().waitFor();
  return page;
}

async function bell() {
  const site = await startSite();
  site.token = (user) => fakeToken(user);
  const hub = await startFakeHub();
  for (const [title, body, hours, isRead] of FEED)
    hub.note({ title, body, createdAt: new Date(Date.now() - hours * HOUR_MS).toISOString(), ...(isRead && { readAt: "2026-01-01T00:00:00Z" }) });
  const parts = [];
  for (const scheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width: 430, height: 492 }, deviceScaleFactor: 1.5, bypassCSP: true });
    const page = await openPage(context, site, hub, scheme);
    await page.hover("bellwire-bell article:nth-of-type(2)");
    await sleep(500);
    parts.push({ data: await page.screenshot(), x: 0, y: 0, size: 430 });
    await context.close();
  }
  await beside("bell.png", parts, { width: 430, height: 492, scale: 1.5 });
  await hub.stop();
  site.stop();
}

/** The offer in a light page, the switches in a dark one. */
async function push() {
  const site = await startSite();
  site.token = (user) => fakeToken(user);
  const hub = await startFakeHub();
  withPush(hub);
  for (const [title, body, hours] of FEED.slice(2)) hub.note({ title, body, createdAt: new Date(Date.now() - hours * HOUR_MS).toISOString() });
  const parts = [];
  for (const scheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width: 430, height: 560 }, deviceScaleFactor: 1.5, bypassCSP: true, locale: "en-GB", timezoneId: "Europe/Berlin" });
    await context.addInitScript(withoutService);
    const page = await openPage(context, site, hub, scheme, { push: "" });
    const inside = (selector) => page.locator(`bellwire-bell ${selector}`);
    await inside("[part=push-offer]").waitFor();
    if (scheme === "dark") {
      await inside("[aria-controls=push-settings]").click();
      await page.getByLabel("Quiet hours").check();
      await inside("input[type=time]").first().waitFor();
      await page.mouse.move(5, 5);
    }
    await sleep(500);
    parts.push({ data: await page.screenshot(), x: 0, y: 0, size: 430 });
    await context.close();
  }
  await beside("bell-push.png", parts, { width: 430, height: 560, scale: 1.5 });
  await hub.stop();
  site.stop();
}

async function page(name, view, colorScheme, height) {
  const fake = await startFakeConsole({ dist: true });
  dress(fake);
  const context = await browser.newContext({ viewport: { width: 1200, height }, colorScheme });
  const page = await openConsole(context, fake.page, { token: consoleToken(), view });
  await page.locator(".link.good").waitFor();
  await sleep(10_000);
  await page.screenshot({ path: out(name) });
  await context.close();
  await fake.stop();
}

await bell();
await push();
await page("console-now.png", "now", "light", 940);
await page("console-queues.png", "queues?queue=mail", "dark", 985);
await browser.close();
process.exit(0);
