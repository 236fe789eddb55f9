// Queues and campaigns: depths as bars, dead letters with their reasons, putting them back; a campaign's progress.
import { Poll, explain } from "./api.js";
import { action, ask } from "./ask.js";
import { Rows, bar, el, newId, outside, say, setAttribute, show, table } from "./dom.js";
import { chart } from "./charts.js";
import { lacking } from "./grant.js";
import { count, many, moment, share, span } from "./numbers.js";
import { KEPT_S, number } from "./series.js";
import { NO_ID, isId } from "./user.js";

const DEPTHS_MS = 2_000;
const NAMES_EACH = 5;
const DEAD_MS = 5_000;
/** What GET /stats takes. */
const NAMES_PER_CALL = 20;
const NAMES_LIMIT = 100;
const DEAD_LIMIT = 20;
const REDRIVE_MAX = 500;
const DEPTHS = ["ready", "delayed", "inFlight", "dead"];
const DEPTH_KINDS = ["ready", "delayed", "flight", "dead"];

export const isQueue = (text) => /^[A-Za-z0-9._~@+|:-]{1,128}$/.test(text) && !/^\.\.?$/.test(text);

const whole = (depth) => DEPTHS.reduce((all, name) => all + number(depth?.[name]), 0);

/** Text of any JSON, short enough for a row. */
function payloadCell(letter) {
  const text = "payload" in letter ? JSON.stringify(letter.payload, null, 1) : String(letter.raw ?? "");
  const short = text.replace(/\s+/g, " ");
  if (short.length <= 80) return el("code", outside(short));
  return el("details", el("summary", el("code", outside(`${short.slice(0, 80)}…`))), el("pre", outside(text)));
}

