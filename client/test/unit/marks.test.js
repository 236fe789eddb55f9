// Read marks and the count of the unread, on their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keepMarks } from "../../marks.js";
import { Unread } from "../../unread.js";

test("a count that is not known is asked for at the next notification, and a known one goes up", () => {
  const unread = new Unread();
  let asked = 0;
  const arrives = (seq) => unread.behind({ type: "notification", notification: { id: "0190a000-0000-7000-8000-000000000001", seq } }, seq, () => void asked++);
  assert.deepEqual([arrives(1), asked], [undefined, 1]);
  unread.value = unread.behind({ type: "pong", epoch: "e", seq: 1, unread: 1 }, 1, () => void asked++);
  assert.deepEqual([unread.value, arrives(1), arrives(2), asked], [1, undefined, 2, 1]);
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
