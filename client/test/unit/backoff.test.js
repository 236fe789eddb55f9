// Backoff on its own: how long waits are, and what cuts them short.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { jitter, nap } from "../../backoff.js";
import { seeded } from "../support/seeded.js";

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
