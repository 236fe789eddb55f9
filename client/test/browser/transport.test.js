// Tokens, streams and refusals in real Chromium, against the real hub.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { inOrder, openTab, opened, settled } from "../support/chromium.js";
import { startSite } from "../support/site.js";
import { hasWords, redis, sleep, token, until } from "../support/stack.js";
import { browser, site, stack } from "../support/stack-suite.js";

let context, user, speaks;
let users = 0;
const normal = (who) => token(who);
beforeEach(async () => {
  speaks ??= await hasWords(stack);
  user = `transport${++users}`;
});
const tab = (options, hub = stack.hubUrl) => openTab(context, { site, hub, functions: stack.functionsUrl, user, options });
const scenario = (name, run, needsWords = false) =>
  test(name, { timeout: 90_000 }, async (t) => {
    if (needsWords && !speaks) return t.skip("the hub does not have these words yet");
    context = await browser.newContext();
    try {
      await run();
    } finally {
      site.token = normal;
      await context.close();
    }
  });
const states = (page) => page.evaluate(() => states.map((s) => s.state + (s.reason ? ` ${s.reason}` : "")));

scenario("a short token is renewed without a reconnect", async () => {
  site.token = (who) => token(who, { lastsS: 12 });
  const page = await tab();
  await opened(page);
  await sleep(25_000);
  await stack.notify(user, "x");
  await settled(stack, [page], { user });
  assert.deepEqual(await states(page), ["connecting", "open"]);
  assert.ok(site.asked >= 3);
});

scenario("a token that ended while its endpoint failed: back as soon as there is one", async () => {
  site.token = (who) => token(who, { lastsS: -50 });
  const page = await tab({ transport: "websocket" });
  await opened(page);
  await stack.notify(user, "x");
  site.token = () => null;
  await until("closed by the hub", async () => (await page.evaluate(() => client.state)) === "waiting", 20_000);
  await stack.notify(user, "y");
  await until("told", () => page.evaluate(() => errors.includes("token_failed")));
  site.token = normal;
  await opened(page);
  await settled(stack, [page], { user });
  assert.ok(await inOrder(page, ["x", "y"]));
});

scenario("asleep for an hour: the wall clock jumps, the token is renewed, nothing is lost", async () => {
  site.token = (who) => token(who, { lastsS: 900 });
  const made = { site, hub: stack.hubUrl, functions: stack.functionsUrl, user };
  const page = await openTab(context, { ...made, prepare: (page) => page.clock.install({ time: Date.now() }) });
  await opened(page);
  await stack.notify(user, "x");
  await settled(stack, [page], { user });
  const asked = site.asked;
  await page.clock.fastForward(3_600_000);
  await stack.notify(user, "y");
  await page.clock.runFor(10_000);
  await settled(stack, [page], { user });
  assert.ok(await inOrder(page, ["x", "y"]));
  await until("a new token", () => site.asked > asked);
});

scenario("a worker receives like a page", async () => {
  const page = await context.newPage();
  await page.goto(site.origin + "/page");
  await page.evaluate(({ origin, hub, functions, user, text }) => {
    const code = `
      import { Bellwire } from "${origin}/client.js";
      const client = new Bellwire({ hub: "${hub}", functions: "${functions}", user: "${user}", token: () => "${text}" });
      client.addEventListener("notification", ({ detail }) => postMessage(detail.title));
      client.addEventListener("statechange", ({ detail }) => postMessage(detail.state));
      client.connect();`;
    globalThis.heard = [];
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
    worker.onmessage = ({ data }) => heard.push(data);
  }, { origin: site.origin, hub: stack.hubUrl, functions: stack.functionsUrl, user, text: token(user) });
  await until("open", () => page.evaluate(() => heard.includes("open")));
  await stack.notify(user, "x");
  await until("live", () => page.evaluate(() => heard.includes("x")));
});

