// The console's stream: silence, breaks, another hub, a page in the background, odd answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees, setHidden, verdictOf, verdictSays } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { button, fake, goTo, open } from "../support/console-suite.js";
import { quiet } from "../support/fake-console.js";
import { sleep, until } from "../support/stack.js";

test("a hub that falls silent is said to be, within seconds, and found again", async () => {
  const page = await open("now");
  await verdictSays(page, /This hub is well/);
  fake.silent = true;
  await verdictSays(page, /Hub silent for [5-9]/, 20_000);
  assert.match(await page.locator("header").innerText(), /Hub silent for \d+(\.\d)? s, trying again/);
  await until("it gives the connection up", () => fake.streams.size === 0 || fake.requests.filter(({ path }) => path === "/console/live").length > 1, 30_000);
  fake.silent = false;
  await verdictSays(page, /This hub is well/, 30_000);
  await sees(page, "● Live");
  clean(page);
});

test("a hub that is gone is tried again and again, at once if one asks; another one that answers is named", async () => {
  const page = await open("now");
  await verdictSays(page, /This hub is well/);
  fake.refuse = () => ({ status: 503, code: "not_ready", detail: "8 viewers already", retryAfter: "30" });
  fake.drop();
  await sees(page, /trying again in ([12]\d|30) s/);
  assert.match(await page.locator("header").innerText(), /Hub silent for/);
  fake.refuse = () => undefined;
  fake.hub = { ...fake.hub, hub: "hub-other" };
  await button(page, "Try now").click();
  await sees(page, "● Live");
  await sees(page, /The page talks to another hub now: .*hub-other.* instead of .*hub-7f3a/);
  assert.match(await page.locator("header").innerText(), /hub hub-other/);
  clean(page);
});

test("a stream that the hub ends says why, and comes back", async () => {
  const page = await open("now");
  await verdictSays(page, /This hub is well/);
  fake.refuse = (_request, url) => (url.pathname === "/console/live" ? { status: 503, code: "not_ready", detail: "shutting down" } : undefined);
  fake.end("shutdown");
  await sees(page, /Hub silent for .* \((the hub shuts down|shutting down)\), trying again/);
  fake.refuse = () => undefined;
  await sees(page, "● Live", 30_000);
  clean(page);
});

test("a page in the background draws nothing and asks nothing, and is up to date when it comes back", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await setHidden(page, true);
  // What was on its way is there.
  await sleep(1_000);
  const before = [fake.requests.length, await page.locator("header").innerText()];
  fake.next = (at) => ({ ...quiet(at), redis: { subscription: false, commands: true, heardMsAgo: 9_000 } });
  await sleep(4_500);
  assert.deepEqual([fake.requests.length, await page.locator("header").innerText()], before);
  assert.doesNotMatch(await verdictOf(page), /Redis/);
  await setHidden(page, false);
  await verdictSays(page, /Redis not heard for 9/, 10_000);
  await until("it asks again", () => fake.requests.length > before[0]);
  clean(page);
});

test("answers of another shape than agreed do not break the page", async () => {
  const page = await open("now");
  await sees(page, "Redis heard");
  for (const odd of [{}, { at: "x" }, { at: Date.now() }, { at: Date.now() + 1, latency: null, sockets: null, redis: null, closes: null }, { at: Date.now() + 2, latency: "abc", sockets: 7, closes: [1], refusals: "x" }]) fake.say(odd);
  for (const stream of fake.streams) stream.write("event: snapshot\ndata: {broken\n\nevent: snapshot\ndata: null\n\nevent: unknown\ndata: {}\n\nevent: history\ndata: {}\n\n");
  fake.refuse = (_request, url) => (url.pathname === "/stats" ? { status: 200, queues: 7 } : url.pathname === "/cache" ? { status: 200, items: 5 } : undefined);
  for (const view of ["trouble", "cache", "queues", "health", "now"]) {
    await goTo(page, view);
    await sleep(1_300);
  }
  await sees(page, "● Live");
  clean(page);
});
