// Cache: what each resource is asked and how it answers, Redis' own figures, invalidating a tag.
import { Poll, explain } from "./api.js";
import { action, ask } from "./ask.js";
import { Rows, bar, el, newId, outside, say, setAttribute, show, table } from "./dom.js";
import { bytes, count, many, moment, share } from "./numbers.js";
import { number } from "./series.js";
import { lacking } from "./grant.js";

const EACH_MS = 3_000;

const millis = (value) => (typeof value === "number" ? `${value < 10 ? value.toFixed(1) : count(value)} ms` : "–");

function figure(title) {
  const id = newId(), value = el("p.value"), below = el("p.below");
  return { node: el("article.card", { "aria-labelledby": id }, el("h2", { id }, title), value, below), update(text, sub) {
    say(value, text);
    say(below, sub);
  } };
}

export function cacheView(app) {
  const figures = { rate: figure("Redis: look-ups that hit"), keys: figure("Redis: keys"), memory: figure("Redis: memory"), clients: figure("Redis: connections") };
  const cards = el("div.cards", Object.values(figures).map((one) => one.node)), redisWrong = el("p.wrong"), wrong = el("p.wrong");
  const list = table("Resources", ["Resource", "Answers", ">Reads", ">Fresh", ">Stale", ">Missed", ">Hit rate", ">Fetches", ">Failed", ">Fetch, mean", ">Worst"]);
  const empty = el("p.empty", "No cached resource has been read in the last day."), since = el("p.about");
  const rows = new Rows(list.body, ({ resource }) => {
    const bars = bar("ready", "delayed", "dead"), cells = Array.from({ length: 9 }, () => el("td.n"));
    const row = el("tr", el("th", { scope: "row" }, outside(resource)), el("td.strip", bars.node), cells);
    return {
      node: row,
      update({ hits, stale, misses, fetches, failures, fetchMs }) {
        const reads = number(hits) + number(stale) + number(misses);
        bars.update([number(hits), number(stale), number(misses)], reads);
        const texts = [count(reads), count(hits), count(stale), count(misses), share(number(hits) + number(stale), reads), count(fetches), count(failures), millis(fetchMs?.mean), millis(fetchMs?.worst)];
        for (const [n, cell] of cells.entries()) say(cell, texts[n]);
        setAttribute(row, "class", failures ? "hot" : "");
        setAttribute(cells[6], "class", failures ? "n bad" : "n");
      },
    };
  });
  const invalidate = action("Invalidate a tag…", () => lacking(app.grant, "cache:write"), invalidateTag, ".primary");
  const legend = el("ul.legend", { "aria-hidden": "true" }, [["ready", "fresh"], ["delayed", "stale"], ["dead", "missed"]].map(([kind, name]) => el("li", el(`span.key.fill.${kind}`), name)));
  const node = el("div.view", cards, redisWrong, el("section.panel", el("div.head", el("h2", "Resources"), legend), since, wrong, empty, list.node),
    el("section.panel", el("h2", "Invalidate"), el("p.about", "Values that have a tag become stale (soft: the next read gets the old value and refreshes it) or are removed (hard: the next read waits for the source)."), el("div.actions", invalidate.node)));
  for (const one of [cards, redisWrong, wrong, empty, list.node]) show(one, false);

  async function invalidateTag() {
    const done = await ask({
      title: "Invalidate a tag?", danger: true, text: ["Every cached value that has the tag, for all users, in the whole fleet. Hard invalidation sends all its readers to the source at once."],
      fields: [{ name: "tag", label: "Tag, such as user:alice", max: 512 }, { name: "mode", label: "How", value: "soft", choices: [["soft", "soft: mark as stale"], ["hard", "hard: remove"]] }], yes: "Invalidate",
      act: async ({ tag, mode }) => ({ tag, mode, ...(await app.api.functions("POST", "/cache/invalidate", { tags: [tag], mode })) }),
    });
    if (!done) return;
    app.tell(`Invalidated ${many(done.invalidated, "tag")} (${done.mode}): `, outside(done.tag), done.mode === "soft" ? ". Its values are refreshed when they are read next." : ". Its values are fetched when they are read next.");
    poll.start();
  }

  function failedWith(place, others) {
    return (error) => {
      say(place, error.status === 404 ? "These functions are older and do not count what the cache does." : explain(error));
      show(place, true);
      for (const other of others) show(other, false);
    };
  }
  const poll = new Poll({
    everyMs: EACH_MS, load: () => app.api.functions("GET", "/cache"), failed: failedWith(wrong, [list.node, empty]),
    done({ items, since: from }) {
      const good = (Array.isArray(items) ? items : []).filter((item) => typeof item?.resource === "string");
      rows.update(good, (item) => item.resource);
      say(since, from ? `Counted since ${moment(from)}, by all functions together; up to 5 s behind.` : "");
      show(list.node, good.length > 0);
      show(empty, !good.length);
      show(wrong, false);
    },
  });
  const redisPoll = new Poll({
    everyMs: EACH_MS, load: () => app.api.functions("GET", "/stats"), failed: failedWith(redisWrong, [cards]),
    done(stats) {
      figures.rate.update(typeof stats.hitRate === "number" ? `${stats.hitRate} %` : "–", `${count(stats.keyspaceHits)} of ${count(number(stats.keyspaceHits) + number(stats.keyspaceMisses))}, of all keys`);
      figures.keys.update(count(stats.totalKeys), `${count(stats.evictedKeys)} evicted`);
      figures.memory.update(bytes(stats.usedMemory), stats.maxMemory ? `${share(stats.usedMemory, stats.maxMemory)} of ${bytes(stats.maxMemory)}` : "no limit set");
      figures.clients.update(count(stats.connectedClients), "to Redis, of all services");
      show(cards, true);
      show(redisWrong, false);
    },
  });
  return {
    node,
    start() {
      poll.start();
      redisPoll.start();
    },
    stop() {
      poll.stop();
      redisPoll.stop();
    },
    update: () => invalidate.update(),
  };
}
