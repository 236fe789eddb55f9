// <bellwire-bell>: a button with the number of unread notifications, a panel with the newest ones, and toasts.
// What they show is kept by Bellwire and List; this file makes these from the element's attributes.
/** @import { Notification, TokenSource } from "#types" */
/** @import { BellPush } from "./bell-push.js" */
/** @import { Reader } from "./bell/articles.js" */
/** @import { PushTexts } from "./bell/push-texts.js" */
/** @import { Texts } from "./bell/texts.js" */
import { Announcer } from "./bell/announcer.js";
import { h } from "./bell/dom.js";
import { linkOf, safeHref, titleOf } from "./bell/item.js";
import { Panel } from "./bell/panel.js";
import { styles } from "./bell/style.js";
import { langOf, learn, speech } from "./bell/texts.js";
import { Toasts } from "./bell/toasts.js";
import { tokenFrom } from "./bell/token.js";
import { Bellwire } from "./client.js";
import { List } from "./list.js";
import { isOurs } from "./position.js";

/** The client's count ends at 100. */
const MAX = 99;
const OFFLINE_AFTER_MS = 2_000;
const TRIES = 3;

const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
const PROPERTIES = ["client", "token", "texts", "renderItem", "toHref"];

export class BellwireBell extends Base {
  static observedAttributes = ["hub", "functions", "user", "token-src", "push", "max", "lang", "dir"];

