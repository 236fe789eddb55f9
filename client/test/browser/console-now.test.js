// The view "now" and the verdict: 15 minutes at once, an idle hub, what is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees, verdictSays } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { fake, goTo, open } from "../support/console-suite.js";
import { quiet } from "../support/fake-console.js";
import { until } from "../support/stack.js";

test("now: 15 minutes from the first moment, in charts and in words, then once a second", async () => {
  dress(fake);
  const last = { ...fake.snapshots.at(-1), at: Date.now(), sockets: { v1: 1200, raw: 30, sse: 4 } };
  fake.snapshots.push(last);
  fake.next = (at) => ({ ...last, at, sockets: { v1: 1200 + Math.floor(at / 1000) % 1000, raw: 0, sse: 0 } });
  const page = await open("now");
  await sees(page, /p50|more messages/);
  const words = await page.locator("figure").filter({ hasText: "Latency" }).locator("figcaption").innerText();
  assert.match(words, /over 15 minutes .* of \d{3},\d{3} messages\. The slowest minute was [78] minutes ago/);
  const inked = await page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const columns = new Set();
    for (let n = 3; n < data.length; n += 4) if (data[n]) columns.add(((n >> 2) % canvas.width) >> 3);
    return columns.size / (canvas.width >> 3);
  });
  assert.ok(inked > 0.95, `the heatmap is drawn over all of the time: ${inked}`);
  const value = page.locator("article").filter({ has: page.getByRole("heading", { name: "Sockets", exact: true }) }).locator(".value");
  const seen = new Set();
  await until("the number moves once a second", async () => seen.add(await value.innerText()).size >= 4, 20_000);
  await page.getByText("The last 15 minutes as a table").click();
  assert.equal(await page.locator(".as-table tbody tr").count(), 15);
  for (const heading of await page.locator("article .words").allInnerTexts()) assert.ok(heading.length > 10);
  clean(page);
});

test("an idle hub is shown as idle, not as broken", async () => {
  const page = await open("now");
  await verdictSays(page, /This hub is well: 0 sockets of 0 users; in the last minute 0 in and 0 out a second/);
  await sees(page, "No message has gone out in the last 15 minutes.");
  clean(page);
});

test("the verdict names what is wrong and for whom: Redis gone, slow clients, a herd", async () => {
  const page = await open("now");
  await verdictSays(page, /This hub is well/);
  fake.next = (at) => ({ ...quiet(at), redis: { subscription: false, commands: false, heardMsAgo: 4_200 } });
  await verdictSays(page, /Redis not heard for 4\.2 s: nothing is delivered live/);
  await sees(page, "subscription down, commands down");
  assert.match(await page.locator("[role=status].words").innerText(), /Broken: Redis not heard/);
  fake.next = (at) => ({ ...quiet(at), closes: { 4408: 6 }, refusals: { "not_ready/handshake_rate": 120 } });
  await verdictSays(page, /clients closed as too slow in the last minute/);
  await verdictSays(page, /connections refused in the last minute, most: too many handshakes a second from all clients/);
  await page.getByRole("link", { name: "All under Trouble" }).click();
  const row = page.getByRole("row").filter({ hasText: "4408" });
  assert.match(await row.innerText(), /too slow, or pings unanswered/);
  await sees(page, /If it lasts, raise --handshakes-per-s/);
  clean(page);
});

test("verdict, card and chart give the same rates, those of the last minute; no scale repeats a label", async () => {
  fake.snapshots = Array.from({ length: 120 }, (_, n) => ({ ...quiet(Date.now() - (120 - n) * 1000), sockets: { v1: 1, raw: 0, sse: 0 }, received: n < 110 ? 9 : 1, delivered: n < 110 ? 9 : 2 }));
  // A gap is trouble, and the verdict would speak of nothing else: there is none before the rates were read.
  let gaps = 0;
  fake.next = (at) => ({ ...quiet(at), sockets: { v1: 1, raw: 0, sse: 0 }, received: 1, delivered: 2, queuedBytes: 1, gaps });
  const page = await open("now");
  await verdictSays(page, /in the last minute [\d.]+ in and [\d.]+ out a second/);
  const card = page.locator("article").filter({ has: page.getByRole("heading", { name: "Messages in" }) });
  await until("the same", async () => {
    const [verdict, value, chart] = await page.evaluate(() => [document.querySelector(".verdict"), ...[...document.querySelectorAll("article .value, figure figcaption")].filter((node) => /→|out a second/.test(node.textContent))].map((node) => node.textContent));
    const [, into, out] = /in the last minute ([\d.]+) in and ([\d.]+) out/.exec(verdict);
    return Number(into) > 1.5 && value.startsWith(`${into} → ${out}`) && chart.startsWith(`${into} in and ${out} out a second over the last minute`);
  });
  assert.match(await card.innerText(), /\d+ → \d+ in the last minute/);
  gaps = 1;
  await verdictSays(page, /clients? missed something/);
  for (const view of ["now", "trouble"]) {
    await goTo(page, view);
    await sees(page, view === "now" ? "more messages" : "Clients told of a gap");
    const scales = await page.evaluate(() => [...document.querySelectorAll(".scale")].map((scale) => [...scale.children].map((mark) => mark.textContent)));
    assert.ok(scales.length > 1);
    for (const labels of scales) assert.equal(new Set(labels).size, labels.length, `${view}: ${labels}`);
  }
  clean(page);
});
