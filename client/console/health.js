// Health: whether hub, Redis, record and relay answer, which versions run, and how much of each limit is used.
import { CallError, Poll, explain } from "./api.js";
import { Rows, bar, el, outside, say, setAttribute, show, tell } from "./dom.js";
import { bytes, count, latency, many, moment, share, span } from "./numbers.js";
import { number, totals } from "./series.js";
import { socketsOf } from "./verdict.js";

const READY_MS = 5_000;
const STATS_MS = 5_000;

const MARKS = { good: "✓", warn: "!", bad: "✕", unknown: "?" };
const STATE_WORDS = { good: "well", warn: "look at this", bad: "broken", unknown: "not known" };

/** Lines of a name and words, with a mark (`level`) or a bar (`part` of `whole`). */
function lines(className) {
  const list = el(`ul.${className}`);
  const rows = new Rows(list, ({ name, level }) => {
    const mark = el("span", { "aria-hidden": "true" }), state = el("span.words"), used = bar("used"), text = el("span.text");
    const row = el("li", level && mark, el("strong", name), level ? state : used.node, text);
    return {
      node: row,
      update(item) {
        setAttribute(mark, "class", `mark ${item.level}`);
        say(mark, MARKS[item.level]);
        say(state, `: ${STATE_WORDS[item.level]}, `);
        used.update([number(item.part)], item.whole);
        show(used.node, item.whole > 0);
        setAttribute(row, "class", item.whole > 0 && item.part / item.whole >= 0.9 ? "full" : "");
        say(text, item.text);
      },
    };
  });
  return { node: list, update: (items) => rows.update(items, (item) => item.name) };
}