  /** @type {TokenSource | null} */
  #token = null;
  /** @type {Partial<Texts & PushTexts> | null} */
  #texts = null;
  /** @type {Bellwire | null} */
  #given = null;
  /** @type {Bellwire | null} */
  #client = null;
  /** What the client was made of. @type {unknown} */
  #made = "";
  /** @type {List | null} */
  #list = null;
  #listening = new AbortController();
  /** Deleted here. @type {Set<string>} */
  #gone = new Set();
  /** Marked as read, by a request that has no answer yet. @type {Set<string>} */
  #seen = new Set();
  #arrived = 0;
  #isOffline = false;
  #isLoading = false;
  #isRefused = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #turn;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lost;
  #lang = "";
  #announcer = new Announcer();
  /** @type {Reader} */
  #reader = {
    speech: speech("en"),
    renderItem: null,
    href: (n) => safeHref(this.#toHref(n)),
    select: (n, event) => this.#select(n, event),
    remove: (n) => void this.#remove(n),
  };
  #toHref = /** @type {(n: Notification) => unknown} */ (linkOf);
  #panel = new Panel(this, this.#reader, {
    toggled: (isOpen) => this.#toggled(isOpen),
    readAll: () => this.#readAll(),
    more: (byHand) => this.#more(byHand),
    retry: () => this.#retry(),
  });
  /** @type {BellPush | null} */
  #push = null;
  #toasts = new Toasts(this.#reader, () => this.#panel.button.focus());
  #all = h("div", { class: "all" }, this.#panel.button, this.#panel.node, this.#toasts.node, this.#announcer.node);
  #internals = this.attachInternals();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles()];
    root.append(this.#all);
  }

  connectedCallback() {
    // What the page has set before this module was loaded.
    const own = /** @type {any} */ (this);
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(own, name)) continue;
      const value = own[name];
      delete own[name];
      own[name] = value;
    }
    this.#speak();
    this.#soon();
  }

  disconnectedCallback() {
    this.#panel.left();
    this.#toasts.clear();
    this.#soon();
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (!this.isConnected) return;
    if (/^(lang|dir|max)$/.test(name)) this.#speak();
    else if (name === "push") this.#panel.isOpen && this.#offer();
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
  get renderItem() { return this.#reader.renderItem; }
  set renderItem(render) {
    this.#reader.renderItem = render;
    this.#speak(true);
  }

  /** Where a notification leads. What is not http, https or a path of the site leads nowhere. */
  get toHref() { return this.#toHref; }
  set toHref(/** @type {(n: Notification) => unknown} */ toHref) {
    this.#toHref = toHref;
    this.#speak(true);
  }

  open() { this.#panel.open(); }
  close() { this.#panel.close(); }
  /** @param {FocusOptions} [options] */
  focus(options) { this.#panel.button.focus(options); }

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
    /** @type {TokenSource} */
    const token = async (how) => {
      const source = this.#token;
      if (typeof source === "function") return source(how);
      return source ?? tokenFrom(/** @type {string} */ (src), how.signal);
    };
    this.#client = new Bellwire({ hub: /** @type {string} */ (hub), functions, user, token }).connect();
    this.#start(this.#client);
  }

  /** @param {Bellwire} client */
  #start(client) {
    const { signal } = (this.#listening = new AbortController());
    client.addEventListener("unread", () => this.#draw(), { signal });
    client.addEventListener("statechange", () => this.#changed(), { signal });
    client.addEventListener("notification", ({ detail }) => this.#arrive(detail), { signal });
    client.addEventListener("read", ({ detail }) => this.#emit("read", detail), { signal });
    client.addEventListener("error", ({ detail }) => this.#emit("error", detail), { signal });
    this.#changed();
    if (this.#panel.isOpen) {
      this.#read();
      this.#offer();
    }
    this.#draw();
  }

  #end() {
    this.#listening.abort();
    this.#list?.stop();
    this.#client?.close();
    this.#client = this.#list = null;
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.#gone.clear();
    this.#seen.clear();
    this.#arrived = 0;
    this.#isRefused = this.#isLoading = false;
    this.#offline(false);
    this.#panel.close();
    this.#panel.articles.clear();
    this.#push?.show(null);
    this.#toasts.clear();
    this.#announcer.stop();
    this.#draw();
  }

  /** Reads the list, when the panel is first opened. */
  #read() {
    const { client } = this;
    if (!client || this.#list) return;
    this.#list = new List(client, { changed: () => this.#draw() });
    if (client.state !== "open") this.#list.read();
  }

  /** Push, where the page has a worker for it: offers it, or has the switches. */
  async #offer() {
    const worker = this.getAttribute("push");
    if (worker === null) return this.#push?.show(null);
    const loaded = await import("./bell-push.js").catch(() => null);
    if (!loaded) return;
    this.#push ??= new loaded.BellPush(this.#panel.node, {
      say: (text) => this.#announcer.say(() => text),
      fail: (error) => this.#refuse(error),
    });
    this.#push.speak(this.#lang, this.#texts);
    this.#push.show(this.client?.push ?? null, worker || undefined);
  }

  /** The client's state. */
  #changed() {
    const state = this.client?.state;
    if (state === "open" || state === "closed") {
      clearTimeout(this.#lost);
      this.#lost = undefined;
      this.#offline(state === "closed");
    } else this.#lost ??= setTimeout(() => this.#offline(true), OFFLINE_AFTER_MS);
  }

  /** @param {boolean} is */
  #offline(is) {
    if (is && !this.#isOffline) this.#announcer.say(() => this.#trouble());
    this.#isOffline = is;
    this.#state("offline", is);
    this.#draw();
  }

  #trouble() {
    const { texts } = this.#reader.speech;
    if (this.client?.state === "closed") return texts.closed;
    if (this.#list?.error) return texts.failed;
    if (this.#isRefused) return texts.refused;
    return this.#isOffline ? texts.offline : "";
  }

  #draw() {
    const { client } = this;
    const list = this.#list;
    this.#panel.draw({
      unread: client?.unread ?? null,
      max: Math.min(Number(this.getAttribute("max") ?? MAX) || MAX, MAX),
      entries: list?.entries.filter((n) => !this.#gone.has(n.id)) ?? [],
      next: list?.next,
      isLoading: this.#isLoading,
      seen: this.#seen,
      trouble: this.#trouble(),
      canRetry: client?.state === "closed" || Boolean(list?.error),
    });
  }

  /** @param {Notification} n */
  #arrive(n) {
    if (!this.#emit("notification", n, true)) return;
    this.#arrived++;
    this.#announcer.say(() => {
      const { count, texts } = this.#reader.speech;
      const text = count(texts.arrived, this.#arrived);
      const told = this.#arrived === 1 ? `${text}: ${titleOf(n)}` : text;
      this.#arrived = 0;
      return told;
    });
    const isSeen = this.#panel.isOpen || document.visibilityState === "hidden";
    if (this.hasAttribute("toasts") && !isSeen) this.#toasts.show(n);
  }

  /** @param {Notification} n @param {MouseEvent} event */
  #select(n, event) {
    if (isOurs(n) && !n.readAt) this.#mark([n.id], [n.id]);
    // The browser opens another tab.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const href = this.#reader.href(n);
    if (!this.#emit("select", { notification: n, href }, true)) event.preventDefault();
    if (href) this.close();
  }

  #readAll() {
    const entries = this.#list?.entries ?? [];
    const upTo = entries.find(isOurs)?.seq ?? this.client?.cursor?.seq;
    if (upTo && this.client?.unread !== 0) this.#mark(upTo, entries.map((n) => n.id));
  }

  /** @param {number | string[]} what @param {string[]} ids */
  async #mark(what, ids) {
    for (const id of ids) this.#seen.add(id);
    await this.#ask((client) => client.markRead(what));
    for (const id of ids) this.#seen.delete(id);
    this.#draw();
  }

  /** @param {Notification} n */
  async #remove(n) {
    this.#gone.add(n.id);
    const { texts } = this.#reader.speech;
    if (await this.#ask((client) => client.remove(n.id))) return this.#announcer.say(() => texts.removed);
    this.#gone.delete(n.id);
    this.#draw();
  }

  /**
   * Shows what a request will have done before it is answered; if it is refused, says so.
   * @param {(client: Bellwire) => Promise<unknown>} request
   */
  async #ask(request) {
    const { client } = this;
    this.#isRefused = false;
    this.#draw();
    try {
      if (client) await request(client);
      return true;
    } catch (error) {
      if (/** @type {any} */ (error).code === "not_found") return true;
      if (client === this.client) this.#refuse(error);
      return false;
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    this.#isRefused = true;
    this.#announcer.say(() => this.#reader.speech.texts.refused);
    this.#emit("error", error);
    this.#draw();
  }

  /** @param {boolean} byHand */
  async #more(byHand) {
    const list = this.#list;
    if (!list?.next || this.#isLoading || (this.#isRefused && !byHand)) return;
    this.#isLoading = true;
    const { next } = list;
    // An answer that something has changed meanwhile is thrown away.
    for (let n = 0; n < TRIES && list.next === next && list === this.#list; n++)
      if (!(await this.#ask(() => list.more()))) break;
    this.#isLoading = false;
    this.#draw();
  }

  #retry() {
    if (this.client?.state === "closed") this.client.connect();
    this.#list?.read();
  }

  /** @param {boolean} isOpen */
  #toggled(isOpen) {
    if (isOpen) {
      this.#toasts.clear();
      this.#isRefused = false;
      this.#speak();
      this.#read();
      this.#offer();
      this.#draw();
    }
    this.#state("open", isOpen);
    this.#emit(isOpen ? "open" : "close");
  }

  /** Takes language and direction from where the element stands. */
  #speak(anew = false) {
    const lang = langOf(this);
    if (anew || lang !== this.#lang) {
      this.#reader.speech = speech((this.#lang = lang), this.#texts);
      // English until they are here, or if they cannot be loaded.
      learn(lang).then((isNew) => isNew && this.#speak(true), () => {});
      this.#panel.articles.clear();
      this.#push?.speak(lang, this.#texts);
    }
    this.#all.dir = this.#reader.speech.isRtl && !this.closest("[dir]") ? "rtl" : "";
    this.#draw();
  }

  /** @param {string} name @param {boolean} is */
  #state(name, is) {
    if (is) this.#internals.states.add(name);
    else this.#internals.states.delete(name);
  }

  /** @param {string} type @param {unknown} [detail] */
  #emit(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable }));
  }
}

if (globalThis.customElements && !customElements.get("bellwire-bell")) customElements.define("bellwire-bell", BellwireBell);
