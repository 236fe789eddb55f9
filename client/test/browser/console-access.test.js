// Who may see the console: pasted tokens, links, scopes, and what a token lacks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, openConsole, sees, verdictSays } from "../support/console-page.js";
import { dress } from "../support/console-scene.js";
import { button, context, dialog, fake, goTo, open, writes } from "../support/console-suite.js";
import { ALL_SCOPES, consoleToken } from "../support/fake-console.js";
import { until } from "../support/stack.js";

test("without a token the page asks for one; a pasted one opens it, and is in no address and no store", async () => {
  const page = await openConsole(context, fake.page);
  await sees(page, "Bellwire console");
  assert.equal(await page.evaluate(() => document.activeElement.type), "password");
  await page.keyboard.type("nonsense");
  await page.keyboard.press("Enter");
  await sees(page, "Invalid token");
  assert.deepEqual(fake.requests, []);
  const token = consoleToken();
  await page.getByLabel("Token").fill(`Bearer ${token}\n`);
  await page.keyboard.press("Enter");
  await sees(page, "Live");
  await verdictSays(page, /This hub is well/);
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
  await verdictSays(page, /This hub is well/);
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
  assert.match(text, /Of operator\. It expires in 59 min/);
  assert.match(text, /✓\s*ops:read/);
  assert.match(text, /–\s*cache:write/);
  await button(page, "Forget it").click();
  await sees(page, "Paste a token");
  await until("no stream is left", () => fake.streams.size === 0);
  assert.ok(!(await page.content()).includes("This hub is well"));
  clean(page);
});

test("what a token lacks is said on the button, which then does nothing", async () => {
  dress(fake);
  const page = await open("user?id=alice", { scope: "ops:read" });
  await sees(page, "Your token lacks the scope feed:read");
  for (const [view, name, scope] of [["user?id=alice", "Send a test notification", "notifications:write"], ["user?id=alice", "Mark all as read", "notifications:write"], ["queues?queue=mail", "Put all back", "queues:write"], ["cache", "Invalidate a tag", "cache:write"]]) {
    await goTo(page, view);
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

test("every scope that the tokens of these tests have is one that the page uses", async () => {
  const page = await open("now");
  await sees(page, "● Live");
  await button(page, /^Token/).click();
  const text = await dialog(page).innerText();
  for (const scope of ALL_SCOPES.split(" ")) assert.match(text, new RegExp(scope.replace(/^(campaigns):write/, "$1:read")));
});
