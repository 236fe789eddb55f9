// What the console computes: quantiles and the heatmap's cells, numbers as texts, scopes, the verdict.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { homeOf } from "../../console/api.js";
import { nice } from "../../console/charts.js";
import { cleanToken, lacking, readGrant } from "../../console/grant.js";
import { bytes, count, latency, many, moment, rate, share, span } from "../../console/numbers.js";
import { KEPT_S, Ring, addCounts, height, quantile, shade, stretches, sum, totals } from "../../console/series.js";
import { allWell, findings, pace } from "../../console/verdict.js";
import { CLOSES, REFUSALS } from "../../console/words.js";
import { BOUNDS, busyHistory, consoleToken, quiet } from "../support/fake-console.js";

const NOW = Date.parse("2026-11-29T12:00:00Z");

test("a quantile is linear within its bucket, as in Prometheus", () => {
  const bounds = [100, 200, 400];
  assert.equal(quantile([0, 10, 0, 0], bounds, 0.5), 150);
  assert.equal(quantile([10, 10, 0, 0], bounds, 0.5), 100);
  assert.equal(quantile([10, 10, 0, 0], bounds, 0.75), 150);
  assert.equal(quantile([0, 0, 4, 0], bounds, 1), 400);
  assert.equal(quantile([1, 0, 0, 0], bounds, 0.99), 99);
});

test("a quantile above the last bound is that bound; without observations there is none", () => {
  assert.equal(quantile([0, 0, 0, 5], [100, 200, 400], 0.5), 400);
  assert.equal(quantile([0, 0, 0, 0], [100, 200, 400], 0.5), null);
  assert.equal(quantile([], [], 0.5), null);
});

test("a quantile agrees with sorting the observations, within a bucket", () => {
  const values = Array.from({ length: 2_000 }, (_, n) => ((n * 7919) % 2_000) * 50);
  const counts = new Array(BOUNDS.length + 1).fill(0);
  for (const value of values) counts[BOUNDS.findIndex((bound) => value <= bound)]++;
  values.sort((a, b) => a - b);
  for (const q of [0.01, 0.5, 0.9, 0.99]) {
    const truth = values[Math.ceil(q * values.length) - 1];
    const n = BOUNDS.findIndex((bound) => truth <= bound);
    const got = quantile(counts, BOUNDS, q);
    assert.ok(got >= (BOUNDS[n - 1] ?? 0) && got <= BOUNDS[n], `${q}: ${got} for ${truth}`);
  }
});

test("the heatmap's columns add up the seconds that fall into them, and leave gaps empty", () => {
  const one = (ago, latencyCounts) => ({ at: NOW - ago * 1000, latency: latencyCounts });
  const columns = stretches([one(899, [1, 0]), one(4, [2, 0]), one(1, [0, 3]), one(0, [1, 1])], 180, (snapshot) => snapshot.latency, addCounts);
  assert.equal(columns.length, 180);
  assert.deepEqual(columns[0], [1, 0]);
  assert.deepEqual(columns[179], [3, 4]);
  assert.equal(columns.filter((column) => column === null).length, 178);
});

test("every snapshot of 15 minutes falls into exactly one stretch", () => {
  const list = Array.from({ length: KEPT_S }, (_, n) => ({ at: NOW + n * 1000, received: 1 }));
  for (const parts of [15, 90, 180]) {
    const values = stretches(list, parts, (one) => one.received);
    assert.deepEqual(values, new Array(parts).fill(KEPT_S / parts));
  }
});

test("cells are darker the larger their share, and visible when they are small", () => {
  assert.equal(shade(0, 100), 0);
  assert.ok(shade(1, 1e6) > 0.1);
  assert.ok(shade(90, 100) > shade(10, 100));
  assert.equal(shade(5, 5), 1);
});

test("a latency stands in the middle of its bucket's row, whatever the bucket's width", () => {
  assert.equal(height(50, [100, 1000]), 0.5);
  assert.equal(height(550, [100, 1000]), 1.5);
  assert.equal(height(5000, [100, 1000]), 2);
});

test("a ring keeps 15 minutes in order, without doubles, when history comes late or twice", () => {
  const ring = new Ring();
  const list = busyHistory(NOW, 900);
  ring.take([list[899]]);
  for (let n = 0; n < 900; n += 100) ring.take(list.slice(n, n + 100));
  ring.take(list.slice(100, 200));
  assert.deepEqual(ring.list.map((one) => one.at), list.map((one) => one.at));
  ring.take([{ ...quiet(NOW + 60_000), received: 5 }]);
  assert.equal(ring.list.length, 900 - 60 + 1);
  assert.equal(ring.newest.received, 5);
  assert.equal(ring.last(60).length, 1);
  ring.take([null, { at: "x" }, {}]);
  assert.equal(ring.newest.received, 5);
});