export function healthView(app) {
  const state = lines("checks"), used = lines("usage");
  const version = el("dd"), hubId = el("dd"), started = el("dd"), functionsVersion = el("span", "–"), address = el("span");
  const fleet = el("ul.plain"), fleetWrong = tell(el("p.wrong")), online = el("p.facts");
  const fleetRows = new Rows(fleet, () => {
    const id = el("code"), self = el("span.chip.good", "this page's hub");
    return { node: el("li", id, " ", self), update(item) {
      id.replaceChildren(outside(item.id));
      show(self, item.self === true);
    } };
  });
  const node = el("div.view.health",
    el("div.two", el("section.panel", el("h2", "What answers"), state.node), el("section.panel", el("h2", "Limits, and what is used"), used.node)),
    el("div.two", el("section.panel", el("h2", "Hubs"), online, fleetWrong, fleet),
      el("section.panel", el("h2", "Versions"), el("dl", el("dt", "Hub"), version, el("dt", "Hub id"), hubId, el("dt", "Started"), started, el("dt", "Functions"), el("dd", functionsVersion, " at ", address)))));
  let ready = null, stats = null, asked = "";

  const readyPoll = new Poll({
    everyMs: READY_MS,
    async load() {
      const at = performance.now();
      const answer = await app.api.functions("GET", "/readyz");
      askVersion();
      return { answer, ms: performance.now() - at };
    },
    done: (value) => (ready = value),
    failed: (error) => (ready = { error }),
  });
  const statsPoll = new Poll({ everyMs: STATS_MS, load: () => app.api.functions("GET", "/stats"), done: (value) => (stats = value), failed: () => (stats = null) });

  /** Once for each URL: the document is large. */
  async function askVersion() {
    const url = app.api.functionsUrl;
    if (asked === url) return;
    asked = url;
    const answer = await app.api.functions("GET", "/openapi.json").catch(() => null);
    if (url === app.api.functionsUrl) functionsVersion.replaceChildren(outside(answer?.info?.version ?? "–"));
  }

  const polls = [readyPoll, statsPoll];

  function functionChecks() {
    if (!ready) return [{ name: "Functions", level: "unknown", text: "asking …" }];
    const { error, answer, ms } = ready;
    if (error instanceof CallError && error.status !== 503) return [{ name: "Functions", level: error.code === "no_functions" ? "unknown" : "bad", text: explain(error) }];
    if (error) return [{ name: "Functions", level: "bad", text: `not ready: ${error.message}` }];
    const ok = (value) => ({ level: value === "ok" ? "good" : "unknown", text: value === "ok" ? "answers" : "not reported" });
    return [
      { name: "Functions", level: ms > 1000 ? "warn" : "good", text: `ready, answered in ${latency(ms * 1000)}` },
      { name: "Record", ...ok(answer.record), ...(answer.record === "ok" && { text: "takes writes" }) },
      { name: "Redis of the functions", ...ok(answer.redis) },
    ];
  }

  function hubChecks(snapshot, list) {
    const { redis = {} } = snapshot;
    const heard = typeof redis.heardMsAgo === "number" ? `heard ${span(redis.heardMsAgo)} ago` : "not heard yet";
    const { relay, presenceFailures } = totals(list);
    const calls = number(relay.ok) + number(relay.failed);
    const presence = presenceFailures ? `failed ${many(presenceFailures, "time")} in 15 minutes` : "written";
    // Marks follow the last minute, as the verdict does; the texts tell the last 15.
    const minute = app.minute;
    return [
      { name: "Hub", level: app.silentMs < 5_000 ? "good" : "bad", text: app.silentMs < 5_000 ? "sends every second" : `silent for ${span(app.silentMs)}` },
      { name: "Redis subscription", level: redis.subscription && !(redis.heardMsAgo > 10_000) ? "good" : "bad", text: `${redis.subscription ? "subscribed" : "not subscribed"}, ${heard}` },
      { name: "Redis commands", level: redis.commands ? "good" : "bad", text: redis.commands ? "connected" : "not connected" },
      { name: "Presence", level: minute.presenceFailures ? "warn" : "good", text: presence },
      { name: "Relay", level: minute.relay.failed ? "warn" : calls ? "good" : "unknown", text: calls ? `${count(relay.ok)} of ${many(calls, "call")} succeeded in 15 minutes` : "not called in 15 minutes" },
    ];
  }

  function limits(snapshot, list) {
    const { limits: most } = app.hub;
    const sockets = socketsOf(snapshot);
    const recent = list.slice(-10).filter((one) => typeof one.cpuMs === "number");
    const cpu = recent.length ? totals(recent).cpuMs / recent.length / 10 : null;
    const items = [
      { name: "Sockets", part: sockets, whole: most.sockets, text: `${count(sockets)} of ${count(most.sockets)} (${share(sockets, most.sockets)})` },
      { name: "Waiting for slow clients", part: snapshot.queuedBytes, whole: most.queuedBytes, text: `${bytes(snapshot.queuedBytes)} of ${bytes(most.queuedBytes)} (${share(snapshot.queuedBytes, most.queuedBytes)})` },
      { name: "Sockets of one user", text: `at most ${count(most.socketsPerUser)}; refusals are under Trouble` },
      { name: "Hub: processor", text: cpu === null ? "not available on this system" : `${cpu < 10 ? cpu.toFixed(1) : Math.round(cpu)} % of one core` },
      { name: "Hub: memory", text: typeof snapshot.rssBytes === "number" ? bytes(snapshot.rssBytes) : "not available on this system" },
    ];
    if (stats) {
      const has = stats.maxMemory > 0;
      items.push({ name: "Redis: memory", part: stats.usedMemory, whole: has ? stats.maxMemory : 0, text: `${bytes(stats.usedMemory)}${has ? ` of ${bytes(stats.maxMemory)} (${share(stats.usedMemory, stats.maxMemory)})` : ", no limit set"}, ${count(stats.evictedKeys)} keys evicted` });
    }
    return items;
  }

  function showFleet({ hubs = [], onlineUsers, error }) {
    tell(fleetWrong, error && explain(error));
    fleetRows.update(hubs, (hub) => hub.id);
    say(online, hubs.length ? `${many(hubs.length, "hub")} alive, ${many(number(onlineUsers), "user")} online on all of them together. The other views show one hub only.` : "No hub is registered in Redis.");
  }

  return {
    node, polls, start: () => polls.forEach((poll) => poll.start()),
    update() {
      const { hub, ring } = app;
      const { newest: snapshot, list } = ring;
      show(node, snapshot);
      if (!snapshot) return;
      state.update([...hubChecks(snapshot, list), ...functionChecks()]);
      used.update(limits(snapshot, list));
      showFleet(app.fleet);
      address.replaceChildren(outside(app.api.functionsUrl || "–"));
      say(version, hub.version);
      hubId.replaceChildren(el("code", outside(hub.id)));
      say(started, `${moment(hub.startedAt)}, ${span(Date.now() - Date.parse(hub.startedAt))} ago`);
    },
  };
}
