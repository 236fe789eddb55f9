// The console in real Chromium over a hub that does what it is told: every view, every action, rare states, hostile
// texts. With the real hub: console-stack.test.js.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launch } from "../support/chromium.js";
import { axe, clean, openConsole, sees, setHidden, verdictOf, verdictSays } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { ALL_SCOPES, consoleToken, quiet, startFakeConsole } from "../support/fake-console.js";
import { sleep, until } from "../support/stack.js";

const VIEWS = ["now", "trouble", "user?id=alice", "queues?queue=mail&campaign=spring", "cache", "health"];
const PHONE = { width: 390, height: 844 };

let browser, fake, context;
before(async () => (browser = await launch()));
after(() => browser?.close());
beforeEach(async () => {
  fake = await startFakeConsole({ dist: Boolean(process.env.CONSOLE_DIST) });
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
});
afterEach(async () => {
  await context.close();
  await fake.stop();
});

const open = (view, { scope, token = consoleToken(scope) } = {}) => openConsole(context, fake.page, { token, view });
const writes = () => fake.requests.filter(({ method }) => method !== "GET");
const button = (page, name) => page.getByRole("button", { name });
const dialog = (page) => page.getByRole("dialog");

test("without a token the page asks for one; a pasted one opens it, and is in no address and no store", async () => {
  const page = await openConsole(context, fake.page);
  await sees(page, "Bellwire console");
  assert.equal(await page.evaluate(() => document.activeElement.type), "password");
  await page.keyboard.type("nonsense");
  await page.keyboard.press("Enter");
  await sees(page, "This is no token");
  assert.deepEqual(fake.requests, []);
  const token = consoleToken();
  await page.getByLabel("Token").fill(`Bearer ${token}\n`);
  await page.keyboard.press("Enter");
  await sees(page, "Live");
  await verdictSays(page, /All well/);
  assert.deepEqual([...fake.tokens], [token]);
  const kept = await page.evaluate(() => JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML]));
  assert.ok(!kept.includes(token));
  await page.reload();
  await sees(page, "Paste a token");
  clean(page);
});

test("a token in the fragment is taken and leaves the address and the history at once; the view stays", async () => {
  const page = await open("trouble");
  await sees(page, "Refused connections");
  assert.equal(new URL(page.url()).hash, "#/trouble");
  assert.equal(await page.evaluate(() => history.length), 2, "the address with the token is not behind another one");
  assert.ok(fake.requests.every(({ path }) => !path.includes("token")));
  await page.goBack();
  assert.equal(page.url(), "about:blank");
  clean(page);
});

test("a token without ops:read is told so, with a place to paste another; so is one that is no longer good", async () => {
  const page = await open("", { scope: "feed:read" });
  await sees(page, "the token lacks the scope ops:read");
  const streams = () => fake.requests.filter(({ path }) => path === "/console/live").length;
  const asked = streams();
  await page.getByLabel("Token").fill(consoleToken());
  await page.keyboard.press("Enter");
  await verdictSays(page, /All well/);
  assert.equal(streams(), asked + 1);
  fake.refuse = (_request, url) => (url.pathname === "/console/live" ? { status: 401, code: "token_expired", detail: "the token expired 3 s ago" } : undefined);
  fake.drop();
  await sees(page, "The hub does not accept this token: the token expired 3 s ago");
  fake.refuse = () => undefined;
  await page.getByLabel("Token").fill(consoleToken());
  await page.keyboard.press("Enter");
  await sees(page, "Live");
  clean(page);
});

test("the token's own page says what it permits; forgetting it ends the stream", async () => {
  const page = await open("now", { scope: "ops:read feed:read" });
  await sees(page, "Live");
  await button(page, /^Token/).click();
  const text = await dialog(page).innerText();
  assert.match(text, /Of operator\. It ends in 59 min/);
  assert.match(text, /✓\s*ops:read/);
  assert.match(text, /–\s*cache:write/);
  await button(page, "Forget it").click();
  await sees(page, "Paste a token");
  await until("no stream is left", () => fake.streams.size === 0);
  assert.ok(!(await page.content()).includes("All well"));
  clean(page);
});

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
  await verdictSays(page, /All well: 0 sockets of 0 users, 0 in and 0 out a second/);
  await sees(page, "No message has gone out in the last 15 minutes.");
  clean(page);
});

