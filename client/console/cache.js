// Cache: what each resource is asked and how it answers, Redis' own figures, invalidating a tag.
import { Poll, explain, objects } from "./api.js";
import { action, ask } from "./ask.js";
import { card } from "./charts.js";
import { bar, el, legend, listing, outside, say, setAttribute, show, tell } from "./dom.js";
import { bytes, count, latency, many, moment, share } from "./numbers.js";
import { number } from "./series.js";
import { lacking } from "./grant.js";

const EACH_MS = 3_000;

const millis = (value) => latency(typeof value === "number" ? value * 1000 : null);

function resourceRow({ resource, tags }) {
  const bars = bar("ready", "delayed", "dead"), cells = Array.from({ length: 9 }, () => el("td.n"));
  return {
    node: el("tr", el("th", { scope: "row" }, outside(resource), Array.isArray(tags) && tags.length > 0 && el("span.todo", "tags ", outside(tags.join(", ")))), el("td.strip", bars.node), cells),
    update({ hits, stale, misses, fetches, failures, fetchMs }) {
      const served = number(hits) + number(stale), reads = served + number(misses);
      bars.update([number(hits), number(stale), number(misses)], reads);
      const texts = [count(reads), count(hits), count(stale), count(misses), share(served, reads), count(fetches), count(failures), millis(fetchMs?.mean), millis(fetchMs?.worst)];
      for (const [n, cell] of cells.entries()) say(cell, texts[n]);
      setAttribute(cells[6], "class", failures ? "n bad" : "n");
    },
  };
}

export function cacheView(app) {
  const [hitRate, keys, memory, clients] = ["look-ups that hit", "keys", "memory", "connections"].map((name) => card(`Redis: ${name}`));
  const cards = show(el("div.cards", hitRate.node, keys.node, memory.node, clients.node), false), redisWrong = tell(el("p.wrong")), since = el("p.about");
  const list = listing("Resources", ["Resource", "~Answers", ">Reads", ">Fresh ≈", ">Stale ≈", ">Missed", ">Hit rate", ">Fetches", ">Failed", ">Fetch, mean", ">Worst"], "These functions declare no cached resources.", resourceRow, (item) => item.resource);
  const invalidate = action("Invalidate a tag…", () => lacking(app.grant, "cache:write"), invalidateTag, ".primary");
  const node = el("div.view", cards, redisWrong, el("section.panel", el("div.head", el("h2", "Resources"), legend([["ready", "fresh"], ["delayed", "stale"], ["dead", "missed"]], true)), since, list.node),
    el("section.panel", el("h2", "Invalidate"), el("p.about", "Values that have a tag become stale (soft: the next read gets the old value, and it is refreshed) or are removed (hard: the next read waits for the source)."), el("div.actions", invalidate.node)));

  async function invalidateTag() {
    const done = await ask({
      title: "Invalidate a tag?", danger: true, text: ["Every cached value that has the tag, for all users, in the whole fleet. Hard invalidation sends all its readers to the source at once."],
      fields: [{ name: "tag", label: "Tag, such as user:alice", max: 512 }, { name: "mode", label: "How", value: "soft", choices: [["soft", "soft: mark as stale"], ["hard", "hard: remove"]] }], yes: "Invalidate",
      act: async ({ tag, mode }) => ({ tag, mode, ...(await app.api.functions("POST", "/cache/invalidate", { tags: [tag], mode })) }),
    });
    if (!done) return;
    app.tell(`Invalidated ${many(done.invalidated, "tag")} (${done.mode}): `, outside(done.tag), `. Its values are ${done.mode === "soft" ? "refreshed" : "fetched"} when they are read next.`);
    poll.start();
  }

  const poll = new Poll({
    everyMs: EACH_MS, load: () => app.api.functions("GET", "/cache"),
    failed: (error) => list.problem(error.status === 404 ? "These functions are older and report no cache counts." : explain(error)),
    done(answer) {
      say(since, answer.since ? `Since ${moment(answer.since)}, all functions together, up to 5 s behind. Fresh and stale are estimates.` : "");
      list.update(objects(answer.items).filter((item) => typeof item.resource === "string"));
    },
  });
  const redisPoll = new Poll({
    everyMs: EACH_MS, load: () => app.api.functions("GET", "/stats"),
    failed(error) {
      tell(redisWrong, explain(error));
      show(cards, false);
    },
    done(stats) {
      hitRate.update({ text: typeof stats.hitRate === "number" ? `${stats.hitRate} %` : "–", sub: `${count(stats.keyspaceHits)} of ${count(number(stats.keyspaceHits) + number(stats.keyspaceMisses))}, of all keys` });
      keys.update({ text: count(stats.totalKeys), sub: `${count(stats.evictedKeys)} evicted` });
      memory.update({ text: bytes(stats.usedMemory), sub: stats.maxMemory ? `${share(stats.usedMemory, stats.maxMemory)} of ${bytes(stats.maxMemory)}` : "no limit set" });
      clients.update({ text: count(stats.connectedClients), sub: "to Redis, of all services" });
      show(cards, true);
      tell(redisWrong);
    },
  });
  const polls = [poll, redisPoll];
  return { node, polls, start: () => polls.forEach((one) => one.start()), update: () => invalidate.update() };
}
