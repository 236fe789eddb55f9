// Now: what flows. Cards with the last 15 minutes behind each number, latency as a heatmap, everything as a table.
import { card, chart, heatmap } from "./charts.js";
import { el, show, table } from "./dom.js";
import { bytes, clock, count, latency, many, rate, share, span } from "./numbers.js";
import { addCounts, number, quantile, rates, stretches, sum, totals } from "./series.js";
import { pace, socketsOf } from "./verdict.js";
import { CLOSES, REFUSALS, meaning, reasonOf } from "./words.js";

const PARTS = 90;

/** "between 3 and 20". */
function between(values, format) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return "no numbers yet";
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return least === most ? `always ${format(most)}` : `between ${format(least)} and ${format(most)}`;
}

const mostOf = (names, table, key = (name) => name) => {
  const [first] = Object.entries(names).sort((a, b) => b[1] - a[1]);
  return first ? `most: ${meaning(table, key(first[0])).means}` : "none";
};

export function nowView(app) {
  const cards = {
    redis: card("Redis heard", ["plain"]),
    sockets: card("Sockets", ["plain"], { used: true }),
    flow: card("Messages in → out", ["in", "out"]),
    slow: card("Latency, 99 of 100 within", ["p99"]),
    closed: card("Closed in the last minute", ["plain"], { bars: true }),
    refused: card("Refused in the last minute", ["bad"], { bars: true }),
    waiting: card("Waiting for slow clients", ["warn"], { used: true }),
    users: card("Users on this hub", ["plain"]),
  };
  const heat = heatmap();
  const flow = chart("Messages a second", [["in", "in from Redis"], ["out", "out to sockets"]], rate);
  const sockets = chart("Sockets", [["v1", "v1"], ["raw", "raw"], ["sse", "event streams"]], count);
  const minutes = table("The last 15 minutes, minute by minute", ["Minute", ">In", ">Out", ">p50", ">p99", ">Sockets", ">Closed", ">Refused", ">Gaps"]);
  const asTable = el("details.as-table", { toggle: () => app.refresh() }, el("summary", "The last 15 minutes as a table"), minutes.node);
  const node = el("div.view.now", el("div.cards", Object.values(cards).map((one) => one.node)), heat.node, el("div.two", flow.node, sockets.node), asTable);
  addEventListener("resize", () => heat.draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => heat.draw());

  function updateCards(list, snapshot, minute, limits, bounds) {
    const each = (pick, join) => stretches(list, PARTS, pick, join);
    const { redis = {} } = snapshot;
    const heard = each((one) => one.redis?.heardMsAgo ?? null, Math.max);
    const up = redis.subscription && redis.commands;
    cards.redis.update({
      ...(typeof redis.heardMsAgo === "number" ? { text: span(redis.heardMsAgo), unit: "ago" } : { text: "never" }),
      sub: up ? "subscription and commands up" : `${redis.subscription ? "" : "subscription down"}${redis.subscription || redis.commands ? "" : ", "}${redis.commands ? "" : "commands down"}`,
      level: up ? "" : "bad", series: [heard], told: `The longest silence of Redis in the last 15 minutes was ${span(Math.max(0, ...heard))}.`,
    });
    const all = socketsOf(snapshot), total = each(socketsOf, Math.max);
    cards.sockets.update({
      text: count(all), sub: `${share(all, limits.sockets)} of ${count(limits.sockets)}`,
      part: all, whole: limits.sockets, level: all / limits.sockets >= 0.9 ? "bad" : "", series: [total], told: `In the last 15 minutes ${between(total, count)}.`,
    });
    const [into, out] = [rates(list, PARTS, "received"), rates(list, PARTS, "delivered")];
    const { received, delivered } = pace(minute);
    cards.flow.update({
      text: `${received} → ${delivered}`, unit: "/s",
      sub: `${count(minute.received)} → ${count(minute.delivered)} in the last minute`, series: [into, out],
      told: `A second, in the last 15 minutes: in ${between(into, rate)}, out ${between(out, rate)}.`,
    });
    const latencies = each((one) => one.latency, addCounts);
    const p99s = latencies.map((counts) => counts && quantile(counts, bounds, 0.99));
    const p99 = quantile(minute.latency, bounds, 0.99);
    cards.slow.update({
      text: p99 === null ? "–" : latency(p99), sub: p99 === null ? "no message in the last minute" : `half within ${latency(quantile(minute.latency, bounds, 0.5))}, in the last minute`,
      level: p99 > 100_000 ? "warn" : "", series: [p99s], told: `99 of 100 messages, in the last 15 minutes: ${between(p99s, latency)}.`,
    });
    const closes = each((one) => sum(one.closes ?? {}));
    cards.closed.update({ text: count(sum(minute.closes)), sub: mostOf(minute.closes, CLOSES), level: minute.closes[4408] || minute.closes[1011] ? "warn" : "", series: [closes], told: `${many(sum(closes), "socket")} closed in the last 15 minutes.` });
    const refusals = each((one) => sum(one.refusals ?? {}));
    // The verdict counts the others.
    const everyday = Object.entries(minute.refusals).reduce((all, [label, value]) => all + (meaning(REFUSALS, reasonOf(label)).ordinary ? value : 0), 0);
    cards.refused.update({ text: count(sum(minute.refusals)), sub: `${everyday ? `${count(everyday)} for everyday reasons; ` : ""}${mostOf(minute.refusals, REFUSALS, reasonOf)}`, level: app.found.some(({ key }) => key.startsWith("refused")) ? "warn" : "", series: [refusals], told: `${many(sum(refusals), "connection")} refused in the last 15 minutes.` });
    const queued = each((one) => number(one.queuedBytes), Math.max);
    cards.waiting.update({
      text: bytes(number(snapshot.queuedBytes)), sub: `${share(snapshot.queuedBytes, limits.queuedBytes)} of ${bytes(limits.queuedBytes)}`,
      part: snapshot.queuedBytes, whole: limits.queuedBytes, level: snapshot.queuedBytes / limits.queuedBytes >= 0.5 ? "warn" : "", series: [queued], told: `In the last 15 minutes ${between(queued, bytes)}.`,
    });
    const users = each((one) => number(one.users), Math.max);
    cards.users.update({ text: count(snapshot.users), sub: snapshot.users ? `${rate(all / snapshot.users)} sockets each` : "nobody", series: [users], told: `In the last 15 minutes ${between(users, count)}.` });
    return { into, out };
  }

  function heatWords(list, minute, bounds) {
    const whole = totals(list);
    if (!sum(whole.latency)) return "No message was delivered in the last 15 minutes.";
    const at = (counts, q) => latency(quantile(counts, bounds, q));
    const perMinute = stretches(list, 15, (one) => one.latency, addCounts).map((counts) => counts && quantile(counts, bounds, 0.99));
    const worst = perMinute.reduce((best, value, n) => (value !== null && (best < 0 || value > perMinute[best]) ? n : best), -1);
    const last = sum(minute.latency) ? `In the last minute half within ${at(minute.latency, 0.5)}, 99 of 100 within ${at(minute.latency, 0.99)}; ` : "No message in the last minute; ";
    return `${last}over 15 minutes ${at(whole.latency, 0.5)} and ${at(whole.latency, 0.99)}, of ${many(sum(whole.latency), "message")}. The slowest minute was ${worst === 14 ? "the last" : `${15 - worst} minutes ago`}, with ${latency(perMinute[worst])}.`;
  }

  function updateTable(list) {
    const end = list.at(-1)?.at ?? 0;
    const groups = stretches(list, 15, (one) => [one], (a, b) => [...a, ...b]);
    const bounds = app.hub.bounds;
    minutes.body.replaceChildren(...groups.flatMap((group, n) => {
      if (!group) return [];
      const all = totals(group);
      const cells = [count(all.received), count(all.delivered), latency(quantile(all.latency, bounds, 0.5)), latency(quantile(all.latency, bounds, 0.99)), count(socketsOf(group.at(-1))), count(sum(all.closes)), count(sum(all.refusals)), count(all.gaps)];
      return [el("tr", el("th", { scope: "row" }, clock(end - (15 - n) * 60_000).slice(0, 5)), cells.map((text) => el("td.n", text)))];
    }).reverse());
  }

  let drawnMinute = -1;
  return {
    node,
    update() {
      const { ring, minute, hub } = app;
      const { newest: snapshot, list } = ring;
      show(node, snapshot);
      if (!snapshot) return;
      const { into, out } = updateCards(list, snapshot, minute, hub.limits, hub.bounds);
      heat.update(list, hub.bounds, heatWords(list, minute, hub.bounds));
      flow.update([into, out], `${pace(minute).received} in and ${pace(minute).delivered} out a second over the last minute; at most ${rate(Math.max(0, ...into))} and ${rate(Math.max(0, ...out))} in the last 15 minutes.`);
      const open = ["v1", "raw", "sse"].map((name) => stretches(list, PARTS, (one) => number(one.sockets?.[name]), Math.max));
      sockets.update(open, `Now v1 ${count(snapshot.sockets?.v1)}, raw ${count(snapshot.sockets?.raw)}, event streams ${count(snapshot.sockets?.sse)}; together ${between(stretches(list, PARTS, socketsOf, Math.max), count)} in the last 15 minutes.`);
      const thisMinute = Math.floor(snapshot.at / 5000);
      if (asTable.open && drawnMinute !== thisMinute) {
        drawnMinute = thisMinute;
        updateTable(list);
      }
    },
  };
}
