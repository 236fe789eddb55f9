// The bell's part in push: an offer, once, and the switches. Loaded when a bell with the attribute `push` is opened.
// The browser asks for permission after a click on one of these and at no other time.
/** @import { Preferences, Push, PushState } from "#types" */
/** @import { PushTexts } from "./bell/push-texts.js" */
import { button, h, icon } from "./bell/dom.js";
import { pushTexts } from "./bell/push-texts.js";

const SLIDERS = "M4 8h8M18 8h2M4 16h2M12 16h8M15 5.5v5M9 13.5v5";
const NIGHT = { from: "22:00", to: "07:00" };
/** A time is written digit by digit. */
const PAUSE_MS = 600;

const CSS = `
.header>.text{margin-inline-start:auto;text-align:end}
.gear{flex:none;padding:6px;margin-inline-start:-8px;border-radius:6px;color:var(--muted);font-size:18px}
.gear:only-of-type,.text[hidden]+.gear{margin-inline-start:auto}
.gear:hover,.gear[aria-expanded=true]{background:color-mix(in srgb,currentColor 10%,transparent)}
.push-offer,.push-settings{padding:12px 16px;border-bottom:1px solid var(--line)}
.push-offer{display:flex;flex-wrap:wrap;align-items:center;gap:8px}
.push-offer p{flex:1 1 100%}
.push-offer p,h3{margin:0;font-size:1em;font-weight:600}
.yes{padding:6px 14px;border-radius:6px;font-size:.93em;font-weight:600;color:var(--surface);background:var(--accent)}
.yes:hover{background:color-mix(in srgb,var(--accent) 85%,var(--text))}
.push-settings{display:grid;gap:8px}
.push-settings label{display:flex;align-items:center;gap:10px;min-height:26px}
.push-settings input{font:inherit;color:inherit;accent-color:var(--accent)}
.push-settings input[type=checkbox]{flex:none;width:18px;height:18px;margin:0}
.push-settings input[type=time]{padding:3px 6px;border:1px solid var(--muted);border-radius:6px;background:none}
.push-settings [aria-invalid=true]{outline:2px solid var(--bellwire-badge,#d02a1e)}
.times,.hint{display:flex;flex-wrap:wrap;align-items:center;gap:8px 16px;padding-inline-start:28px}
.hint,.zone{margin:0;color:var(--muted);font-size:.93em}
@media (forced-colors:active){.yes{border:1px solid}}
`;

/**
 * @typedef {object} Acts
 * @property {(text: string) => void} say
 * @property {(error: unknown) => void} fail
 */

/** @param {string} type */
const input = (type) => /** @type {HTMLInputElement} */ (h("input", { type }));

export class BellPush {
  #ask = h("p", { id: "push-ask" });
  #yes = button({ class: "yes" });
  #no = button({ class: "text" });
  #offer = h("div", { part: "push-offer", role: "group", "aria-labelledby": "push-ask", hidden: "" }, this.#ask, this.#yes, this.#no);
  #gear = button({ class: "gear", "aria-expanded": "false", "aria-controls": "push-settings", hidden: "" }, icon(SLIDERS));
  #here = input("checkbox");
  #paused = input("checkbox");
  #quiet = input("checkbox");
  #from = input("time");
  #to = input("time");
  #names = Array.from({ length: 5 }, () => h("span"));
  #heading = h("h3", { id: "push-heading" });
  #hint = h("p", { class: "hint" });
  #zone = h("bdi", { class: "zone" });
  #times;
  #settings;
  /** @type {Push | null} */
  #push = null;
  /** @type {string | undefined} */
  #worker;
  /** @type {PushState | null} */
  #state = null;
  /** As the functions have them; null: not read. @type {Preferences | null} */
  #preferences = null;
  /** @type {PushTexts} */
  #texts = pushTexts.en;
  #lang = "";
  #isBusy = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #saving = Promise.resolve();