test("a hub that falls silent is said to be, within seconds, and found again", async () => {
  const page = await open("now");
  await verdictSays(page, /All well/);
  fake.silent = true;
  await verdictSays(page, /Hub silent for [5-9]/, 20_000);
  assert.match(await page.locator("header").innerText(), /Hub silent for \d+(\.\d)? s, trying again/);
  await until("it gives the connection up", () => fake.streams.size === 0 || fake.requests.filter(({ path }) => path === "/console/live").length > 1, 30_000);
  fake.silent = false;
  await verdictSays(page, /All well/, 30_000);
  await sees(page, "● Live");
  clean(page);
});

test("a hub that is gone is tried again and again, at once if one asks; another one that answers is named", async () => {
  const page = await open("now");
  await verdictSays(page, /All well/);
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

test("the verdict names what is wrong and for whom: Redis gone, slow clients, a herd", async () => {
  const page = await open("now");
  await verdictSays(page, /All well/);
  fake.next = (at) => ({ ...quiet(at), redis: { subscription: false, commands: false, heardMsAgo: 4_200 } });
  await verdictSays(page, /Redis not heard for 4\.2 s: nothing is delivered live/);
  await sees(page, "subscription down, commands down");
  assert.match(await page.locator("[role=status].words").innerText(), /Broken: Redis not heard/);
  fake.next = (at) => ({ ...quiet(at), closes: { 4408: 6 }, refusals: { "not_ready/handshake_rate": 120 } });
  await verdictSays(page, /clients closed as too slow in the last minute/);
  await verdictSays(page, /connections refused in the last minute, most: all clients together connect too fast: a herd/);
  await page.getByRole("link", { name: "All under Trouble" }).click();
  const row = page.getByRole("row").filter({ hasText: "4408" });
  assert.match(await row.innerText(), /too slow, or pings unanswered/);
  await sees(page, /If it does not end: raise --handshakes-per-s/);
  clean(page);
});

test("a page in the background draws nothing and asks nothing, and is up to date when it comes back", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await setHidden(page, true);
  await sleep(300);
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

test("the address carries view, user and queue: links, back and forward work", async () => {
  dress(fake);
  const page = await open("user?id=alice");
  await sees(page, "Your order has shipped");
  await page.getByRole("link", { name: "Queues" }).click();
  await page.getByRole("link", { name: "mail" }).click();
  await sees(page, "550 mailbox unavailable");
  assert.equal(new URL(page.url()).hash, "#/queues?queue=mail");
  assert.equal(await page.title(), "Queues, campaigns – Bellwire console");
  await page.goBack();
  await page.goBack();
  await sees(page, "Your order has shipped");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "readers are told of the new view");
  await page.goForward();
  await sees(page, "images:resize");
  await page.evaluate(() => (location.hash = "#/nothing?<script>"));
  await sees(page, "Redis heard");
  clean(page);
});

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
  await sees(page, "That is no id");
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
  await sees(page, /\d\d,\d{3} of 100,000 taken \(6\d %\)/);
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
  await sees(page, "this page talks to it");
  fake.ready = { status: 503, code: "record_unavailable", detail: "the record is read-only" };
  await sees(page, "not ready: the record is read-only", 20_000);
  clean(page);
});

test("functions that do not answer are told apart from functions that refuse the page's origin only as far as one can", async () => {
  fake.refuse = (request, url) => (url.pathname === "/cache" ? request.socket.destroy() : undefined);
  const page = await open("cache");
  await sees(page, /No answer from the functions at http.*: they are away, or http.* is not in their cors_origins/);
  clean(page);
});

test("a stream that the hub ends says why, and comes back", async () => {
  const page = await open("now");
  await verdictSays(page, /All well/);
  fake.refuse = (_request, url) => (url.pathname === "/console/live" ? { status: 503, code: "not_ready", detail: "shutting down" } : undefined);
  fake.end("shutdown");
  await sees(page, /Hub silent for .* \((the hub shuts down|shutting down)\), trying again/);
  fake.refuse = () => undefined;
  await sees(page, "● Live", 30_000);
  clean(page);
});