export function queuesView(app) {
  const lacksRead = () => lacking(app.grant, "queues:read");
  const lacksWrite = () => lacking(app.grant, "queues:write");
  let queue = "", names = [], next = null, listed = true, round = 0, depths = {}, letters = [], campaign = "";
  const history = new Map();

  const search = form("Queue", "name of a queue", (name) => app.go("queues", { queue: name, campaign }), "Open");
  const listWrong = el("p.wrong", { role: "alert" }), empty = el("p.empty", "No queue has been used in the last 14 days.");
  const list = table("Queues", ["Queue", "", ">Ready", ">Delayed", ">In flight", ">Dead", ">Oldest"]);
  const more = el("button", { type: "button", click: () => loadNames(next).then(() => app.refresh(), wrong) }, "More queues");
  const legend = el("ul.legend", { "aria-hidden": "true" }, ["ready", "delayed", "in flight", "dead"].map((name, n) => el("li", el(`span.key.fill.${DEPTH_KINDS[n]}`), name)));
  const rows = new Rows(list.body, ({ name }) => {
    const link = el("a", { href: app.hrefOf("queues", { queue: name, campaign }) }, outside(name));
    const bars = bar(...DEPTH_KINDS), cells = DEPTHS.map(() => el("td.n")), oldest = el("td.n");
    const row = el("tr", el("th", { scope: "row" }, link), el("td.strip", bars.node), cells, oldest);
    return {
      node: row,
      update({ depth, most }) {
        link.href = app.hrefOf("queues", { queue: name, campaign });
        bars.update(DEPTHS.map((of) => number(depth?.[of])), most);
        for (const [n, of] of DEPTHS.entries()) say(cells[n], count(depth?.[of]));
        say(oldest, typeof depth?.oldestAgeSeconds === "number" ? span(depth.oldestAgeSeconds * 1000) : "–");
        setAttribute(row, "class", `${name === queue ? "chosen" : ""} ${depth?.dead ? "has-dead" : ""}`);
        if (name === queue) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      },
    };
  });

  const heading = el("h2"), facts = el("p.facts"), deadWrong = el("p.wrong"), noDead = el("p.empty", "No dead letters.");
  const depth = chart("Messages, while this page is open", [{ name: "ready", kind: "ready" }, { name: "delayed", kind: "delayed" }, { name: "in flight", kind: "flight" }, { name: "dead", kind: "dead" }], count);
  const dead = table("Dead letters, oldest first", ["Choose", "Died", "Reason", ">Attempts", "Payload", "Id"]);
  const chosen = new Set();
  const deadRows = new Rows(dead.body, (letter) => {
    const id = String(letter.id);
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${id}`, change: () => {
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      updateActions();
    } });
    return { node: el("tr", el("td", box), el("td", moment(letter.diedAt)), el("td", outside(letter.reason ?? "")), el("td.n", count(letter.attempts)), el("td.wide", payloadCell(letter)), el("td", el("code", outside(id)))) };
  });
  const redriveAll = action("Put all back…", lacksWrite, () => redrive(null), ".primary");
  const redriveChosen = action("Put chosen ones back…", () => lacksWrite() || (chosen.size ? null : "a choice below"), () => redrive([...chosen]));
  const detail = el("section.panel", el("div.head", heading), facts, depth.node, el("h3", "Dead letters"), el("div.actions", redriveAll.node, redriveChosen.node), deadWrong, noDead, dead.node);

  const campaigns = form("Campaign", "id of a campaign", (id) => app.go("queues", { queue, campaign: id }), "Watch");
  const campaignWrong = el("p.wrong"), progress = bar("used"), campaignFacts = el("p.facts"), campaignName = el("h3");
  const campaignBox = el("div", campaignName, progress.node, campaignFacts);
  const node = el("div.view.queues", el("section.panel", el("div.head", el("h2", "Queues"), legend), listWrong, empty, list.node, el("div.actions", more), search.node),
    show(detail, false), el("section.panel", el("h2", "Campaigns"), el("p.about", "Redis keeps no list of campaigns: enter the id of one."), campaigns.node, campaignWrong, campaignBox));
  for (const one of [listWrong, empty, list.node, more, deadWrong, noDead, dead.node, campaignWrong, campaignBox]) show(one, false);

  function updateActions() {
    redriveAll.update();
    redriveChosen.update();
  }

  async function redrive(ids) {
    const name = queue, dead_ = number(depths[name]?.dead);
    const many_ = ids ? ids.length : Math.min(dead_, REDRIVE_MAX);
    if (!many_) return app.tell("There are no dead letters to put back.");
    const done = await ask({
      title: "Put dead letters back?", danger: true,
      text: [`${many(many_, "message")} of `, el("strong", outside(name)), ids || dead_ <= REDRIVE_MAX ? "" : ` (the oldest of ${count(dead_)})`, " can be received again, with all their attempts. What killed them may kill them again."],
      yes: "Put back", act: () => app.api.functions("POST", `/queues/${encodeURIComponent(name)}/redrive`, ids ? { ids } : { max: REDRIVE_MAX }),
    });
    if (!done) return;
    chosen.clear();
    app.tell(`Put ${many(done.redriven, "message")} of `, outside(name), " back.");
    deadPoll.start();
    depthPoll.start();
  }

  async function loadNames(cursor = null) {
    const query = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await app.api.functions("GET", `/queues?limit=${NAMES_LIMIT}${query}`);
    const items = (Array.isArray(page.items) ? page.items : []).filter((name) => typeof name === "string");
    names = cursor === null && names.length <= NAMES_LIMIT ? items : [...new Set([...names, ...items])];
    next = page.next ?? null;
    listed = true;
  }

  async function load() {
    let problem = null;
    if (round++ % NAMES_EACH === 0) {
      const scope = lacksRead();
      if (scope) problem = `Your token lacks the scope ${scope}, which listing queues needs. A queue can still be opened by its name.`;
      else await loadNames().catch((error) => (problem = error.status === 404 || error.status === 405 ? "These functions are older and do not list queues. A queue can still be opened by its name." : explain(error)));
      listed = problem === null;
      say(listWrong, problem ?? "");
      show(listWrong, Boolean(problem));
    }
    const wanted = [...new Set([...names, ...(queue && isQueue(queue) ? [queue] : [])])];
    const answers = [];
    for (let n = 0; n < wanted.length; n += NAMES_PER_CALL) {
      const some = wanted.slice(n, n + NAMES_PER_CALL).map(encodeURIComponent).join(",");
      answers.push((await app.api.functions("GET", `/stats?queues=${some}`)).queues);
    }
    return Object.assign(Object.create(null), ...answers);
  }

  function showDepths(answer) {
    depths = answer;
    const at = Date.now();
    if (queue && depths[queue]) {
      const kept = (history.get(queue) ?? []).filter((one) => one.at > at - KEPT_S * 1000);
      kept.push({ at, ...depths[queue] });
      history.set(queue, kept);
    }
    const shown = [...new Set([...names, ...(queue && depths[queue] ? [queue] : [])])];
    const most = Math.max(1, ...shown.map((name) => whole(depths[name])));
    rows.update(shown.map((name) => ({ name, depth: depths[name], most })), ({ name }) => name);
    show(list.node, shown.length > 0);
    show(empty, listed && !shown.length);
    show(more, next !== null);
    const now = depths[queue];
    if (!now) return;
    say(facts, `${count(now.ready)} ready, ${count(now.delayed)} delayed, ${count(now.inFlight)} in flight, ${count(now.dead)} dead. ${typeof now.oldestAgeSeconds === "number" ? `The oldest has waited ${span(now.oldestAgeSeconds * 1000)}.` : "Nothing waits."}`);
    const kept = history.get(queue);
    const spread = DEPTHS.map((name) => kept.map((one) => number(one[name])));
    const first = kept[0];
    const change = whole(now) - whole(first);
    depth.update(spread, kept.length < 3 ? "Collecting: the first lines appear in some seconds." : `In ${span(now ? at - first.at : 0)}: ${change === 0 ? "as many as at first" : `${count(Math.abs(change))} ${change > 0 ? "more" : "fewer"}`}.`);
  }

  function wrong(error) {
    say(listWrong, explain(error));
    show(listWrong, true);
  }

  function showDead(page) {
    letters = (Array.isArray(page.items) ? page.items : []).filter((one) => one && typeof one === "object");
    for (const id of chosen) if (!letters.some((letter) => String(letter.id) === id)) chosen.delete(id);
    deadRows.update(letters, (letter) => String(letter.id));
    show(deadWrong, false);
    show(noDead, !letters.length);
    show(dead.node, letters.length > 0);
    updateActions();
  }

  const samples = [];
  function showCampaign(value) {
    const at = Date.now();
    samples.push({ at, processed: number(value.processed) });
    while (samples.length > 2 && samples[0].at < at - 60_000) samples.shift();
    const first = samples[0];
    const perSecond = at > first.at ? ((number(value.processed) - first.processed) / (at - first.at)) * 1000 : 0;
    const left = number(value.remaining);
    progress.update([number(value.processed)], number(value.total));
    const eta = !left ? "Done." : perSecond > 0 ? `At ${count(perSecond)} a second, done in ${span((left / perSecond) * 1000)}.` : samples.length < 3 ? "" : "Nothing was taken in the last minute.";
    say(campaignFacts, `${count(value.processed)} of ${count(value.total)} taken (${share(value.processed, value.total)}), ${count(left)} left, ${many(number(value.responses), "response")}. ${eta}`);
    show(campaignBox, true);
    show(campaignWrong, false);
  }

  const depthPoll = new Poll({ everyMs: DEPTHS_MS, load, done: (answer) => (showDepths(answer), updateActions()), failed: wrong });
  const deadPoll = new Poll({
    everyMs: DEAD_MS, load: () => app.api.functions("GET", `/queues/${encodeURIComponent(queue)}/dead?limit=${DEAD_LIMIT}`), done: showDead,
    failed(error) {
      say(deadWrong, explain(error));
      show(deadWrong, true);
      for (const one of [dead.node, noDead]) show(one, false);
    },
  });
  const campaignPoll = new Poll({
    everyMs: DEPTHS_MS, load: () => app.api.functions("GET", `/campaigns/${encodeURIComponent(campaign)}`), done: showCampaign,
    failed(error) {
      say(campaignWrong, explain(error));
      show(campaignWrong, true);
      show(campaignBox, false);
    },
  });

  function startDead() {
    const scope = lacksRead();
    if (!scope) return deadPoll.start();
    say(deadWrong, `Your token lacks the scope ${scope}, which reading dead letters needs.`);
    show(deadWrong, true);
  }

  return {
    node,
    start(params) {
      this.stop();
      const [was, wasCampaign] = [queue, campaign];
      [queue, campaign] = [params.get("queue") ?? "", params.get("campaign") ?? ""];
      search.set(queue);
      campaigns.set(campaign);
      if (queue !== was) {
        chosen.clear();
        deadRows.update([], String);
        for (const one of [dead.node, noDead, deadWrong]) show(one, false);
        say(facts, "");
      }
      if (campaign !== wasCampaign) {
        samples.length = 0;
        for (const one of [campaignBox, campaignWrong]) show(one, false);
      }
      round = 0;
      heading.replaceChildren(outside(queue));
      show(detail, Boolean(queue) && isQueue(queue));
      search.wrong(queue && !isQueue(queue) ? "This is no name of a queue." : "");
      depthPoll.start();
      if (queue && isQueue(queue)) startDead();
      campaigns.wrong(campaign && !isId(campaign) ? `This is no id of a campaign. ${NO_ID}` : "");
      campaignName.replaceChildren(outside(campaign));
      const scope = campaign && lacking(app.grant, "campaigns:read");
      if (scope) campaigns.wrong(`Your token lacks the scope ${scope}.`);
      else if (campaign && isId(campaign)) campaignPoll.start();
    },
    stop() {
      for (const poll of [depthPoll, deadPoll, campaignPoll]) poll.stop();
    },
    update: updateActions,
  };
}

/** A field and a button in a line; `set(text)`, `wrong(text)`. */
function form(label, placeholder, submit, yes) {
  const id = newId();
  const field = el("input", { type: "search", id, autocomplete: "off", spellcheck: "false", maxlength: "128", placeholder });
  const problem = show(el("p.wrong", { role: "alert" }), false);
  const node = el("div", el("form.search", { submit: (event) => {
    event.preventDefault();
    if (field.value.trim()) submit(field.value.trim());
  } }, el("label", { for: id }, label), field, el("button", { type: "submit" }, yes)), problem);
  return {
    node,
    set(text) {
      if (document.activeElement !== field) field.value = text;
    },
    wrong(text) {
      say(problem, text);
      show(problem, Boolean(text));
    },
  };
}