  /** @param {HTMLElement} panel whose first child is its header @param {Acts} acts */
  constructor(panel, acts) {
    this.acts = acts;
    const line = (/** @type {HTMLElement} */ control, /** @type {number} */ n) => h("label", {}, ...(n < 3 ? [control, this.#names[n]] : [this.#names[n], control]));
    this.#times = h("div", { class: "times" }, line(this.#from, 3), line(this.#to, 4), this.#zone);
    this.#settings = h(
      "div",
      { id: "push-settings", part: "push-settings", role: "group", "aria-labelledby": "push-heading", hidden: "" },
      this.#heading,
      line(this.#here, 0),
      this.#hint,
      line(this.#paused, 1),
      line(this.#quiet, 2),
      this.#times,
    );
    const header = /** @type {HTMLElement} */ (panel.firstElementChild);
    header.append(this.#gear);
    header.after(this.#offer, this.#settings);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    /** @type {ShadowRoot} */ (panel.getRootNode()).adoptedStyleSheets.push(sheet);
    this.#yes.addEventListener("click", () => this.#turn(true));
    this.#no.addEventListener("click", () => this.#decline());
    this.#gear.addEventListener("click", () => this.#open(this.#settings.hidden));
    this.#here.addEventListener("change", () => this.#turn(this.#here.checked));
    this.#paused.addEventListener("change", () => this.#save(0));
    this.#quiet.addEventListener("change", () => {
      for (const [name, field] of this.#fields()) field.value ||= NIGHT[name];
      this.#times.hidden = !this.#quiet.checked;
      this.#save(0);
    });
    for (const [, field] of this.#fields()) field.addEventListener("change", () => this.#save(PAUSE_MS));
  }

  /** @returns {["from" | "to", HTMLInputElement][]} */
  #fields() {
    return [["from", this.#from], ["to", this.#to]];
  }

  /** For the client of now; null: there is none. @param {Push | null} push @param {string} [worker] */
  async show(push, worker) {
    this.#worker = worker;
    if (push !== this.#push) {
      this.#push = push;
      this.#state = this.#preferences = null;
      this.#open(false);
    }
    if (!push) return;
    const state = await push.state().catch(() => null);
    if (push !== this.#push || this.#isBusy) return;
    this.#state = state;
    this.#draw();
  }

  /** @param {string} lang @param {Partial<PushTexts> | null} own */
  speak(lang, own) {
    this.#lang = lang;
    this.#texts = { ...(pushTexts[lang.toLowerCase().split(/[-_]/)[0]] ?? pushTexts.en), ...own };
    this.#draw();
  }

  #draw() {
    const texts = this.#texts;
    const state = this.#state;
    this.#ask.textContent = texts.ask;
    this.#yes.textContent = texts.yes;
    this.#no.textContent = texts.no;
    this.#heading.textContent = this.#gear.title = texts.settings;
    this.#gear.setAttribute("aria-label", texts.settings);
    [texts.here, texts.paused, texts.quiet, texts.from, texts.to].forEach((text, n) => (this.#names[n].textContent = text));
    this.#hint.textContent = texts.blocked;
    this.#hint.hidden = state !== "denied";
    const hadFocus = this.#offer.matches(":focus-within");
    this.#gear.hidden = !/^(default|declined|denied|subscribed)$/.test(state ?? "");
    this.#offer.hidden = state !== "default" || !this.#settings.hidden;
    if (hadFocus && this.#offer.hidden) this.#gear.focus();
    this.#here.checked = state === "subscribed";
    this.#here.disabled = state === "denied";
    for (const node of [this.#offer, this.#settings]) node.setAttribute("aria-busy", String(this.#isBusy));
    const { push, quietHours } = this.#preferences ?? {};
    for (const control of [this.#paused, this.#quiet, this.#from, this.#to]) control.disabled = !this.#preferences;
    this.#paused.checked = push === false;
    this.#quiet.checked = Boolean(quietHours);
    this.#times.hidden = !quietHours;
    for (const [name, field] of this.#fields()) {
      // What is being written stays.
      if (quietHours && !field.matches(":focus")) field.value = quietHours[name];
      field.removeAttribute("aria-invalid");
    }
    this.#zone.textContent = quietHours?.timeZone ?? "";
  }

  /** @param {boolean} isOpen */
  async #open(isOpen) {
    const push = this.#push;
    this.#settings.hidden = !isOpen;
    this.#gear.setAttribute("aria-expanded", String(isOpen));
    this.#draw();
    if (!isOpen || !push) return;
    const preferences = await push.preferences().catch(this.acts.fail);
    if (!preferences || push !== this.#push) return;
    this.#preferences = preferences;
    this.#draw();
  }

  /** This browser's push, on or off. @param {boolean} on */
  async #turn(on) {
    const push = this.#push;
    if (!push || this.#isBusy) return this.#draw();
    this.#isBusy = true;
    try {
      // Without a pause before it: browsers ask only right after a click.
      const asked = on ? push.subscribe({ worker: this.#worker, locale: this.#lang }) : push.unsubscribe();
      this.#state = await asked;
      // Dismissed: that is an answer, too.
      if (on && this.#state === "default") await push.decline().then(() => (this.#state = "declined"));
      if (this.#state === "subscribed") this.acts.say(this.#texts.isOn);
      if (this.#state === "denied") this.acts.say(this.#texts.blocked);
    } catch (error) {
      this.acts.fail(error);
    }
    this.#isBusy = false;
    this.#draw();
  }

  async #decline() {
    this.#state = "declined";
    this.#draw();
    await this.#push?.decline();
  }

  /** Writes the preferences as the switches are, after a pause. @param {number} pauseMs */
  #save(pauseMs) {
    const push = this.#push;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { value: from } = this.#from;
      const { value: to } = this.#to;
      const isWrong = this.#quiet.checked && (!from || !to || from === to);
      this.#to.setAttribute("aria-invalid", String(isWrong));
      // Another user's by now.
      if (!push || push !== this.#push || isWrong) return;
      const wanted = { ...this.#preferences, push: !this.#paused.checked };
      delete wanted.quietHours;
      if (this.#quiet.checked) wanted.quietHours = { from, to, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
      this.#saving = this.#saving
        .then(() => push.setPreferences(wanted))
        .then(() => void (push === this.#push && (this.#preferences = wanted)), this.acts.fail)
        .then(() => this.#draw());
    }, pauseMs);
  }
}
