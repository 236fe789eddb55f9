// The views of the cache and of health.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { button, dialog, fake, open, writes } from "../support/console-suite.js";

test("cache: resources and Redis; invalidating a tag asks, and says how many", async () => {
  dress(fake);
  const page = await open("cache");
  assert.match(await page.getByRole("row").filter({ hasText: "profile" }).innerText(), /profile\/\{userId\}\s+tags user:\{userId\}\s+108,752\s+96,410\s+8,230\s+4,112\s+96 %\s+12,210\s+17\s+8\.1 ms\s+1\.2 s/);
  await button(page, "Invalidate a tag").click();
  await page.getByRole("textbox", { name: "Tag" }).fill("user:alice");
  assert.deepEqual(writes(), []);
  await dialog(page).getByRole("button", { name: "Invalidate" }).click();
  await sees(page, /Invalidated 1 tag \(soft\): .*user:alice/);
  assert.deepEqual(writes().map(({ body }) => body), [{ tags: ["user:alice"], mode: "soft" }]);
  clean(page);
});

test("health: what answers, limits as used bars, which hub; functions that are away are said to be", async () => {
  dress(fake);
  const page = await open("health");
  await sees(page, "takes writes");
  await sees(page, /14,\d{3} of 30,000 \(4\d %\)/);
  await sees(page, "3 hubs alive");
  await sees(page, "this page's hub");
  fake.ready = { status: 503, code: "record_unavailable", detail: "the record is read-only" };
  await sees(page, "not ready: the record is read-only", 20_000);
  clean(page);
});

test("health: what failed minutes ago is told, and is well now, as the verdict says", async () => {
  dress(fake);
  const [earlier] = fake.snapshots.slice(-300);
  earlier.presenceFailures = 4;
  earlier.relay = { failed: 2 };
  const page = await open("health");
  await sees(page, "failed 4 times in 15 minutes");
  const marks = page.locator("ul.checks li").filter({ hasText: /Presence|Relay/ }).locator(".mark");
  assert.deepEqual(await marks.evaluateAll((all) => all.map((mark) => mark.className)), ["mark good", "mark good"]);
  clean(page);
});

test("functions that do not answer are told apart from functions that refuse the page's origin only as far as one can", async () => {
  fake.refuse = (request, url) => (url.pathname === "/cache" ? request.socket.destroy() : undefined);
  const page = await open("cache");
  await sees(page, /No answer from the functions at http.*: they are down, or http.* is missing in their cors_origins/);
  clean(page);
});
