// <bellwire-bell>: a button with the number of unread notifications, and a panel that opens. The element makes a
// client from its attributes and tells what arrives; what is in the panel is bell-panel.js.
/** @import { Notification, TokenSource } from "#types" */
/** @import { BellPanel } from "./bell-panel.js" */
/** @import { PushTexts } from "./bell/push-texts.js" */
/** @import { Texts } from "./bell/texts.js" */
import { Announcer } from "./bell/announcer.js";
import { h, upgrade } from "./bell/dom.js";
import { linkOf } from "./bell/notification.js";
import { Shell } from "./bell/shell.js";
import { styles } from "./bell/style.js";
import { langOf, learn, speech } from "./bell/texts.js";
import { tokenOf } from "./bell/token.js";
import { Bellwire } from "./client.js";
import { lazy } from "./lazy.js";

/** The client's count ends at 100. */
const MAX = 99;
const OFFLINE_AFTER_MS = 2_000;

const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
const PROPERTIES = ["client", "token", "texts", "renderItem", "toHref"];

const loadPanel = lazy(() => import("./bell-panel.js"), "./bell-panel.js");

export class BellwireBell extends Base {
  static observedAttributes = ["hub", "functions", "user", "token-src", "push", "max", "lang", "dir"];

  /** @type {TokenSource | null} */
  #token = null;
  /** @type {Partial<Texts & PushTexts> | null} */
  #texts = null;
  /** @type {((n: Notification) => Node) | null} */
  #renderItem = null;
  #toHref = /** @type {(n: Notification) => unknown} */ (linkOf);
  /** @type {Bellwire | null} */
  #given = null;
  /** @type {Bellwire | null} */
  #client = null;
  /** What the client was made of. @type {unknown} */
  #made = "";
  #listening = new AbortController();
  #isOffline = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #turn;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lost;
  /** Draws before the next picture. */
  #frame = 0;
  #lang = "";
  #speech = speech("en");
  #announcer = new Announcer();
  /** Null: not loaded. @type {BellPanel | null} */
  #panel = null;
  /** The module did not load. */
  #isMissing = false;
  #shell = new Shell(this, {
    toggled: (isOpen) => this.#toggled(isOpen),
    near: () => void this.#load(),
    retry: () => this.#retry(),
  });
  #all = h("div", { class: "all" }, this.#shell.button, this.#shell.node, this.#announcer.node);
  #internals = this.attachInternals();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles()];
    root.append(this.#all);
  }

  connectedCallback() {
    upgrade(this, PROPERTIES);
    this.#speak();
    this.#soon();
  }

  disconnectedCallback() {
    this.#shell.left();
    this.#panel?.clear();
    this.#soon();
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (!this.isConnected) return;
    if (/^(lang|dir|max)$/.test(name)) this.#speak();
    else if (name === "push") this.#shell.isOpen && this.#panel?.offer();
    else this.#soon();
  }

  /** The client: of the attributes, or the page's own, which the page itself connects and closes. */
  get client() { return this.#given ?? this.#client; }
  set client(/** @type {Bellwire | null} */ client) {
    this.#given = client;
    this.#soon();
  }

  /** A token, or a function that gives one, in place of `token-src`. */
  get token() { return this.#token; }
  set token(/** @type {TokenSource | null} */ token) {
    this.#token = token;
    this.#soon();
  }

  /** Texts in place of ours. */
  get texts() { return this.#texts; }
  set texts(/** @type {Partial<Texts & PushTexts> | null} */ texts) {
    this.#texts = texts;
    this.#speak(true);
  }

  /** What an item shows in place of title, text and time. @returns {((n: Notification) => Node) | null} */
  get renderItem() { return this.#renderItem; }
  set renderItem(render) {
    this.#renderItem = render;
    this.#speak(true);
  }

  /** Where a notification leads. What is not http, https or a path of the site leads nowhere. */
  get toHref() { return this.#toHref; }
  set toHref(/** @type {(n: Notification) => unknown} */ toHref) {
    this.#toHref = toHref;
    this.#speak(true);
  }

  open() { this.#shell.open(); }
  close() { this.#shell.close(); }
  /** @param {FocusOptions} [options] */
  focus(options) { this.#shell.button.focus(options); }

  /** Once for all changes of a task: attributes come one by one, and an element that is moved leaves first. */
  #soon() {
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => this.#remake());
  }

  #remake() {
    const [hub, functions, user, src] = ["hub", "functions", "user", "token-src"].map((name) => this.getAttribute(name) ?? undefined);
    const made = hub && (this.#token || src) ? JSON.stringify([hub, functions, user, src]) : "";
    const wanted = this.isConnected ? (this.#given ?? made) : "";
    if (wanted === this.#made) return;
    this.#end();
    this.#made = wanted;
    if (!wanted) return;
    if (this.#given) return this.#start(this.#given);
    const token = tokenOf(() => this.#token, src);
    this.#client = new Bellwire({ hub: /** @type {string} */ (hub), functions, user, token }).connect();
    this.#start(this.#client);
  }

  /** @param {Bellwire} client */
  #start(client) {
    const { signal } = (this.#listening = new AbortController());
    client.addEventListener("unread", () => this.#drawSoon(), { signal });
    client.addEventListener("statechange", () => this.#changed(), { signal });
    client.addEventListener("notification", ({ detail }) => this.#arrive(detail), { signal });
    for (const type of /** @type {const} */ (["read", "error"]))
      client.addEventListener(type, ({ detail }) => this.#emit(type, detail), { signal });
    if (this.#shell.isOpen) this.#panel?.read();
    this.#changed();
    this.#draw();
  }

  #end() {
    this.#listening.abort();
    this.#client?.close();
    this.#client = null;
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.#offline(false);
    this.#shell.close();
    this.#panel?.end();
    this.#announcer.stop();
    this.#draw();
  }

  /**
   * What is in the panel. It is tried again at each call, and when the hub, which it comes from, is back.
   * @returns {Promise<BellPanel | null>}
   */
  async #load() {
    if (this.#panel) return this.#panel;
    this.#isMissing = false;
    this.#draw();
    try {
      const { BellPanel } = await loadPanel();
      if (this.#panel) return this.#panel;
      this.#panel = new BellPanel({
        host: this,
        shell: this.#shell,
        client: () => this.client,
        speech: () => this.#speech,
        lang: () => this.#lang,
        texts: () => this.#texts,
        draw: () => this.#draw(),
        drawSoon: () => this.#drawSoon(),
        say: (text) => this.#announcer.say(text),
        emit: (type, detail, cancelable) => this.#emit(type, detail, cancelable),
      });
      if (this.#shell.isOpen) this.#panel.open();
    } catch (error) {
      // Pointer, focus and click ask at once, and fail at once.
      const isNew = !this.#isMissing;
      this.#isMissing = true;
      if (isNew && this.#shell.isOpen) {
        this.#announcer.say(() => this.#trouble());
        this.#emit("error", error);
      }
    }
    this.#draw();
    return this.#panel;
  }

  /** The client's state. */
  #changed() {
    const state = this.client?.state;
    if (state === "open" || state === "closed") {
      clearTimeout(this.#lost);
      this.#lost = undefined;
      this.#offline(state === "closed");
    } else this.#lost ??= setTimeout(() => this.#offline(true), OFFLINE_AFTER_MS);
    if (state === "open" && this.#isMissing) this.#load();
  }

  /** @param {boolean} is */
  #offline(is) {
    if (is && !this.#isOffline) this.#announcer.say(() => this.#trouble());
    this.#isOffline = is;
    this.#state("offline", is);
    this.#draw();
  }

  #trouble() {
    const { texts } = this.#speech;
    if (this.client?.state === "closed") return texts.closed;
    if (this.#isMissing || this.#panel?.hasFailed) return texts.failed;
    if (this.#panel?.isRefused) return texts.refused;
    return this.#isOffline ? texts.offline : "";
  }

  /** Once for all that arrives before the next picture; what the user does is drawn at once. */
  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const unread = this.client?.unread ?? null;
    const panel = this.#panel;
    const canRetry = this.client?.state === "closed" || this.#isMissing || Boolean(panel?.hasFailed);
    const isWaiting = !panel?.isRead && !canRetry;
    const max = Math.min(Number(this.getAttribute("max") ?? MAX) || MAX, MAX);
    this.#shell.draw({ speech: this.#speech, unread, max, trouble: this.#trouble(), canRetry, isWaiting });
    if (this.#shell.isOpen) panel?.draw(unread, isWaiting);
  }

  /** @param {Notification} n */
  #arrive(n) {
    if (!this.#emit("notification", n, true)) return;
    this.#announcer.arrived(n, () => this.#speech);
    const { client } = this;
    const isWanted = () => !this.#shell.isOpen && document.visibilityState !== "hidden" && client === this.client;
    if (this.hasAttribute("toasts") && isWanted()) this.#load().then((panel) => isWanted() && panel?.toast(n));
  }

  #retry() {
    if (this.client?.state === "closed") this.client.connect();
    this.#panel?.retry();
    this.#load();
  }

  /** @param {boolean} isOpen */
  #toggled(isOpen) {
    if (isOpen) {
      this.#speak();
      this.#panel?.open();
      this.#load();
      this.#draw();
    }
    this.#state("open", isOpen);
    this.#emit(isOpen ? "open" : "close");
  }

  /** Takes language and direction from where the element stands. */
  #speak(anew = false) {
    const lang = langOf(this);
    if (anew || lang !== this.#lang) {
      this.#speech = speech((this.#lang = lang), this.#texts);
      // English until they are here, or if they cannot be loaded.
      learn(lang).then((isNew) => isNew && this.#speak(true), () => {});
      this.#panel?.speak();
    }
    this.#all.dir = this.#speech.isRtl && !this.closest("[dir]") ? "rtl" : "";
    this.#draw();
  }

  /** @param {string} name @param {boolean} is */
  #state(name, is) {
    this.#internals.states[is ? "add" : "delete"](name);
  }

  /** @param {string} type @param {unknown} [detail] */
  #emit(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable }));
  }
}

if (globalThis.customElements && !customElements.get("bellwire-bell")) customElements.define("bellwire-bell", BellwireBell);
