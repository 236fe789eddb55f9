// Trouble: what was refused, closed, missed and dropped in the last 15 minutes, by code, with what it means.
import { el, listing, say, setAttribute, show } from "./dom.js";
import { chart, spark } from "./charts.js";
import { bytes, count, many } from "./numbers.js";
import { number, stretches, totals } from "./series.js";
import { CLOSES, JOBS, REFUSALS, RESUMES, UNDELIVERED, meaning, reasonOf } from "./words.js";

const PARTS_OF_STRIP = 90;

/** A table of codes: each with its meaning, its strip and its counts. */
function strips(title, about, none, meanings, nameOf = (key) => key) {
  const words = el("p.words");
  const isOrdinary = (key) => Boolean(meaning(meanings, nameOf(key)).ordinary);
  const drawn = listing(title, ["Code", "What it means", "~15 minutes", ">Last minute", ">15 minutes"], none, ({ key }) => {
    const { means, todo } = meaning(meanings, nameOf(key)), ordinary = isOrdinary(key);
    const strip = spark([ordinary ? "plain" : "bad"], { bars: true, tall: 26 });
    const minute = el("td.n"), all = el("td.n");
    const node = el("tr", el("th", { scope: "row" }, el("code", nameOf(key))), el("td", el("span.means", means), todo && el("span.todo", todo)), el("td.strip", strip.node), minute, all);
    return {
      node,
      update(item) {
        strip.update([item.series], Math.max(4, ...item.series));
        say(minute, count(item.minute));
        say(all, count(item.all));
        setAttribute(node, "class", ordinary ? "ordinary" : item.minute ? "hot" : "");
      },
    };
  }, (item) => item.key);
  const node = el("section.panel.strips", el("h2", title), el("p.about", about), words, drawn.node);
  return {
    node,
    /** `pick(snapshot)`: its counts by name. */
    update(list, pick) {
      const [whole, minute] = [Object.create(null), Object.create(null)];
      const from = (list.at(-1)?.at ?? 0) - 60_000;
      for (const one of list) {
        for (const [key, value] of Object.entries(pick(one) ?? {})) {
          if (!number(value)) continue;
          whole[key] = (whole[key] ?? 0) + value;
          if (one.at > from) minute[key] = (minute[key] ?? 0) + value;
        }
      }
      const items = Object.keys(whole).map((key) => ({ key, all: whole[key], minute: minute[key] ?? 0, series: stretches(list, PARTS_OF_STRIP, (one) => number(pick(one)?.[key])) }));
      items.sort((a, b) => isOrdinary(a.key) - isOrdinary(b.key) || b.all - a.all || (a.key < b.key ? -1 : 1));
      drawn.update(items);
      say(words, items.length ? `${many(items.length, "kind")}; most: ${items.slice(0, 3).map((item) => `${nameOf(item.key)} ${count(item.all)}`).join(", ")}.` : "");
    },
  };
}

export function troubleView(app) {
  const refused = strips("Refused connections", "Handshakes, streams and tickets that the hub rejected. Its log names the page's origin and the failed check.", "Nothing was refused in the last 15 minutes.", REFUSALS, reasonOf);
  const closed = strips("Closed sockets", "By close code. Those in grey are everyday.", "No socket was closed in the last 15 minutes.", CLOSES);
  const resumed = strips("Resumes and gaps", "Clients that came back with a cursor, and what they received.", "No client came back in the last 15 minutes.", RESUMES);
  const lost = strips("Messages that went to no socket", "Of those that Redis published.", "Every message of the last 15 minutes went to a socket.", UNDELIVERED);
  const jobs = strips("Relay and presence", "The hub's other work.", "No calls and no failures in the last 15 minutes.", JOBS);
  const waiting = chart("Waiting for slow clients", [["warn", "queued"]], bytes);
  const missing = chart("Clients told of a gap, in 10 seconds", [["bad", "gaps"]], count);
  const node = el("div.view.trouble", refused.node, closed.node, el("div.two", waiting.node, missing.node), resumed.node, lost.node, jobs.node);
  return {
    node,
    update() {
      const { ring, hub } = app;
      show(node, ring.newest);
      if (!ring.newest) return;
      refused.update(ring.list, (one) => one.refusals);
      closed.update(ring.list, (one) => one.closes);
      resumed.update(ring.list, (one) => one.resumes);
      lost.update(ring.list, (one) => one.undelivered);
      jobs.update(ring.list, (one) => ({ ...one.relay, presence: one.presenceFailures, invalid: one.invalidEvents }));
      const queued = stretches(ring.list, PARTS_OF_STRIP, (one) => number(one.queuedBytes), Math.max);
      waiting.update([queued], `Now ${bytes(ring.newest.queuedBytes)}, at most ${bytes(Math.max(0, ...queued))} in the last 15 minutes; the hub closes slow clients at ${bytes(hub.limits.queuedBytes)}.`);
      const gaps = stretches(ring.list, PARTS_OF_STRIP, (one) => number(one.gaps));
      missing.update([gaps], `${many(totals(ring.list).gaps, "gap")} in the last 15 minutes.`);
    },
  };
}