test("what a token lacks is said on the button, which then does nothing", async () => {
  dress(fake);
  const page = await open("user?id=alice", { scope: "ops:read" });
  await sees(page, "Your token lacks the scope feed:read");
  for (const [view, name, scope] of [["user?id=alice", "Send a test notification", "notifications:write"], ["user?id=alice", "Mark all as read", "notifications:write"], ["queues?queue=mail", "Put all back", "queues:write"], ["cache", "Invalidate a tag", "cache:write"]]) {
    await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
    const one = button(page, name);
    await one.waitFor();
    assert.equal(await one.getAttribute("aria-disabled"), "true");
    assert.match(await one.locator("xpath=..").innerText(), new RegExp(`needs ${scope}`));
    await one.click({ force: true });
    assert.equal(await dialog(page).count(), 0);
  }
  assert.deepEqual(writes(), []);
  clean(page);
});

test("a user may mark one's own entries without a scope", async () => {
  dress(fake);
  const page = await open("user?id=alice", { token: consoleToken("ops:read feed:read", { sub: "alice" }) });
  await sees(page, "Your order has shipped");
  assert.equal(await button(page, "Mark all as read").getAttribute("aria-disabled"), "false");
  assert.equal(await button(page, "Send a test notification").getAttribute("aria-disabled"), "true");
});

const EVIL = `"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=2</script><svg onload=globalThis.pwned=3>\u202Egnp.exe'\`\${1}{{7*7}}`;

test("texts from outside stay texts: ids, titles, kinds, payloads, queues, resources, reasons, hubs, versions, errors", async () => {
  dress(fake);
  const key = { "constructor": 1, "__proto__x": 2, [EVIL]: 3 };
  fake.hub = { ...fake.hub, hub: EVIL, version: EVIL, startedAt: EVIL };
  fake.fleet = { hubs: [{ id: EVIL, self: true }, { id: "other" }], onlineUsers: EVIL };
  fake.users.alice = { online: EVIL, epoch: EVIL, seq: EVIL, sockets: [{ protocol: EVIL, ageMs: EVIL, queuedBytes: EVIL, lastSeq: EVIL }] };
  fake.feeds.alice = { unread: EVIL, next: EVIL, notifications: [{ id: EVIL, seq: 1, title: EVIL, body: EVIL, kind: EVIL, createdAt: EVIL, readAt: EVIL, delivery: EVIL, data: { [EVIL]: EVIL } }, { title: { a: EVIL } }, null, 7, EVIL] };
  fake.queues = { ...fake.queues, [EVIL]: { ready: 1, delayed: 0, inFlight: 0, dead: 1, oldestAgeSeconds: EVIL } };
  fake.dead.mail = [{ id: EVIL, diedAt: EVIL, attempts: EVIL, reason: EVIL, payload: EVIL }, { id: "b", diedAt: "", attempts: 1, reason: EVIL, raw: EVIL.repeat(9) }];
  fake.campaigns.spring = { processed: EVIL, remaining: 5, responses: EVIL, total: 7 };
  fake.cache = [{ resource: EVIL, hits: EVIL, stale: 1, misses: 2, fetches: 3, failures: 1, fetchMs: { mean: EVIL, worst: 1 } }];
  fake.ready = { status: 503, code: EVIL, detail: EVIL };
  fake.next = (at) => ({ ...quiet(at), closes: key, refusals: { [`forbidden/${EVIL}`]: 9, ...key }, resumes: key, undelivered: key, relay: key });
  const page = await open("now");
  const check = async (where) => {
    const state = await page.evaluate(() => ({ pwned: globalThis.pwned, injected: document.querySelectorAll("img, script:not([type=module]), iframe, [onerror], [onload], b, main svg:not(.spark)").length }));
    assert.deepEqual(state, { pwned: undefined, injected: 0 }, where);
    assert.ok((await page.locator("body").innerText()).includes(EVIL), `${where} shows the text as it is`);
  };
  for (const view of VIEWS) {
    await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
    await sleep(2_600);
    await check(view);
  }
  await page.evaluate((text) => (location.hash = `#/user?id=${encodeURIComponent(text)}`), EVIL);
  await sees(page, "That is no id");
  await page.evaluate((text) => (location.hash = `#/queues?queue=${encodeURIComponent(text)}&campaign=${encodeURIComponent(text)}`), EVIL);
  await sees(page, "That is no name of a queue");
  await page.evaluate((text) => (location.hash = `#token=${text}`), EVIL);
  await sleep(500);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  clean(page);
});

