// The views that ask the functions come in a module of their own: with the hub's first word, or when one is opened.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { clean, sees } from "../support/console-page.js";
import { context, fake, goTo, open } from "../support/console-suite.js";
import { until } from "../support/stack.js";

const MODULE = /\/(console-)?functions\.js/;
/** Addresses that the module was asked for by. */
let asked, answer;
beforeEach(async () => {
  asked = [];
  answer = (route) => route.continue();
  await context.route(MODULE, (route) => {
    asked.push(new URL(route.request().url()));
    return answer(route);
  });
});

test("at the gate it is not loaded; with the hub's first word it is, so that a hub that falls silent has it no more", async () => {
  const gate = await open("", { token: "" });
  await sees(gate, "Paste a token with the scope");
  assert.equal(asked.length, 0);
  await gate.close();
  const page = await open("now");
  await until("loaded", () => asked.length === 1);
  await sees(page, "Redis heard");
  fake.silent = true;
  fake.refuse = (request, url) => (url.pathname === "/console/live" ? { status: 503 } : undefined);
  fake.drop();
  await goTo(page, "cache");
  await sees(page, "Invalidate a tag…");
  assert.equal(asked.length, 1);
  clean(page);
});

test("a link to one of the views loads it, also before the hub says anything", async () => {
  fake.refuse = (request, url) => (url.pathname === "/console/live" ? { status: 503 } : undefined);
  const page = await open("user?id=alice");
  await sees(page, "Sockets on this hub");
  await sees(page, "alice");
});

test("it does not load: the view says so, and is there when the hub is", async () => {
  answer = (route) => route.abort();
  const page = await open("queues");
  await sees(page, "This view could not be loaded.");
  await goTo(page, "now");
  await sees(page, "Redis heard");
  answer = (route) => route.continue();
  const before = asked.length;
  fake.drop();
  await until("asked again", () => asked.length > before);
  await goTo(page, "queues");
  await sees(page, "No queue has been used in the last 14 days.");
  // A browser remembers the address that failed.
  assert.equal(new Set(asked.map(({ href }) => href)).size, asked.length);
});
