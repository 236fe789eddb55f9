// The token on its own: when it is asked for, renewed and given up.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Token, claims } from "../../token.js";
import { fakeToken } from "../support/fake-hub.js";

test("a token is asked for once at a time, and kept", async () => {
  let asked = 0;
  const token = new Token(async ({ refresh }) => `${refresh}${++asked}`);
  assert.deepEqual(await Promise.all([token.get(), token.get()]), ["false1", "false1"]);
  assert.equal(await token.get(), "false1");
  assert.equal(await token.renew("false1"), "true2");
  assert.equal(await token.renew("false1"), "true2", "renewed already");
  token.refuse("false1");
  assert.equal(await token.get(), "true2");
  token.refuse("true2");
  assert.equal(await token.get(), "true3");
});

test("renewal begins 30 s or a tenth before the end, in a short life at its half", () => {
  mock.timers.enable({ apis: ["Date"], now: 1e12 });
  try {
    const margin = (ms) => {
      const token = new Token(() => "x");
      token.lasts(ms);
      return token.expiresAt - token.renewAt;
    };
    assert.equal(margin(3_600_000), 360_000);
    assert.equal(margin(120_000), 30_000);
    assert.equal(margin(10_000), 5_000);
    const endless = new Token(() => "x");
    endless.lasts(Infinity);
    assert.equal(endless.renewAt, Infinity);
  } finally {
    mock.timers.reset();
  }
});

test("an endpoint that fails leaves the old token until its end", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    let fails = false;
    const token = new Token(() => {
      if (fails) throw new Error("503");
      return fakeToken("alice", 60);
    }, "alice");
    const first = await token.get();
    fails = true;
    mock.timers.tick(40_000);
    assert.equal(await token.get(), first);
    mock.timers.tick(21_000);
    await assert.rejects(token.get(), { code: "token_failed" });
    fails = false;
    assert.notEqual(await token.get(), first);
  } finally {
    mock.timers.reset();
  }
});

test("another user's token is not used, nor a text that ended asked again, nor nothing", async () => {
  await assert.rejects(new Token(() => fakeToken("bob"), "alice").get(), { code: "other_user" });
  await assert.rejects(new Token(() => null).get(), { code: "no_token" });
  const text = new Token("text");
  text.refuse(await text.get());
  await assert.rejects(text.get(), { code: "no_token" });
  assert.equal(claims(fakeToken("zoe")).sub, "zoe");
});
