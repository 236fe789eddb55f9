// The last 15 minutes: snapshots of the hub, one a second, and what the charts take from them.

export const KEPT_S = 900;

/** Snapshots, oldest first, at most one for each moment. */
export class Ring {
  list = [];

  clear() {
    this.list = [];
  }

  /** In any order: a history may come after the first snapshot. */
  take(snapshots) {
    const good = snapshots.filter((one) => Number.isFinite(one?.at));
    const last = this.list.at(-1)?.at ?? -Infinity;
    const ordered = good.every((one, n) => one.at > (n ? good[n - 1].at : last));
    const all = ordered ? [...this.list, ...good] : [...new Map([...this.list, ...good].map((one) => [one.at, one])).values()];
    if (!ordered) all.sort((a, b) => a.at - b.at);
    const from = (all.at(-1)?.at ?? 0) - KEPT_S * 1000;
    this.list = all.filter((one) => one.at > from).slice(-KEPT_S);
  }

  get newest() {
    return this.list.at(-1);
  }

  /** Of the last so many seconds before the newest one. */
  last(seconds) {
    const from = (this.newest?.at ?? 0) - seconds * 1000;
    return this.list.filter((one) => one.at > from);
  }
}

/**
 * One value for each of `parts` equal stretches of the last `KEPT_S` seconds, oldest first; null where there is no
 * snapshot. `join` puts two values of a stretch together.
 */
export function stretches(list, parts, pick, join = add) {
  const out = new Array(parts).fill(null);
  const end = list.at(-1)?.at ?? 0;
  const each = (KEPT_S * 1000) / parts;
  for (const one of list) {
    const at = parts - 1 - Math.floor((end - one.at) / each);
    if (at < 0) continue;
    const value = pick(one);
    if (value !== null && value !== undefined) out[at] = out[at] === null ? value : join(out[at], value);
  }
  return out;
}

const add = (a, b) => a + b;

/** Counts of buckets, added up. */
export const addCounts = (a, b) => (a.length < b.length ? b.map((value, n) => value + (a[n] ?? 0)) : a.map((value, n) => value + (b[n] ?? 0)));

/** Adds up objects of counts. */
function addNames(total, names) {
  for (const [name, value] of Object.entries(names ?? {})) total[name] = (total[name] ?? 0) + number(value);
  return total;
}

export const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : 0);

/** The time that a snapshot's counts are of. */
const msOf = (one) => (one.ms > 0 ? one.ms : 1000);

/** Counts a second, in each of `parts` stretches. */
export const rates = (list, parts, name) =>
  stretches(list, parts, (one) => [number(one[name]), msOf(one)], ([a, b], [c, d]) => [a + c, b + d]).map((value) => value && (value[0] / value[1]) * 1000);

const COUNTS = ["received", "delivered", "gaps", "invalidEvents", "presenceFailures", "cpuMs"];
const NAMES = ["closes", "refusals", "resumes", "undelivered", "relay"];

/** All counts of these snapshots. */
export function totals(list) {
  const total = Object.fromEntries([...COUNTS.map((name) => [name, 0]), ...NAMES.map((name) => [name, Object.create(null)])]);
  total.seconds = list.reduce((all, one) => all + msOf(one), 0) / 1000;
  total.latency = [];
  for (const one of list) {
    for (const name of COUNTS) total[name] += number(one[name]);
    for (const name of NAMES) addNames(total[name], one[name]);
    total.latency = addCounts(total.latency, one.latency ?? []);
  }
  return total;
}

export const sum = (values) => Object.values(values).reduce((all, value) => all + value, 0);

/**
 * A quantile of counts by bucket, linear within a bucket as Prometheus has it. `bounds` are the upper bounds of all
 * buckets but the last, which has none: a quantile in it is the last bound. Null without observations.
 */
export function quantile(counts, bounds, q) {
  const all = sum(counts);
  if (!all) return null;
  const rank = q * all;
  let below = 0;
  for (const [n, bound] of bounds.entries()) {
    const here = counts[n] ?? 0;
    if (here && below + here >= rank) {
      const from = n ? bounds[n - 1] : 0;
      return from + (bound - from) * Math.max(0, (rank - below) / here);
    }
    below += here;
  }
  return bounds.at(-1) ?? null;
}

/** How dark a cell of the heatmap is, 0–1: its share of the column, so that quiet minutes can be read, too. */
export const shade = (value, column) => (value > 0 ? 0.12 + 0.88 * Math.sqrt(value / column) : 0);

/** Where a time stands on an axis of buckets of equal height, from 0 at the bottom to the number of buckets. */
export function height(us, bounds) {
  const n = bounds.findIndex((bound) => us <= bound);
  if (n < 0) return bounds.length;
  const from = n ? bounds[n - 1] : 0;
  return n + (us - from) / (bounds[n] - from);
}
