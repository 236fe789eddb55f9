// The view of a user: sockets, feed, a test notification, marking as read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, sees } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { button, dialog, fake, goTo, open, writes } from "../support/console-suite.js";

test("user: sockets, presence and the feed; other hubs are said to be possible", async () => {
  dress(fake);
  fake.users.bob = { online: true, sockets: [], epoch: "e", seq: 3 };
  fake.feeds.bob = { unread: 0, next: null, notifications: [{ message: "another service's", title: 7 }] };
  const page = await open("user?id=alice");
  await sees(page, "● online");
  assert.match(await page.getByRole("region", { name: "Sockets on this hub" }).innerText(), /event stream\s+38 s\s+18 KiB\s+57/);
  await sees(page, "3 unread entries among the newest 100");
  await page.getByRole("textbox", { name: "User" }).fill("bob");
  await page.keyboard.press("Enter");
  await sees(page, "None here: the user is online on another hub");
  await sees(page, "no mark");
  await page.getByRole("textbox", { name: "User" }).fill("../fleet");
  await page.keyboard.press("Enter");
  await sees(page, "Invalid id");
  await page.getByRole("textbox", { name: "User" }).fill("nobody");
  await page.keyboard.press("Enter");
  await sees(page, "○ offline");
  await sees(page, "The feed is empty.");
  assert.ok(fake.requests.every(({ path }) => !path.includes("..")));
  clean(page);
});

test("a test notification asks first; cancelled it sends nothing, confirmed once with a key, and says what it did", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await button(page, "Send a test notification").click();
  await sees(page, "Send a test notification?");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Send a test notification…");
  assert.deepEqual(writes(), []);
  await button(page, "Send a test notification").click();
  await page.getByRole("textbox", { name: "Title" }).fill("Hello <b>there</b>");
  fake.refuse = (request) => (request.method === "POST" ? { status: 503, code: "record_unavailable", detail: "the record is away" } : undefined);
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await sees(page, "the record is away");
  fake.refuse = () => undefined;
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await sees(page, /Sent to .*alice.*: seq 59, in the feed and published\./);
  await sees(page, "Hello <b>there</b>");
  const [first, second] = writes();
  assert.equal(first.key, second.key, "a repeat after no answer creates nothing twice");
  assert.deepEqual(second.body, { userId: "alice", title: "Hello <b>there</b>", kind: "test" });
  assert.equal(writes().length, 2);
  clean(page);
});

test("mark read asks first, and says how many are left", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await button(page, "Mark all as read").click();
  await sees(page, /All entries of .*alice.* up to seq 58 become read/);
  assert.deepEqual(writes(), []);
  await dialog(page).getByRole("button", { name: "Mark as read" }).click();
  await sees(page, /up to seq 58 as read: 0 unread left/);
  await sees(page, "0 unread entries");
  assert.deepEqual(writes().map(({ path, body }) => [path, body]), [["/users/alice/notifications/read", { upTo: 58 }]]);
  clean(page);
});

test("the feed is a tail: what comes while the view is open appears by itself and is marked as new", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "New ones appear here as they come.");
  const come = (title) => {
    const seq = ++fake.users.alice.seq;
    fake.feeds.alice.notifications.unshift({ id: `n${seq}`, userId: "alice", seq, title, kind: "x", createdAt: new Date().toISOString(), delivery: "sent" });
  };
  come("The first");
  await sees(page, /1 of them has come since you opened this, the last at \d\d:\d\d:\d\d/);
  come("The second");
  await sees(page, /2 of them have come since you opened this/);
  const rows = page.getByRole("region", { name: "Feed" }).getByRole("row");
  assert.match(await rows.nth(1).innerText(), /60\s+The second[^]*new, unread/);
  assert.match(await rows.nth(2).innerText(), /59\s+The first[^]*new, unread/);
  assert.doesNotMatch(await rows.nth(3).innerText(), /new,/);
  await goTo(page, "user?id=nobody");
  await sees(page, "The feed is empty.");
  await goTo(page, "user?id=alice");
  await sees(page, "New ones appear here as they come.");
  clean(page);
});
