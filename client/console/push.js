// A campaign's push: its state in words, what became of its users, and what can be done about it.
import { Poll, explain } from "./api.js";
import { action, ask } from "./ask.js";
import { bar, el, legend, outside, say, show, tell } from "./dom.js";
import { lacking } from "./grant.js";
import { count, many, rate, share, span } from "./numbers.js";
import { number } from "./series.js";

const PROGRESS_MS = 2_000;
const ENDS = [["ready", "sent"], ["flight", "retrying"], ["delayed", "skipped, invalid"], ["dead", "failed"]];

const STATES = { scheduled: "◷ Scheduled", running: "● Running", paused: "‖ Paused", cancelled: "✕ Cancelled", done: "✓ Done" };
/** Why a worker paused it, and what to do. From docs/push.md. */
const REASONS = {
  many_invalid: "too many addresses are gone. Check where the users come from; resuming continues regardless.",
  credentials: "a push service rejects the credential, or the addresses belong to another one. The worker's /readyz names it.",
  refused: "FCM rejects the content. Send another template, then resume.",
  too_large: "the content is larger than a user's push service takes. Send a shorter template, then resume.",
};

const isUnderWay = ({ etaSeconds, state }) => state === "paused" || (etaSeconds !== undefined && state !== "done");
/** By route: button, what will happen, what did, why not now. */
const ACTS = {
  pause: ["Pause the push", "Workers stop within the users whom they have.", () => "Paused", (push) => (!isUnderWay(push) || push.state === "paused") && "not running"],
  resume: ["Resume the push", "Workers go on where they were.", () => "Resumed", ({ state }) => state !== "paused" && "not paused"],
  cancel: ["Cancel the push", "Users in the list stay there; those who wait for another attempt are skipped.", () => "Cancelled", (push) => !isUnderWay(push) && "not under way"],
  redrive: ["Redrive dead letters", "Users whose attempts are used up are tried again at once.", ({ redriven }) => `Put ${many(redriven, "user")} back into`, ({ state, failed }) => (state === "cancelled" ? state : !failed && "none failed")],
};

const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : String(name));

export function pushBox(app) {
  let id = "", push = {};
  const path = () => `/campaigns/${encodeURIComponent(id)}/push`;
  const state = el("p.facts", { role: "status" }), facts = el("p.facts"), wrong = el("p.about"), used = bar(...ENDS.map(([kind]) => kind));
  const buttons = Object.entries(ACTS).map(([name, [label, text, did, unfit]]) => action(`${label}…`, () => lacking(app.grant, "push:write") || unfit(push), async () => {
    const of = id, call = `${path()}/${name}`;
    const done = await ask({ title: `${label}?`, danger: name === "cancel", text: [el("strong", outside(of)), `: ${text}`], yes: label, act: () => app.api.functions("POST", call) });
    if (!done) return;
    app.tell(`${did(done)} the push of `, outside(of), ".");
    poll.start();
  }));
  const box = el("div", state, el("div.head", used.node, legend(ENDS, true)), facts, el("div.actions", buttons.map((one) => one.node)));
  const node = show(el("div", el("h3", "Push"), wrong, box), false);
  const problem = (text) => {
    tell(wrong, text);
    show(box, false);
  };
  const update = () => buttons.forEach((one) => one.update());

  const poll = new Poll({
    everyMs: PROGRESS_MS, load: () => app.api.functions("GET", path()),
    failed: (error) => problem(error.status === 404 ? "It has no push." : explain(error)),
    done(answer) {
      push = { ...answer };
      const { total, remaining, sent, failed, invalid, skipped, retrying, perSecond, etaSeconds, reason } = push;
      const why = reason ? `: ${own(REASONS, reason)}` : "";
      say(state, own(STATES, push.state) + why);
      used.update([sent, retrying, number(skipped) + number(invalid), failed], total);
      const eta = isUnderWay(push) && etaSeconds >= 0 ? ` Done in ${span(etaSeconds * 1000)}.` : "";
      say(facts, `${count(sent)} sent, ${count(failed)} failed, ${count(invalid)} invalid, ${count(skipped)} skipped, ${count(retrying)} retrying; ${count(remaining)} of ${count(total)} left (${share(remaining, total)}). ${rate(perSecond)} a second.${eta}`);
      tell(wrong);
      show(box, true);
      update();
    },
  });

  return {
    node, poll, update,
    /** A campaign's id, or "" for none. */
    open(of) {
      if (of !== id) problem("");
      id = of;
      show(node, Boolean(id));
      const scope = lacking(app.grant, "push:read");
      if (scope) problem(`Your token lacks the scope ${scope}.`);
      else if (id) poll.start();
    },
  };
}
