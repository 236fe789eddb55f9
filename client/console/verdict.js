// What is wrong now, the worst first, in one line each. Pure: from one snapshot, the last minute and the limits.
import { bytes, latency, many, rate, share, span } from "./numbers.js";
import { number, quantile, sum } from "./series.js";
import { CLOSES, REFUSALS, meaning, reasonOf } from "./words.js";

/** How long without a word of Redis is too long: the hub asks every few seconds. */
const REDIS_SILENT_MS = 10_000;
export const HUB_SILENT_MS = 5_000;
const SLOW_US = 100_000;
const FULL = 0.9;

export const socketsOf = (snapshot) => sum(snapshot.sockets ?? {});

const ranked = (names) => Object.entries(names).sort((a, b) => b[1] - a[1]);

/** `key` stays while the same thing is wrong; `view` says where to look. */
export function findings({ snapshot, minute, limits = {}, bounds = [], silentMs = 0 }) {
  const found = [];
  const note = (level, key, text, view) => found.push({ level, key, text, view });
  if (silentMs >= HUB_SILENT_MS) note("bad", "silent", `Hub silent for ${span(silentMs)}: this page shows old data`, "health");
  if (!snapshot) return found;
  const { redis = {} } = snapshot;
  const heard = redis.heardMsAgo;
  const ago = typeof heard === "number" ? `not heard for ${span(heard)}` : "not heard yet";
  if (redis.subscription === false || heard > REDIS_SILENT_MS) note("bad", "redis", `Redis ${ago}: nothing is delivered live`, "health");
  else if (redis.commands === false) note("bad", "commands", "The hub cannot send commands to Redis: no resume, no tickets, no presence", "health");
  const { closes, refusals, undelivered, relay } = minute;
  if (undelivered.shed) note("bad", "shed", `${many(undelivered.shed, "message")} dropped in the last minute: the hub cannot keep up`, "trouble");
  if (closes[1011]) note("bad", "close1011", `${many(closes[1011], "socket")} closed by an internal error in the last minute`, "trouble");
  const sockets = socketsOf(snapshot);
  const used = number(snapshot.queuedBytes) / limits.queuedBytes;
  if (sockets / limits.sockets >= FULL) note("bad", "full", `${share(sockets, limits.sockets)} of all sockets are taken`, "health");
  if (used >= 0.5) note("warn", "queued", `${bytes(snapshot.queuedBytes)} wait for slow clients, of at most ${bytes(limits.queuedBytes)}`, "trouble");
  if (closes[4408]) note("warn", "slow", `${many(closes[4408], "client")} closed as too slow in the last minute`, "trouble");
  const refused = ranked(refusals).filter(([label]) => !meaning(REFUSALS, reasonOf(label)).ordinary);
  if (refused.length) {
    const all = refused.reduce((total, [, value]) => total + value, 0);
    note("warn", `refused ${refused[0][0]}`, `${many(all, "connection")} refused in the last minute, most: ${meaning(REFUSALS, reasonOf(refused[0][0])).means}`, "trouble");
  }
  const odd = ranked(closes).filter(([code]) => !meaning(CLOSES, code).ordinary && code !== "4408" && code !== "1011");
  if (odd.length) note("warn", `close ${odd[0][0]}`, `${many(odd[0][1], "socket")} closed with ${odd[0][0]} in the last minute: ${meaning(CLOSES, odd[0][0]).means}`, "trouble");
  if (minute.gaps) note("warn", "gaps", `${many(minute.gaps, "client")} missed something in the last minute and ${minute.gaps === 1 ? "was" : "were"} told to read the feed`, "trouble");
  const p99 = quantile(minute.latency, bounds, 0.99);
  if (p99 > SLOW_US) note("warn", "latency", `Slow: 1 of 100 messages took ${latency(p99)} or longer through the hub in the last minute`, "now");
  if (minute.presenceFailures) note("warn", "presence", `Presence failed ${many(minute.presenceFailures, "time")} in the last minute`, "trouble");
  if (relay.failed) note("warn", "relay", `The relay failed ${many(relay.failed, "time")} in the last minute`, "trouble");
  if (minute.invalidEvents || undelivered.unreadable) {
    note("warn", "unreadable", `${many(minute.invalidEvents + number(undelivered.unreadable), "message")} from Redis could not be read in the last minute`, "trouble");
  }
  const order = { bad: 0, warn: 1 };
  return found.sort((a, b) => order[a.level] - order[b.level]);
}

/** Messages a second, over the last minute: the one span of all rates of the verdict and the cards. */
export function pace({ received, delivered, seconds }) {
  const mean = (value) => rate(value / Math.max(1, seconds));
  return { received: mean(received), delivered: mean(delivered) };
}

/** The line while nothing is wrong. */
export function allWell({ snapshot, minute, bounds = [] }) {
  const { received, delivered } = pace(minute);
  const p99 = quantile(minute.latency, bounds, 0.99);
  const slow = p99 === null ? "" : `, 99 of 100 within ${latency(p99)}`;
  return `This hub is well: ${many(socketsOf(snapshot), "socket")} of ${many(number(snapshot.users), "user")}; in the last minute ${received} in and ${delivered} out a second${slow}`;
}

export const levelWord = { bad: "Broken", warn: "Look at this", good: "Well" };