test("answers of another shape than agreed do not break the page", async () => {
  const page = await open("now");
  await sees(page, "Redis heard");
  for (const odd of [{}, { at: "x" }, { at: Date.now() }, { at: Date.now() + 1, latency: null, sockets: null, redis: null, closes: null }, { at: Date.now() + 2, latency: "abc", sockets: 7, closes: [1], refusals: "x" }]) fake.say(odd);
  for (const stream of fake.streams) stream.write("event: snapshot\ndata: {broken\n\nevent: snapshot\ndata: null\n\nevent: unknown\ndata: {}\n\nevent: history\ndata: {}\n\n");
  fake.refuse = (_request, url) => (url.pathname === "/stats" ? { status: 200, queues: 7 } : url.pathname === "/cache" ? { status: 200, items: 5 } : undefined);
  for (const view of ["trouble", "cache", "queues", "health", "now"]) {
    await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
    await sleep(1_300);
  }
  await sees(page, "● Live");
  clean(page);
});

for (const [scheme, viewport] of [["light", undefined], ["dark", undefined], ["light", PHONE], ["dark", PHONE]]) {
  test(`axe finds nothing: ${scheme}, ${viewport ? "phone" : "desktop"}; nothing is wider than the page`, async () => {
    await context.close();
    context = await browser.newContext({ colorScheme: scheme, ...(viewport && { viewport }) });
    dress(fake);
    fake.next = (at) => ({ ...quiet(at), closes: { 4408: 2, 1011: 1 }, refusals: { "forbidden/origin": 1 }, gaps: 1 });
    const gate = await openConsole(context, fake.page);
    await sees(gate, "Paste a token");
    assert.deepEqual(await axe(gate), []);
    await gate.close();
    const page = await open("now");
    for (const view of VIEWS) {
      await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
      await sleep(1_500);
      assert.deepEqual(await axe(page), [], view);
      const [wide, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= window_, `${view}: ${wide} of ${window_}`);
    }
    await page.evaluate(() => (location.hash = "#/cache"));
    await button(page, "Invalidate a tag").click();
    assert.deepEqual(await axe(page), [], "a question");
    await page.keyboard.press("Escape");
    await button(page, /^Token/).click();
    assert.deepEqual(await axe(page), [], "the token");
    clean(page);
  });
}

test("by keyboard: skip the navigation, choose a view, open a queue, put a letter back, close what was told", async () => {
  dress(fake);
  const page = await open("now");
  await sees(page, "● Live");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const tabTo = async (pattern, limit = 40) => {
    for (let n = 0; n < limit; n++) {
      await page.keyboard.press("Tab");
      if (pattern.test(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent))) return;
    }
    assert.fail(`not reached: ${pattern}`);
  };
  await page.evaluate(() => document.querySelector("nav a").focus());
  await tabTo(/^Queues/);
  await page.keyboard.press("Enter");
  await sees(page, "images:resize");
  await tabTo(/^mail$/);
  await page.keyboard.press("Enter");
  await sees(page, "550 mailbox unavailable");
  await tabTo(/^Choose/);
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await sees(page, "Put dead letters back?");
  await page.keyboard.press("Enter");
  await sees(page, /Put 1 message of/);
  await tabTo(/^Close this message/, 120);
  await page.keyboard.press("Enter");
  await until("closed", async () => !(await page.locator(".told").isVisible()));
  clean(page);
});

test("on a phone the views are in a menu that Escape closes", async () => {
  await context.close();
  context = await browser.newContext({ viewport: PHONE, hasTouch: true });
  dress(fake);
  const page = await open("now");
  await sees(page, "● Live");
  const menu = button(page, "Menu");
  assert.equal(await page.getByRole("link", { name: "Trouble", exact: false }).filter({ visible: true }).count() > 1, false);
  await menu.tap();
  assert.equal(await menu.getAttribute("aria-expanded"), "true");
  await page.keyboard.press("Escape");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "☰ Menu");
  await menu.tap();
  await page.getByRole("navigation").getByRole("link", { name: "Health" }).tap();
  await sees(page, "What answers");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
  await sees(page, /one of 3/);
  clean(page);
});

test("every scope that the tokens of these tests have is one that the page uses", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  await button(page, /^Token/).click();
  const text = await dialog(page).innerText();
  for (const scope of ALL_SCOPES.split(" ")) assert.match(text, new RegExp(scope.replace(/^(campaigns):write/, "$1:read")));
});
