// Backoff, position, marks and token on their own.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { jitter, nap } from "../../backoff.js";
import { keepMarks } from "../../marks.js";
import { Position, isOurs, query } from "../../position.js";
import { Token, claims } from "../../token.js";
import { fakeToken } from "../support/fake-hub.js";
import { Unread } from "../../unread.js";

const id = (seq) => `0190a000-0000-7000-8000-${String(seq).padStart(12, "0")}`;
const note = (seq, more) => ({ type: "notification", notification: { id: id(seq), userId: "alice", seq, title: `t${seq}`, createdAt: "x", ...more } });
const welcome = (epoch, seq) => ({ type: "welcome", epoch, seq });

/** Mulberry32. */
function seeded(a) {
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("jitter is full, doubles, and stops at half a minute", (t) => {
  for (let tries = 0; tries < 70; tries++) {
    t.mock.method(Math, "random", seeded(tries + 1));
    const waits = Array.from({ length: 2000 }, () => jitter(tries));
    const top = Math.min(30_000, 500 * 2 ** tries);
    assert.ok(Math.max(...waits) <= top && Math.max(...waits) > top * 0.99);
    assert.ok(Math.min(...waits) < top * 0.01);
    const mean = waits.reduce((a, b) => a + b) / waits.length;
    assert.ok(Math.abs(mean - top / 2) < top * 0.03);
  }
});

test("a nap is cut short by a wake, but not one that the hub named", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    let over = 0;
    const own = nap(30_000, false), hint = nap(30_000, true);
    own.over.then(() => (over += 1));
    hint.over.then(() => (over += 10));
    own.hurry();
    hint.hurry();
    mock.timers.tick(1_001);
    await Promise.resolve();
    assert.equal(over, 1);
    mock.timers.tick(29_000);
    await Promise.resolve();
    assert.equal(over, 11);
  } finally {
    mock.timers.reset();
  }
});

test("the cursor is the newest position of welcome, notification and gap", () => {
  const p = new Position();
  assert.equal(query(p.cursor), "");
  p.take(welcome("e", 7));
  assert.equal(query(p.cursor), "?since=seq:7&epoch=e");
  assert.ok(p.take(note(8)));
  assert.equal(query(p.cursor), "?since=seq:8&epoch=e");
  p.take({ type: "gap", reason: "missed", epoch: "e", seq: 20 });
  assert.equal(p.take(note(15)), null);
  assert.ok(p.take(note(21)));
  p.take({ type: "gap", reason: "epoch", epoch: "f g", seq: 2 });
  assert.equal(query(p.cursor), "?since=seq:2&epoch=f%20g");
  assert.ok(p.take(note(3, { id: id(900) })));
});

test("a welcome does not move a cursor, for what was missed follows", () => {
  const p = new Position({ epoch: "e", seq: 3 });
  p.take(welcome("e", 9));
  for (const seq of [4, 5, 6, 7, 8, 9]) assert.ok(p.take(note(seq)), String(seq));
  assert.equal(p.take(note(9)), null);
});

test("since an id: the position is known from the first notification on", () => {
  const p = new Position(id(3));
  assert.equal(query(p.cursor), `?since=id:${id(3)}`);
  p.take(welcome("e", 4));
  assert.equal(query(p.cursor), `?since=id:${id(3)}`);
  p.take(note(4));
  assert.equal(query(p.cursor), "?since=seq:4&epoch=e");
});

test("entries of other services come once by their id and never move the cursor", () => {
  const p = new Position();
  p.take(welcome("e", 1));
  const foreign = { type: "notification", notification: { id: 17, seq: 1e9, title: "x" } };
  assert.equal(isOurs(foreign.notification), false);
  assert.ok(p.take(foreign));
  assert.equal(p.take(foreign), null);
  assert.ok(p.take({ type: "notification", notification: { title: "no id" } }));
  assert.ok(p.take({ type: "notification", notification: { title: "no id" } }));
  assert.equal(query(p.cursor), "?since=seq:1&epoch=e");
  for (let n = 0; n < 10_000; n++) p.take({ type: "notification", notification: { id: `f${n}` } });
  assert.ok(p.take(foreign), "only so many are remembered");
});

test("a connection that comes back without a cursor says that something may be lost", () => {
  const p = new Position();
  assert.equal(p.take(welcome(null, 0)).type, "welcome");
  assert.deepEqual(p.take(welcome("e", 2)), { type: "gap", reason: "missed", epoch: "e", seq: 2 });
  assert.equal(p.take(welcome("e", 2)).type, "welcome");
  const none = new Position();
  none.take(welcome(null, 0));
  assert.equal(none.take(welcome("e", 0)).type, "welcome", "nothing has been there");
});

