// The view of queues and campaigns: depths, dead letters, progress.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { button, dialog, fake, goTo, open, writes } from "../support/console-suite.js";
import { until } from "../support/stack.js";

test("queues: depths, dead letters with reasons, put back all or chosen ones after asking", async () => {
  dress(fake);
  const page = await open("queues?queue=mail");
  await sees(page, "550 mailbox unavailable");
  assert.match(await page.getByRole("row").filter({ hasText: "webhooks" }).innerText(), /webhooks\s+71\s+205\s+16\s+9\s+31 min/);
  const chosen = button(page, "Put chosen ones back");
  assert.equal(await chosen.getAttribute("aria-disabled"), "true");
  for (const n of [0, 2]) await page.getByRole("checkbox").nth(n).check();
  await chosen.click();
  await sees(page, /2 messages of .*mail.* can be received again/);
  assert.deepEqual(writes(), []);
  await dialog(page).getByRole("button", { name: "Put back" }).click();
  await sees(page, /Put 2 messages of .*mail.* back\./);
  assert.deepEqual(writes().at(-1).body.ids.length, 2);
  await until("they are gone from the list", async () => (await page.getByRole("checkbox").count()) === 18);
  await button(page, "Put all back").click();
  await dialog(page).getByRole("button", { name: "Put back" }).click();
  await sees(page, /Put 18 messages of/);
  await sees(page, "No dead letters.");
  clean(page);
});

test("campaigns: progress with a time when it is done", async () => {
  dress(fake);
  const page = await open("queues?campaign=spring");
  await sees(page, /\d\d,\d{3} of 100,000 processed \(6\d %\)/);
  await sees(page, /At \d+ a second, done in \d min/, 20_000);
  await page.getByRole("textbox", { name: "Campaign" }).fill("unknown");
  await page.keyboard.press("Enter");
  await sees(page, "no such campaign");
  clean(page);
});

test("queues without a list: older functions, a token without the scope; a queue can be opened by name", async () => {
  dress(fake);
  fake.refuse = (_request, url) => (url.pathname === "/queues" ? { status: 404, code: "not_found", title: "Not found" } : undefined);
  const page = await open("queues");
  await sees(page, "These functions are older and do not list queues");
  await page.getByRole("textbox", { name: "Queue" }).fill("mail");
  await page.keyboard.press("Enter");
  await sees(page, "550 mailbox unavailable");
  const other = await open("queues?queue=mail", { scope: "ops:read" });
  await sees(other, "Your token lacks the scope queues:read, which listing queues needs");
  await sees(other, "37 dead");
  clean(page);
});

test("a queue without dead letters: nothing can be put back, and the buttons say why", async () => {
  dress(fake);
  const page = await open("queues?queue=exports");
  await sees(page, "No dead letters.");
  for (const name of ["Put all back", "Put chosen ones back"]) {
    await until(name, async () => (await button(page, name).getAttribute("aria-disabled")) === "true");
    assert.match(await button(page, name).locator("xpath=..").innerText(), /no dead letters/);
    await button(page, name).click({ force: true });
    assert.equal(await dialog(page).count(), 0);
  }
  fake.queues.exports.dead = 1;
  fake.dead.exports = [{ id: "a", diedAt: "", attempts: 5, reason: "received 5 times", payload: 1 }];
  await until("one died", async () => (await button(page, "Put all back").getAttribute("aria-disabled")) === "false");
  clean(page);
});

test("queues named like what objects inherit are queues like others", async () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  const depth = (n) => ({ ready: 11 + n, delayed: 0, inFlight: 0, dead: 1, oldestAgeSeconds: null });
  fake.queues = Object.fromEntries(names.map((name, n) => [name, depth(n)]));
  fake.dead = Object.fromEntries(names.map((name) => [name, [{ id: `dead-${name}`, diedAt: "", attempts: 1, reason: `reason of ${name}`, payload: {} }]]));
  fake.users = Object.fromEntries(names.map((name) => [name, { online: true, sockets: [{ protocol: name, ageMs: 1, queuedBytes: 0, lastSeq: 1 }] }]));
  const page = await open("queues");
  for (const [n, name] of names.entries()) {
    await sees(page, name);
    assert.match(await page.getByRole("row").filter({ hasText: name }).innerText(), new RegExp(`${name}\\s+${11 + n}\\s+0\\s+0\\s+1`));
  }
  for (const name of names) {
    await goTo(page, `queues?queue=${name}&campaign=${name}`);
    await sees(page, `reason of ${name}`);
    await sees(page, `${11 + names.indexOf(name)} ready, 0 delayed, 0 in flight, 1 dead`);
    await sees(page, "no such campaign");
    await goTo(page, `user?id=${name}`);
    await sees(page, "● online");
    assert.match(await page.getByRole("region", { name: "Sockets on this hub" }).innerText(), new RegExp(`${name}\\s+0\\.0 s`));
  }
  await goTo(page, "queues?queue=valueOf");
  await sees(page, "0 ready, 0 delayed, 0 in flight, 0 dead");
  clean(page);
});