test("totals add counts by name, also names that objects have of their own", () => {
  const total = totals([{ ...quiet(NOW), closes: { 4408: 2 }, undelivered: JSON.parse('{"constructor":1,"__proto__":4}') }, { ...quiet(NOW), closes: { 4408: 1, none: 1 }, gaps: 3 }]);
  assert.deepEqual({ ...total.closes }, { 4408: 3, none: 1 });
  assert.equal(total.undelivered.constructor, 1);
  assert.equal(total.gaps, 3);
  assert.equal(sum(total.closes), 4);
});

test("the verdict's rates are the card's: those of the last minute", () => {
  assert.deepEqual(pace(totals([{ ...quiet(NOW), received: 90 }, ...Array.from({ length: 59 }, () => quiet(NOW))])), { received: "1.5", delivered: "0" });
  assert.deepEqual(pace(totals([])), { received: "0", delivered: "0" });
});

test("numbers", () => {
  assert.deepEqual([0, 7, 1234, 999_999, 1_234_567, undefined, null, NaN].map(count), ["0", "7", "1,234", "999,999", "1.2 M", "–", "–", "–"]);
  assert.deepEqual([0, 1 / 60, 0.25, 3, 9.96, 12.4].map(rate), ["0", "0.02", "0.3", "3", "10.0", "12"]);
  assert.deepEqual([0, 1023, 1536, 268_435_456, 3.2 * 2 ** 40].map(bytes), ["0 B", "1,023 B", "1.5 KiB", "256 MiB", "3.2 TiB"]);
  assert.deepEqual([48.4, 999, 1_000, 3_420, 42_000, 2_500_000, null].map(latency), ["48 µs", "999 µs", "1 ms", "3.4 ms", "42 ms", "2.5 s", "–"]);
  assert.equal(many(1, "client"), "1 client");
  assert.equal(many(1200, "client"), "1,200 clients");
  assert.equal(many(2, "entry", "entries"), "2 entries");
});

test("ages", () => {
  const texts = [[0, "0.0 s"], [4_200, "4.2 s"], [12_900, "12 s"], [60_000, "1 min"], [3_599_000, "59 min"], [7_500_000, "2 h 5 min"], [7_200_000, "2 h"], [273_840_000, "3 d 4 h"], [86_400_000, "1 d"], [undefined, "–"], [-5, "0.0 s"]];
  for (const [ms, text] of texts) assert.equal(span(ms), text);
});

test("shares never claim nothing or all of what is not", () => {
  assert.deepEqual([share(0, 10), share(1, 1000), share(5, 10), share(999, 1000), share(10, 10), share(1, 0), share(null, 3)], ["0 %", "<1 %", "50 %", ">99 %", "100 %", "–", "–"]);
});

test("moments: today as a time of day, others with their date, what is none as it came", () => {
  const date = new Date(2026, 10, 29, 9, 5, 3);
  assert.equal(moment(date.toISOString(), date.getTime() + 60_000), "09:05:03");
  assert.equal(moment(date.toISOString(), date.getTime() + 86_400_000), "2026-11-29 09:05");
  assert.equal(moment("<b>"), "<b>");
  assert.equal(moment(undefined), "–");
});

test("scales end at 2, 4, 6 or 10, of bytes within their unit", () => {
  assert.deepEqual([0, 0.7, 1, 3, 20, 21, 55, 999].map((value) => nice(value)), [2, 1, 2, 4, 20, 40, 60, 1000]);
  assert.equal(nice(133 * 2 ** 20, 1024), 200 * 2 ** 20);
});

test("no two labels of a scale are the same, whatever its largest value", () => {
  const values = Array.from({ length: 4_000 }, (_, n) => Math.round(1.009 ** n)).filter(Number.isSafeInteger);
  for (const [format, unit, more] of [[count, Infinity, []], [bytes, 1024, []], [rate, Infinity, [0.1, 0.3, 0.7]]])
    for (const value of [0, ...more, ...values]) {
      const end = nice(value, unit);
      const labels = [format(end), format(end / 2), "0"];
      assert.ok(end >= value * 0.999 && new Set(labels).size === 3, `${value}: ${labels}`);
      assert.ok(Number.isInteger(end / 2) || format === rate, `${value}: ${end}`);
    }
});

test("a token's claims say what it permits, and what is no token permits nothing", () => {
  const grant = readGrant(consoleToken("ops:read queues:write", { sub: "ölaf" }));
  assert.equal(grant.sub, "ölaf");
  assert.ok(grant.expiresAt > Date.now());
  assert.equal(lacking(grant, "ops:read"), null);
  assert.equal(lacking(grant, "queues:write"), null);
  assert.equal(lacking(grant, "queues:read"), null, "write includes read for queues");
  assert.equal(lacking(grant, "feed:read"), "feed:read");
  assert.equal(lacking(grant, "feed:read", "ölaf"), null, "one's own feed needs no scope");
  assert.equal(lacking(grant, "cache:write"), "cache:write");
  assert.equal(lacking(readGrant(consoleToken("ops:write notifications:write")), "ops:read"), "ops:read");
  assert.equal(lacking(null, "ops:read"), "ops:read");
  for (const text of ["", "abc", "a.b.c", `x.${Buffer.from("7").toString("base64url")}.y`, `x.${Buffer.from("null").toString("base64url")}.y`]) assert.equal(lacking(readGrant(text), "ops:read"), "ops:read");
});

