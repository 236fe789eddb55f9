// The console of a real hub in real Chromium, over real functions and Redis: each view against traffic, and faults.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { WebSocket } from "ws";
import { launch } from "../support/chromium.js";
import { clean, openConsole, sees, verdictSays } from "../support/console-page.js";
import { freePort, redis, startStack, token, until } from "../support/stack.js";

const SCOPES = "ops:read feed:read queues:write notifications:write cache:write campaigns:write push:write";

let browser, stack, address, context, sockets;
before(async () => {
  const port = await freePort();
  address = `http://127.0.0.1:${port}/console`;
  stack = await startStack({ origins: [new URL(address).origin], hub: [`--console-listen=127.0.0.1:${port}`, "--handshakes-per-s=20"] });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});
beforeEach(async () => {
  context = await browser.newContext();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await context.close();
});

const open = (view, scope = SCOPES) => openConsole(context, address, { token: token("operator", { scope }), view, origins: [stack.functionsUrl] });

/** A socket of a user; `got`: its notifications' titles. */
async function socketOf(user) {
  const socket = new WebSocket(`${stack.hubUrl.replace("http", "ws")}/ws/notifications`, ["bellwire.v1", `bearer.${token(user)}`]);
  sockets.push(socket);
  socket.got = [];
  socket.on("error", () => {});
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.type === "notification") socket.got.push(frame.notification.title);
  });
  await until("the socket is open", () => socket.readyState === WebSocket.OPEN);
  return socket;
}

