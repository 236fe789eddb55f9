// Queues and campaigns: depths as bars, dead letters with their reasons, putting them back; a campaign's progress, and
// its push.
import { Poll, explain, objects } from "./api.js";
import { action, ask, lineForm } from "./ask.js";
import { bar, el, legend, listing, outside, say, setAttribute, show, tell } from "./dom.js";
import { lacking } from "./grant.js";
import { count, many, moment, rate, share, span } from "./numbers.js";
import { pushBox } from "./push.js";
import { number } from "./series.js";
import { NO_ID, isId } from "./user.js";

const DEPTHS_MS = 2_000;
/** Of so many readings of the depths, one reads the names, too. */
const NAMES_EACH = 5;
const DEAD_MS = 5_000;
/** What GET /stats takes. */
const NAMES_PER_CALL = 20;
const NAMES_LIMIT = 100;
/** A page may have fewer names than asked for, even none. */
const PAGES_MAX = 5;
const DEAD_LIMIT = 20;
const REDRIVE_MAX = 500;
const TREND_MS = 60_000;
const PAYLOAD_SHORT = 72;
const DEPTHS = ["ready", "delayed", "inFlight", "dead"];
const DEPTH_KINDS = [["ready", "ready"], ["delayed", "delayed"], ["flight", "in flight"], ["dead", "dead"]];

const isQueue = (text) => /^[A-Za-z0-9._~@+|:-]{1,128}$/.test(text) && !/^\.\.?$/.test(text);
const NO_QUEUE = "Invalid queue name: 1–128 of A-Z a-z 0-9 : . _ ~ @ + | -";

const parts = (depth) => DEPTHS.map((name) => number(depth?.[name]));
const whole = (depth) => parts(depth).reduce((all, value) => all + value, 0);

/** Any JSON, short enough for a row. */
function payloadCell(letter) {
  const text = "payload" in letter ? JSON.stringify(letter.payload) : String(letter.raw ?? "");
  if (text.length <= PAYLOAD_SHORT) return el("code", outside(text));
  const long = "payload" in letter ? JSON.stringify(letter.payload, null, 1) : text;
  return el("details", el("summary", el("code", outside(`${text.slice(0, PAYLOAD_SHORT)}…`))), el("pre", outside(long)));
}