test("a pong gives a position to a connection that had none, and moves no other", () => {
  const pong = (epoch, seq) => ({ type: "pong", epoch, seq, unread: 0 });
  const p = new Position();
  p.take(welcome(null, 0));
  assert.equal(p.take(pong(null, 0)).type, "pong");
  assert.equal(query(p.cursor), "");
  p.take(pong("e", 0));
  assert.equal(query(p.cursor), "?since=seq:0&epoch=e");
  p.take(pong("e", 7));
  assert.equal(query(p.cursor), "?since=seq:0&epoch=e");
});

test("a welcome while Redis is away does not lose the epoch", () => {
  const p = new Position({ epoch: "e", seq: 3 });
  p.take(welcome(null, 0));
  assert.equal(p.take(note(3)), null);
  assert.ok(p.take(note(4)));
  assert.equal(query(p.cursor), "?since=seq:4&epoch=e");
});

test("a count that is not known is asked for at the next notification, and a known one goes up", () => {
  const unread = new Unread();
  let asked = 0;
  const arrives = (seq) => unread.behind({ type: "notification", notification: { id: "0190a000-0000-7000-8000-000000000001", seq } }, seq, () => void asked++);
  assert.deepEqual([arrives(1), asked], [undefined, 1]);
  unread.value = unread.behind({ type: "pong", epoch: "e", seq: 1, unread: 1 }, 1, () => void asked++);
  assert.deepEqual([unread.value, arrives(1), arrives(2), asked], [1, undefined, 2, 1]);
});

test("a tab that is behind the leader knows it", () => {
  const behind = (mine, leaders) => {
    const p = new Position(mine);
    return p.follow(leaders);
  };
  assert.equal(behind(undefined, { epoch: "e", seq: 5 }), false);
  assert.equal(behind({ epoch: "e", seq: 5 }, { epoch: "e", seq: 5 }), false);
  assert.equal(behind({ epoch: "e", seq: 6 }, { epoch: "e", seq: 5 }), false);
  assert.equal(behind({ epoch: "e", seq: 4 }, { epoch: "e", seq: 5 }), true);
  assert.equal(behind({ epoch: "d", seq: 9 }, { epoch: "e", seq: 5 }), true);
  assert.equal(behind(id(5), { epoch: "e", seq: 5, id: id(5) }), false);
  assert.equal(behind(id(4), { epoch: "e", seq: 5, id: id(5) }), true);
  assert.equal(behind({ epoch: "e", seq: 4 }, null), false);
});

test("marks add up: the highest position, each id once, until they are sent", () => {
  const stored = new Map();
  const store = { getItem: (k) => stored.get(k) ?? null, setItem: (k, v) => stored.set(k, v), removeItem: (k) => stored.delete(k) };
  const marks = keepMarks("k", store);
  assert.equal(marks.next("e"), null);
  marks.add({ upTo: 3, epoch: "e" });
  marks.add({ ids: ["a", "b"] });
  marks.add({ upTo: 2, epoch: "e" });
  marks.add({ ids: ["b", "c"] });
  const other = keepMarks("k", store);
  assert.deepEqual(other.next("e"), { upTo: 3 });
  other.done({ upTo: 3 });
  assert.deepEqual(other.next("e"), { ids: ["a", "b", "c"] });
  other.add({ ids: ["d"] });
  other.done({ ids: ["a", "b", "c"] });
  assert.deepEqual(marks.next("e"), { ids: ["d"] });
  marks.done({ ids: ["d"] });
  assert.equal(stored.size, 0);
  marks.add({ ids: Array.from({ length: 150 }, (_, n) => `i${n}`) });
  assert.equal(marks.next("e").ids.length, 100);
  marks.done(marks.next("e"));
  assert.equal(marks.next("e").ids.length, 50);
});

test("a mark up to a position of another epoch is not sent", () => {
  const marks = keepMarks("k");
  marks.add({ upTo: 9, epoch: "old" });
  assert.equal(marks.next("new"), null);
  marks.add({ upTo: 9, epoch: "old" });
  marks.add({ upTo: 2, epoch: "new" });
  assert.deepEqual(marks.next("new"), { upTo: 2 });
});

test("a storage that throws does not lose a mark of this tab", () => {
  const full = { getItem: () => null, setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  const marks = keepMarks("k", full);
  marks.add({ ids: ["a"] });
  assert.deepEqual(marks.next("e"), { ids: ["a"] });
});

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