/** A call of the functions with all scopes. */
async function call(method, path, body) {
  const headers = { authorization: `Bearer ${token("tests", { scope: SCOPES })}`, "content-type": "application/json" };
  const answer = await fetch(stack.functionsUrl + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? null : answer.json();
}

const publish = (times, notification) =>
  redis(stack.redisPort, "EVAL", `for i = 1, ${times} do redis.call('PUBLISH', 'notifications', ARGV[1]) end`, "0", JSON.stringify({ notification }));

const card = (page, name) => page.locator("article").filter({ has: page.getByRole("heading", { name, exact: true }) }).locator(".value").innerText();
const dialog = (page) => page.getByRole("dialog");

test("now: sockets, messages and latency of real traffic, and what was before the page was opened", async () => {
  for (const user of ["now1", "now1", "now2"]) await socketOf(user);
  await publish(40, { userId: "now1", title: "x" });
  const page = await open("now");
  await until("sockets", async () => /^3$/.test(await card(page, "Sockets")), 20_000);
  await until("users", async () => /^2$/.test(await card(page, "Users on this hub")));
  await sees(page, /over 15 minutes .* of \d+ messages?\./);
  await publish(40, { userId: "now1", title: "x" });
  await until("a latency", async () => /µs|ms/.test(await card(page, "Latency, 99 of 100 within")), 20_000);
  clean(page);
});

test("a wrong token, and one without the scope, are told what is missing", async () => {
  const page = await openConsole(context, address, { token: token("operator", { scope: "feed:read" }) });
  await sees(page, /It must have the scope ops:read/);
  await page.getByLabel("Token").fill("a.e30.b");
  await page.keyboard.press("Enter");
  await sees(page, "The hub does not accept this token");
  await page.getByLabel("Token").fill(token("operator", { scope: SCOPES }));
  await page.keyboard.press("Enter");
  await sees(page, "● Live");
  clean(page);
});

test("user: real sockets; a test notification arrives at them; marking as read", async () => {
  const socket = await socketOf("alice");
  const page = await open("user?id=alice");
  await sees(page, "● online", 30_000);
  await sees(page, "WebSocket, bellwire.v1");
  await page.getByRole("button", { name: "Send a test notification" }).click();
  await page.getByRole("textbox", { name: "Title" }).fill("<i>from the console</i>");
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await sees(page, /Sent to .*alice.*: seq 1, in the feed and published/);
  await until("it arrived", () => socket.got.includes("<i>from the console</i>"));
  await sees(page, "<i>from the console</i>");
  await page.getByRole("button", { name: "Mark all as read" }).click();
  await dialog(page).getByRole("button", { name: "Mark as read" }).click();
  await sees(page, /up to seq 1 as read: 0 unread left/);
  assert.equal((await stack.feed("alice")).unread, 0);
  clean(page);
});

test("queues: a dead letter with its reason is put back", async () => {
  await call("POST", "/queues/console:mail/messages", { messages: [{ n: 1 }, { n: 2 }, { n: 3 }] });
  const { messages } = await call("POST", "/queues/console:mail/receive", { max: 1 });
  await call("POST", "/queues/console:mail/nack", { receipts: [messages[0].receipt], reason: "<b>no such mailbox</b>" });
  for (let n = 0; n < 6; n++) {
    const again = await call("POST", "/queues/console:mail/receive", { max: 1, maxReceives: 1, visibilitySeconds: 1 });
    if (!again.messages.length) break;
    await call("POST", "/queues/console:mail/nack", { receipts: [again.messages[0].receipt], reason: "<b>no such mailbox</b>" });
  }
  const page = await open("queues");
  await page.getByRole("link", { name: "console:mail" }).click();
  await sees(page, /[1-3] dead[.:]/);
  await page.getByRole("button", { name: "Put all back" }).click();
  await dialog(page).getByRole("button", { name: "Put back" }).click();
  await sees(page, /Put [1-3] messages? of .*console:mail.* back/);
  await sees(page, "No dead letters.", 30_000);
  assert.equal((await call("GET", "/queues/console:mail")).dead, 0);
  clean(page);
});

test("campaigns: progress", async () => {
  await call("PUT", "/campaigns/spring/users", { users: Array.from({ length: 40 }, (_, n) => ({ userId: `u${n}` })) });
  await call("POST", "/campaigns/spring/next?count=10");
  const page = await open("queues?campaign=spring");
  await sees(page, /10 of 40 processed \(25 %\), 30 left/);
  clean(page);
});

test("campaigns: a push is paused and resumed, and has no dead letters to redrive", async () => {
  await call("PUT", "/campaigns/autumn/users", { users: Array.from({ length: 30 }, (_, n) => ({ userId: `u${n}` })) });
  await call("PUT", "/campaigns/autumn/push", { template: { title: "Autumn" } });
  const page = await open("queues?campaign=autumn");
  await sees(page, /^0 sent, .* 30 of 30 left/);
  for (const [name, did, state] of [["Pause", "Paused", "paused"], ["Resume", "Resumed", "running"]]) {
    await page.getByRole("button", { name: `${name} the push…` }).click();
    await dialog(page).getByRole("button", { name: `${name} the push` }).click();
    await sees(page, new RegExp(`${did} the push of .*autumn`));
    assert.equal((await call("GET", "/campaigns/autumn/push")).state, state);
  }
  assert.match(await page.getByRole("button", { name: "Redrive dead letters…" }).locator("xpath=..").innerText(), /none failed/);
  clean(page);
});

test("cache: resources are listed; a tag is invalidated", async () => {
  const page = await open("cache");
  await sees(page, "Redis: keys");
  await page.getByRole("row").nth(1).waitFor();
  await page.getByRole("button", { name: "Invalidate a tag" }).click();
  await page.getByRole("textbox", { name: "Tag" }).fill("user:alice");
  await dialog(page).getByRole("button", { name: "Invalidate" }).click();
  await sees(page, /Invalidated 1 tag \(soft\)/);
  clean(page);
});

test("health: record, Redis, hub and versions", async () => {
  const page = await open("health");
  await sees(page, "takes writes");
  await sees(page, /1 hub alive/, 30_000);
  await sees(page, "this page's hub");
  await sees(page, /subscribed, heard \d/);
  clean(page);
});

test("a token without a scope: the button says so, and the functions would refuse", async () => {
  const page = await open("user?id=alice", "ops:read");
  await sees(page, "Your token lacks the scope feed:read");
  const send = page.getByRole("button", { name: "Send a test notification" });
  assert.match(await send.locator("xpath=..").innerText(), /needs notifications:write/);
  clean(page);
});

test("hostile texts of a real feed stay texts", async () => {
  const evil = `"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=2</script>`;
  await call("POST", "/notifications", { userId: "eve", title: evil, body: evil, kind: "<u>", data: { [evil]: evil } });
  const page = await open("user?id=eve");
  await sees(page, evil);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  assert.equal(await page.locator("main img, main script").count(), 0);
  clean(page);
});

test("a slow client is closed, and the verdict says so", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  const url = new URL(stack.hubUrl);
  const slow = connect(Number(url.port), url.hostname);
  slow.on("error", () => {});
  slow.write(`GET /ws/notifications HTTP/1.1\r\nhost: ${url.host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: bellwire.v1, bearer.${token("slow")}\r\n\r\n`);
  await new Promise((done) => slow.once("data", done));
  slow.pause();
  try {
    await until("it is closed", async () => {
      await publish(200, { userId: "slow", title: "x", data: "x".repeat(30_000) });
      return /closed as too slow in the last minute/.test(await page.locator(".verdict").innerText());
    }, 30_000);
    await page.getByRole("link", { name: "All under Trouble" }).click();
    await page.getByRole("row").filter({ hasText: "4408" }).waitFor();
  } finally {
    slow.destroy();
  }
  clean(page);
});

test("a herd is refused, and named", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  for (let n = 0; n < 150; n++) {
    const socket = new WebSocket(`${stack.hubUrl.replace("http", "ws")}/ws/notifications`, ["bellwire.v1", `bearer.${token(`herd${n}`)}`]);
    socket.on("error", () => {});
    sockets.push(socket);
  }
  await verdictSays(page, /refused in the last minute, most: too many handshakes a second from all clients/, 30_000);
  clean(page);
});

test("Redis killed: said within seconds, with what it means; back again: well", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  await stack.redis.end();
  await verdictSays(page, /Redis not heard for .*: nothing is delivered live/, 30_000);
  await page.getByRole("link", { name: "Health" }).click();
  await sees(page, "not subscribed", 30_000);
  await sees(page, /not ready/, 20_000);
  await stack.redis.start(null);
  await stack.redisReady();
  await sees(page, /subscribed, heard/, 30_000);
  await until("no word of Redis", async () => !/Redis/.test(await page.locator(".verdict").innerText()), 30_000);
  assert.deepEqual([page.seen.errors, page.seen.violations], [[], []]);
});

test("the hub killed: silent, tried again; started again: live without a reload", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  await stack.hub.end();
  await sees(page, /trying again/, 30_000);
  await stack.hub.start();
  await sees(page, "● Live", 25_000);
  assert.deepEqual([page.seen.errors, page.seen.violations], [[], []]);
});