test("tokens are taken as people copy them", () => {
  for (const text of [" a.b.c\n", "Bearer a.b.c", "Authorization: Bearer a.b.c", '"a.b.c"', "a.b\n.c"]) assert.equal(cleanToken(text), "a.b.c");
});

test("the data lies beside the page, wherever a proxy puts it", () => {
  for (const page of ["https://ops/b/console", "https://ops/b/console/", "https://ops/b/console/console.html", "https://ops/b/console?x#/user?id=a/b"]) assert.equal(homeOf(page), "https://ops/b/console");
});

const limits = { sockets: 1000, socketsPerUser: 20, queuedBytes: 1 << 20 };
const judge = (snapshot, seconds = [], more = {}) => findings({ snapshot: { ...quiet(NOW), ...snapshot }, minute: totals([...seconds.map((one) => ({ ...quiet(NOW), ...one }))]), limits, bounds: BOUNDS, ...more }).map(({ level, text }) => `${level}: ${text}`);

test("the verdict is a line for each trouble, the worst first", () => {
  assert.deepEqual(judge({}), []);
  assert.deepEqual(judge({ redis: { subscription: false, commands: false, heardMsAgo: 4_200 } }), ["bad: Redis not heard for 4.2 s: nothing is delivered live"]);
  assert.deepEqual(judge({ redis: { subscription: true, commands: true, heardMsAgo: 12_000 } }), ["bad: Redis not heard for 12 s: nothing is delivered live"]);
  assert.deepEqual(judge({ redis: { subscription: true, commands: true, heardMsAgo: 4_900 } }), [], "Redis is asked every few seconds");
  assert.deepEqual(judge({}, [{ closes: { 4408: 12 } }]), ["warn: 12 clients closed as too slow in the last minute"]);
  assert.deepEqual(judge({}, [{ closes: { none: 50, 4401: 3, 1012: 4 } }]), [], "everyday closes are no trouble");
  assert.deepEqual(judge({}, [{ refusals: { "not_ready/handshake_rate": 40, "forbidden/origin": 2, "unauthorized/token_expired": 900 } }]), ["warn: 42 connections refused in the last minute, most: too many handshakes a second from all clients"]);
  assert.deepEqual(judge({}, [{ gaps: 1 }, { undelivered: { shed: 3 } }]).map((text) => text.slice(0, 12)), ["bad: 3 messa", "warn: 1 clie"]);
  assert.deepEqual(judge({ sockets: { v1: 950 } }), ["bad: 95 % of all sockets are taken"]);
  assert.match(judge({}, [], { silentMs: 12_400 })[0], /^bad: Hub silent for 12 s/);
  assert.match(judge({}, [{ refusals: { "x/<img src=x>": 1 } }])[0], /unknown to this page/);
});

test("latency is judged by the last minute's p99", () => {
  const counts = (bucket) => BOUNDS.map((_, n) => (n === bucket ? 10 : 0)).concat(0);
  assert.deepEqual(judge({}, [{ latency: counts(10) }]), []);
  assert.match(judge({}, [{ latency: counts(11) }])[0], /^warn: Slow: /);
});

test("when all is well the line says what flows", () => {
  const snapshot = { ...quiet(NOW), sockets: { v1: 3, sse: 1 }, users: 2 };
  assert.equal(allWell({ snapshot, minute: totals([{ ...snapshot, received: 4, delivered: 8 }]), bounds: BOUNDS }), "This hub is well: 4 sockets of 2 users; in the last minute 4 in and 8 out a second");
});

test("every close code and every reason of a refusal has a meaning", () => {
  const rust = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  const codes = [...rust("shared/src/close.rs").matchAll(/=> (\d{4}),/g)].map(([, code]) => code);
  assert.ok(codes.length >= 11);
  for (const code of codes) assert.ok(CLOSES[code]?.means, code);
  const reasons = [...rust("hub/src/http/refusal_reason.rs").matchAll(/Reason::\w+ => "(\w+)"/g)].map(([, reason]) => reason);
  assert.ok(reasons.length >= 24);
  for (const reason of reasons) assert.ok(REFUSALS[reason]?.means, reason);
});

test("names of the top level are unique in the console's files, so that they can be joined", () => {
  const directory = new URL("../../console/", import.meta.url), seen = new Map();
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(new URL(file, directory), "utf8");
    for (const [, name] of text.matchAll(/^(?:export )?(?:async )?(?:const|let|class|function) (\w+)/gm)) {
      assert.ok(!seen.has(name), `${name} in ${file} and ${seen.get(name)}`);
      seen.set(name, file);
    }
    for (const [line] of text.matchAll(/^import.*$/gm)) assert.match(line, /^import \{ [\w, ]+ \} from "(\.\/\w+|\.\.\/sse-parser)\.js";$/, file);
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|setAttribute\("style"|localStorage|sessionStorage/, file);
  }
});