export function queuesView(app) {
  const lacksRead = () => lacking(app.grant, "queues:read");
  const lacksWrite = () => lacking(app.grant, "queues:write");
  let queue = "", campaign = "", names = [], next = null, hasMore = false, round = 0, depths = new Map();
  let readings = [];
  const chosen = new Set(), samples = [];

  const search = lineForm("Queue", "name of a queue", "Open", (name) => (isQueue(name) ? app.go("queues", { queue: name, campaign }) : NO_QUEUE));
  const namesWrong = tell(el("p.wrong"));
  const list = listing("Queues", ["Queue", "~Messages", ">Ready", ">Delayed", ">In flight", ">Dead", ">Oldest"], "No queue has been used in the last 14 days.", ({ name }) => {
    const link = el("a", outside(name)), bars = bar(...DEPTH_KINDS.map(([kind]) => kind)), cells = DEPTHS.map(() => el("td.n")), oldest = el("td.n");
    const node = el("tr", el("th", { scope: "row" }, link), el("td.strip", bars.node), cells, oldest);
    return {
      node,
      update({ depth, most }) {
        setAttribute(link, "href", app.hrefOf("queues", { queue: name, campaign }));
        setAttribute(link, "aria-current", name === queue);
        bars.update(parts(depth), most);
        for (const [n, of] of DEPTHS.entries()) say(cells[n], count(depth?.[of]));
        setAttribute(cells[3], "class", depth?.dead ? "n bad" : "n");
        say(oldest, span(depth?.oldestAgeSeconds && depth.oldestAgeSeconds * 1000));
        setAttribute(node, "class", name === queue ? "chosen" : "");
      },
    };
  }, ({ name }) => name);
  const more = show(el("button", { type: "button", click: () => loadNames(next).catch((error) => tell(namesWrong, explain(error))) }, "More queues"), false);

  const heading = el("h2"), facts = el("p.facts");
  const dead = listing("Dead letters, oldest first", ["Choose", "Died", "Reason", ">Attempts", "Payload", "Id"], "No dead letters.", (letter) => {
    const id = String(letter.id);
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${id}`, change: () => {
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      updateActions();
    } });
    return { node: el("tr", el("td", box), el("td", moment(letter.diedAt)), el("td.wide", outside(letter.reason ?? "")), el("td.n", count(letter.attempts)), el("td.wide", payloadCell(letter)), el("td", el("code", outside(id)))) };
  }, (letter) => String(letter.id));
  const hasNone = () => (depths.get(queue)?.dead === 0 ? "no dead letters" : null);
  const redriveAll = action("Put all back…", () => lacksWrite() || hasNone(), () => redrive(null), ".primary");
  const redriveChosen = action("Put chosen ones back…", () => lacksWrite() || hasNone() || (chosen.size ? null : "choose some below"), () => redrive([...chosen]));
  const detail = show(el("section.panel", heading, facts, el("h3", "Dead letters"), el("div.actions", redriveAll.node, redriveChosen.node), dead.node), false);

  const campaigns = lineForm("Campaign", "id of a campaign", "Watch", (id) => (isId(id) ? app.go("queues", { queue, campaign: id }) : NO_ID));
  const progress = bar("used"), campaignFacts = el("p.facts"), campaignName = el("h3");
  const campaignBox = show(el("div", campaignName, progress.node, campaignFacts), false), push = pushBox(app);
  const node = el("div.view", el("section.panel", el("div.head", el("h2", "Queues"), legend(DEPTH_KINDS, true)), namesWrong, list.node, el("div.actions", more), search.node),
    detail, el("section.panel", el("h2", "Campaigns"), el("p.about", "Enter the id of a campaign. The functions have no list of them."), campaigns.node, campaignBox, push.node));

  function updateActions() {
    redriveAll.update();
    redriveChosen.update();
    push.update();
  }

  async function redrive(ids) {
    const name = queue, all = number(depths.get(name)?.dead), size = ids ? ids.length : Math.min(all, REDRIVE_MAX);
    if (!size) return app.tell("There are no dead letters to put back.");
    const done = await ask({
      title: "Put dead letters back?", danger: true,
      text: [`${many(size, "message")} of `, el("strong", outside(name)), ids || all <= REDRIVE_MAX ? "" : ` (the oldest of ${count(all)})`, " can be received again, with all their attempts. What made them fail may do so again."],
      yes: "Put back", act: () => app.api.functions("POST", `/queues/${encodeURIComponent(name)}/redrive`, ids ? { ids } : { max: REDRIVE_MAX }),
    });
    if (!done) return;
    chosen.clear();
    app.tell(`Put ${many(done.redriven, "message")} of `, outside(name), " back.");
    deadPoll.start();
    depthPoll.start();
  }

  /** The first names, or those from the cursor on in addition. */
  async function loadNames(cursor) {
    const items = [];
    let at = cursor ?? null;
    for (let pages = 0; pages === 0 || (at !== null && items.length < NAMES_LIMIT && pages < PAGES_MAX); pages++) {
      const page = await app.api.functions("GET", `/queues?limit=${NAMES_LIMIT}${at ? `&cursor=${encodeURIComponent(at)}` : ""}`);
      if (Array.isArray(page.items)) items.push(...page.items.filter((name) => typeof name === "string"));
      at = page.next ?? null;
    }
    hasMore ||= Boolean(cursor);
    names = hasMore ? [...new Set([...names, ...items])] : items;
    if (cursor || !hasMore) next = at;
  }

  async function readNames() {
    const scope = lacksRead();
    if (scope) return `Your token lacks the scope ${scope}, which listing queues needs. A queue can still be opened by its name.`;
    try {
      await loadNames();
      return "";
    } catch (error) {
      return error.status === 404 || error.status === 405 ? "These functions are older and do not list queues. A queue can still be opened by its name." : explain(error);
    }
  }

  const depthPoll = new Poll({
    everyMs: DEPTHS_MS, failed: (error) => list.problem(explain(error)),
    async load() {
      if (round++ % NAMES_EACH === 0) tell(namesWrong, await readNames());
      const wanted = [...new Set([...names, ...(isQueue(queue) ? [queue] : [])])], answers = new Map();
      for (let n = 0; n < wanted.length; n += NAMES_PER_CALL) {
        const some = wanted.slice(n, n + NAMES_PER_CALL).map(encodeURIComponent).join(",");
        const { queues } = await app.api.functions("GET", `/stats?queues=${some}`);
        for (const [name, depth] of Object.entries(queues ?? {})) answers.set(name, depth);
      }
      return { answers, wanted };
    },
    done({ answers, wanted }) {
      depths = answers;
      const most = Math.max(1, ...wanted.map((name) => whole(depths.get(name))));
      const items = wanted.map((name) => ({ name, depth: depths.get(name), most }));
      list.update(items.length || namesWrong.hidden ? items : null);
      show(more, next !== null);
      if (depths.has(queue)) showDepth(depths.get(queue));
      updateActions();
    },
  });

  function showDepth(now) {
    const at = Date.now(), all = whole(now);
    readings = [...readings.filter((one) => one.at > at - TREND_MS), { at, all }];
    const [{ at: from, all: before }] = readings;
    const change = all === before ? "as many as" : `${count(Math.abs(all - before))} ${all > before ? "more" : "fewer"} than`;
    const waits = typeof now.oldestAgeSeconds === "number" ? `The oldest has waited ${span(now.oldestAgeSeconds * 1000)}.` : now.ready || now.delayed ? "How long the oldest has waited is not known." : "Nothing waits.";
    say(facts, `${count(now.ready)} ready, ${count(now.delayed)} delayed, ${count(now.inFlight)} in flight, ${count(now.dead)} dead: ${change} ${span(at - from)} ago. ${waits}`);
  }

  const deadPoll = new Poll({
    everyMs: DEAD_MS, load: () => app.api.functions("GET", `/queues/${encodeURIComponent(queue)}/dead?limit=${DEAD_LIMIT}`), failed: (error) => dead.problem(explain(error)),
    done(page) {
      const letters = objects(page.items);
      for (const id of chosen) if (!letters.some((letter) => String(letter.id) === id)) chosen.delete(id);
      dead.update(letters);
      updateActions();
    },
  });

  const campaignPoll = new Poll({
    everyMs: DEPTHS_MS, load: () => app.api.functions("GET", `/campaigns/${encodeURIComponent(campaign)}`),
    failed(error) {
      campaigns.wrong(explain(error));
      show(campaignBox, false);
    },
    done({ processed, remaining, responses, total }) {
      const at = Date.now();
      samples.push({ at, processed });
      while (samples.length > 2 && samples[0].at < at - TREND_MS) samples.shift();
      const seconds = (at - samples[0].at) / 1000, perSecond = seconds > 0 ? (processed - samples[0].processed) / seconds : 0;
      const eta = !remaining ? "Done." : perSecond > 0 ? `At ${rate(perSecond)} a second, done in ${span((remaining / perSecond) * 1000)}.` : seconds > 10 ? `No user was processed in the last ${span(seconds * 1000)}.` : "";
      progress.update([processed], total);
      say(campaignFacts, `${count(processed)} of ${count(total)} processed (${share(processed, total)}), ${count(remaining)} left, ${many(responses, "response")}. ${eta}`);
      campaigns.wrong("");
      show(campaignBox, true);
    },
  });

  function openQueue(name) {
    if (name !== queue) {
      chosen.clear();
      readings = [];
      dead.update(null);
      say(facts, "");
    }
    queue = name;
    round = 0;
    search.set(queue);
    search.wrong(queue && !isQueue(queue) ? NO_QUEUE : "");
    heading.replaceChildren(outside(queue));
    show(detail, isQueue(queue));
    depthPoll.start();
    const scope = lacksRead();
    if (scope) dead.problem(`Your token lacks the scope ${scope}, which reading dead letters needs.`);
    else if (isQueue(queue)) deadPoll.start();
  }

  function openCampaign(id) {
    if (id !== campaign) {
      samples.length = 0;
      show(campaignBox, false);
    }
    campaign = id;
    campaigns.set(campaign);
    campaignName.replaceChildren(outside(campaign));
    const scope = lacking(app.grant, "campaigns:read");
    campaigns.wrong(!campaign ? "" : !isId(campaign) ? NO_ID : scope ? `Your token lacks the scope ${scope}.` : "");
    if (isId(campaign) && !scope) campaignPoll.start();
    push.open(isId(campaign) ? campaign : "");
  }

  return {
    node, polls: [depthPoll, deadPoll, campaignPoll, push.poll], update: updateActions,
    start(params) {
      openCampaign(params.get("campaign") ?? "");
      openQueue(params.get("queue") ?? "");
    },
  };
}
