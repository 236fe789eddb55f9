// The position on its own: what moves it, what comes twice, when something may be lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Position, isOurs, query } from "../../position.js";

const id = (seq) => `0190a000-0000-7000-8000-${String(seq).padStart(12, "0")}`;
const note = (seq, more) => ({ type: "notification", notification: { id: id(seq), userId: "alice", seq, title: `t${seq}`, createdAt: "x", ...more } });
const welcome = (epoch, seq) => ({ type: "welcome", epoch, seq });

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
