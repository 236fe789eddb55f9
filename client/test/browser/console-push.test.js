// A campaign's push in the view of queues and campaigns: where it stands, and what can be done about it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, clean, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { PHONE, anew, button, dialog, fake, goTo, open, writes } from "../support/console-suite.js";
import { until } from "../support/stack.js";

const ACTIONS = ["Pause the push", "Resume the push", "Cancel the push", "Redrive dead letters"];
const status = (page) => page.getByRole("status").filter({ hasText: /Scheduled|Running|Paused|Cancelled|Done/ }).first();
const isOff = async (page, name) => (await button(page, `${name}…`).getAttribute("aria-disabled")) === "true";

/** Presses a button, and the one of its dialog. */
async function act(page, name) {
  const before = writes().length;
  await button(page, `${name}…`).click();
  await dialog(page).getByText("spring", { exact: true }).waitFor();
  assert.equal(writes().length, before, "it asks first");
  await dialog(page).getByRole("button", { name, exact: true }).click();
}

test("a push: numbers, speed, end; paused, resumed, redriven and cancelled after asking", async () => {
  dress(fake);
  const page = await open("queues?campaign=spring");
  await sees(page, "59,210 sent, 41 failed, 903 invalid, 1,246 skipped, 12 retrying; 38,600 of 100,000 left (39 %). 249 a second. Done in 2 min.");
  assert.match(await status(page).innerText(), /Running$/);
  await act(page, "Pause the push");
  await sees(page, /Paused the push of .*spring/);
  await until("it is paused", async () => /Paused$/.test(await status(page).innerText()));
  assert.ok(await isOff(page, "Pause the push"));
  await act(page, "Resume the push");
  await sees(page, /Resumed the push of .*spring/);
  await until("it runs", async () => /Running$/.test(await status(page).innerText()));
  fake.pushes.spring.dead = 40;
  await act(page, "Redrive dead letters");
  await sees(page, /Put 40 users back into the push of .*spring/);
  await sees(page, /1 failed, .* 52 retrying/);
  await act(page, "Cancel the push");
  await sees(page, /Cancelled the push of .*spring/);
  await until("nothing is left to do", async () => (await Promise.all(ACTIONS.map((name) => isOff(page, name)))).every(Boolean));
  assert.deepEqual(writes().map(({ path }) => path), ["pause", "resume", "redrive", "cancel"].map((name) => `/campaigns/spring/push/${name}`));
  clean(page);
});

test("why a worker paused it is said in words, another reason as it is", async () => {
  dress(fake);
  const page = await open("queues?campaign=spring");
  const { spring } = fake.pushes;
  for (const [reason, words] of [["many_invalid", "too many addresses are gone"], ["credentials", "a push service rejects the credential"], ["refused", "FCM rejects the content"], ["too_large", "the content is larger than a user's push service takes"], ["constructor", "constructor"]]) {
    Object.assign(spring, { state: "paused", reason, etaSeconds: undefined });
    await sees(page, `Paused: ${words}`);
  }
  for (const [state, etaSeconds, words] of [["scheduled", 90, "Scheduled"], ["done", 0, "Done"]]) {
    Object.assign(spring, { state, etaSeconds, reason: undefined });
    await until(words, async () => (await status(page).innerText()).endsWith(words));
  }
  clean(page);
});

test("without push:write the buttons say so; without push:read the page does", async () => {
  dress(fake);
  const page = await open("queues?campaign=spring", { scope: "ops:read campaigns:read push:read" });
  await sees(page, "59,210 sent");
  for (const name of ACTIONS) {
    assert.match(await button(page, `${name}…`).locator("xpath=..").innerText(), /needs push:write/);
    await button(page, `${name}…`).click({ force: true });
    assert.equal(await dialog(page).count(), 0);
  }
  const other = await open("queues?campaign=spring", { scope: "ops:read campaigns:read" });
  await sees(other, "Your token lacks the scope push:read");
  assert.equal(await button(other, "Pause the push…").filter({ visible: true }).count(), 0);
  assert.deepEqual(writes(), []);
  clean(other);
});

test("a campaign without a push, one that ended meanwhile, another campaign", async () => {
  dress(fake);
  fake.campaigns.autumn = { processed: 1, remaining: 2, responses: 0, total: 3 };
  const page = await open("queues?campaign=autumn");
  await sees(page, "It has no push.");
  assert.equal(await button(page, "Pause the push…").filter({ visible: true }).count(), 0);
  await goTo(page, "queues?campaign=spring");
  await sees(page, "59,210 sent");
  await button(page, "Pause the push…").click();
  delete fake.pushes.spring;
  await dialog(page).getByRole("button", { name: "Pause the push", exact: true }).click();
  await dialog(page).getByRole("alert").filter({ hasText: "no such push" }).waitFor();
  await dialog(page).getByRole("button", { name: "Cancel" }).click();
  await sees(page, "It has no push.");
  clean(page);
});

test("axe finds nothing, on a phone neither", async () => {
  dress(fake);
  for (const viewport of [null, PHONE]) {
    if (viewport) await anew({ viewport });
    const page = await open("queues?campaign=spring");
    await sees(page, "59,210 sent");
    assert.deepEqual(await axe(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    clean(page);
  }
});