scenario("WebSocket blocked: an event stream, live, with marks, resumed", async () => {
  await context.addInitScript(() => {
    const Real = WebSocket;
    globalThis.blocked = true;
    globalThis.WebSocket = function (url, protocols) {
      return new Real(globalThis.blocked ? "ws://127.0.0.1:9/" : url, protocols);
    };
  });
  const blocked = await tab();
  await opened(blocked);
  await stack.notify(user, "a");
  await stack.notify(user, "b");
  await settled(stack, [blocked], { user });
  await blocked.evaluate(() => client.markRead(1));
  await settled(stack, [blocked], { user });
  await stack.hub.end();
  await stack.notify(user, "c");
  await stack.hub.start();
  await opened(blocked);
  await settled(stack, [blocked], { user });
  assert.ok(await inOrder(blocked, ["a", "b", "c"]), await blocked.evaluate(() => got));
});

scenario("a user without a feed: a break before the first notification is no gap, and what came meanwhile is there", async () => {
  const page = await tab();
  await until("a position", () => page.evaluate(() => client.cursor?.seq === 0 && client.unread === 0));
  for (const titles of [[], ["first"]]) {
    await stack.hub.end();
    for (const title of titles) await stack.notify(user, title);
    await stack.hub.start();
    await opened(page);
    await settled(stack, [page], { user });
    assert.deepEqual(await page.evaluate(() => [got, gaps]), [titles, []]);
  }
});

scenario("an unlisted origin and an invalid user are closed with a reason", async () => {
  const stranger = await startSite();
  const made = { hub: stack.hubUrl, functions: stack.functionsUrl, user, options: { shared: false } };
  for (const transport of ["auto", "sse"]) {
    const warnings = [];
    const prepare = (page) => page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
    const page = await openTab(context, { site: stranger, ...made, options: { shared: false, transport }, prepare });
    await until("told", () => page.evaluate(() => client.status.reason === "origin not allowed"), 20_000);
    await until("tried again", () => page.evaluate(() => states.filter(({ state }) => state === "waiting").length > 3), 20_000);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0], new RegExp(`${new URL(stack.hubUrl).host} refuses pages of ${stranger.origin}: .*--allowed-origins.*ORIGINS`));
    await page.close();
  }
  stranger.stop();
  site.token = () => token("not a user id!");
  const refused = await openTab(context, { site, hub: stack.hubUrl, functions: stack.functionsUrl, user: "not a user id!", options: { shared: false } });
  await until("closed", () => refused.evaluate(() => client.state === "closed"));
  assert.deepEqual(await refused.evaluate(() => client.status), { state: "closed", code: 4403, reason: "forbidden" });
});

scenario("entries of other services are shown, once", async () => {
  const page = await tab();
  await opened(page);
  await stack.notify(user, "ours");
  await settled(stack, [page], { user });
  const foreign = JSON.stringify({ userId: user, id: 7, title: "theirs", seq: 99 });
  await redis(stack.redisPort, "LPUSH", `notifications:${user}`, foreign);
  await redis(stack.redisPort, "PUBLISH", "notifications", `{"notification":${foreign}}`);
  await until("live", () => page.evaluate(() => got.length === 2));
  await stack.hub.end();
  await stack.hub.start();
  await opened(page);
  await stack.notify(user, "ours again");
  await settled(stack, [page], { user });
  assert.ok(await inOrder(page, ["ours", "theirs", "ours again"]), await page.evaluate(() => got));
});

scenario("deletes are told to every tab and to other browsers", async () => {
  const page = await tab();
  const elsewhere = await browser.newContext();
  try {
    const other = await openTab(elsewhere, { site, hub: stack.hubUrl, functions: stack.functionsUrl, user });
    await Promise.all([opened(page), opened(other)]);
    for (const title of ["a", "b", "c"]) await stack.notify(user, title);
    await settled(stack, [page, other], { user });
    await page.evaluate(() => client.remove(list.entries[1].id));
    await settled(stack, [page, other], { user });
    await other.evaluate(() => client.markRead(list.entries[0].seq));
    await settled(stack, [page, other], { user });
  } finally {
    await elsewhere.close();
  }
}, true);

scenario("the badge is right after a break in which marks were made elsewhere, without a request to the functions", async () => {
  const page = await tab();
  await opened(page);
  for (const title of ["a", "b", "c"]) await stack.notify(user, title);
  await settled(stack, [page], { user });
  await page.evaluate(() => list.stop());
  await stack.hub.end();
  await stack.call("POST", `/users/${user}/notifications/read`, { upTo: 2 });
  await stack.hub.start();
  await opened(page);
  await until("badge", () => page.evaluate(() => client.unread === 1));
}, true);
