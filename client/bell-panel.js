// What is in the bell's panel: the list, its keys, optimistic marks and deletes, toasts. Loaded when the pointer or the
// focus comes to the bell, or a toast is to be shown: most pages are left without that.
/** @import { Bellwire } from "./client.js" */
/** @import { Notification } from "#types" */
/** @import { BellPush } from "./bell-push.js" */
/** @import { Reader } from "./bell/articles.js" */
/** @import { Shell } from "./bell/shell.js" */
/** @import { PushTexts } from "./bell/push-texts.js" */
/** @import { Speech, Texts } from "./bell/texts.js" */
import { Articles } from "./bell/articles.js";
import { BELL, button, h, icon, say } from "./bell/dom.js";
import { safeHref } from "./bell/notification.js";
import { addStyle } from "./bell/panel-style.js";
import { Toasts } from "./bell/toasts.js";
import { List } from "./list.js";
import { isOurs } from "./position.js";

const TRIES = 3;
const TICK_MS = 20_000;
/** So far above its end the list loads more. */
const NEAR_PX = 300;

/**
 * @typedef {object} Bell what the panel knows of the element
 * @property {HTMLElement & { renderItem: Reader["renderItem"], toHref: (n: Notification) => unknown }} host
 * @property {Shell} shell
 * @property {() => Bellwire | null} client
 * @property {() => Speech} speech
 * @property {() => string} lang
 * @property {() => Partial<Texts & PushTexts> | null} texts the page's own
 * @property {() => void} draw
 * @property {() => void} drawSoon
 * @property {(text: () => string) => void} say
 * @property {(type: string, detail: unknown, cancelable?: boolean) => boolean} emit
 */

export class BellPanel {
  /** @type {List | null} */
  #list = null;
  /** Deleted here. @type {Set<string>} */
  #gone = new Set();
  /** Marked as read, by a request that has no answer yet. @type {Set<string>} */
  #seen = new Set();
  #isLoading = false;
  #isRefused = false;
  #readAll = button({ part: "read-all", class: "text" });
  #nothing = h("p");
  #empty = h("div", { part: "empty" }, h("slot", { name: "empty" }, icon(BELL), this.#nothing));
  #more = button({ part: "more", class: "text more" });
  #articles;
  #toasts;
  /** @type {BellPush | null} */
  #push = null;

  /** @param {Bell} bell */
  constructor(bell) {
    this.bell = bell;
    const { host, shell } = bell;
    const { node, header, scroll } = shell;
    /** @type {Reader} */
    const reader = {
      get speech() { return bell.speech(); },
      get renderItem() { return host.renderItem; },
      href: (n) => safeHref(host.toHref(n)),
      select: (n, event) => this.#select(n, event),
      remove: (n) => void this.#remove(n),
    };
    this.#articles = new Articles(reader, () => node.focus());
    this.#toasts = new Toasts(reader, () => shell.button.focus());
    addStyle(/** @type {ShadowRoot} */ (node.getRootNode()));
    header.append(this.#readAll);
    scroll.append(this.#articles.feed, this.#more, this.#empty);
    node.after(this.#toasts.node);
    node.addEventListener("keydown", (event) => this.#key(event));
    this.#readAll.addEventListener("click", () => this.#markAll());
    this.#more.addEventListener("click", () => this.#loadMore(true));
    scroll.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = scroll;
      if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.#loadMore(false);
    });
  }

  /** Whether the list could not be read. */
  get hasFailed() { return Boolean(this.#list?.error); }
  /** Whether something that was asked for did not work. */
  get isRefused() { return this.#isRefused; }
  /** Whether there is something to show, were it that nothing is there. */
  get isRead() { return this.#list !== null && (this.#list.next !== undefined || this.#shown.length > 0); }

  get #shown() {
    return this.#list?.entries.filter((n) => !this.#gone.has(n.id)) ?? [];
  }

  /** The panel is open, or has another client. */
  open() {
    const { shell } = this.bell;
    this.#toasts.clear();
    this.#isRefused = false;
    const timer = setInterval(() => this.#articles.tick(), TICK_MS);
    shell.signal.addEventListener("abort", () => clearInterval(timer));
    this.#articles.tick();
    this.read();
  }

  /** Reads the list, when the panel is first opened; and offers push. */
  read() {
    const client = this.bell.client();
    if (client && !this.#list) {
      this.#list = new List(client, { changed: this.bell.drawSoon });
      if (client.state !== "open") this.#list.read();
    }
    this.offer();
  }

  /** What could not be read, once more. */
  retry() {
    this.#list?.read();
  }

  /** The client is another one, or there is none. */
  end() {
    this.#list?.stop();
    this.#list = null;
    this.#gone.clear();
    this.#seen.clear();
    this.#isRefused = this.#isLoading = false;
    this.#articles.clear();
    this.#push?.show(null);
    this.clear();
  }

  /** No toasts. */
  clear() {
    this.#toasts.clear();
  }

  /** @param {Notification} n */
  toast(n) {
    this.#toasts.show(n);
  }

  /** All anew: in another language, or as the page wants it now. */
  speak() {
    this.#articles.clear();
    this.#push?.speak(this.bell.lang(), this.bell.texts());
  }

  /** Push, where the page has a worker for it: offers it, or has the switches. */
  async offer() {
    const { bell } = this;
    const worker = bell.host.getAttribute("push");
    if (worker === null) return this.#push?.show(null);
    const loaded = await import("./bell-push.js").catch(() => null);
    if (!loaded) return;
    this.#push ??= new loaded.BellPush(bell.shell.node, {
      say: (text) => bell.say(() => text),
      fail: (error) => this.#refuse(error),
    });
    this.#push.speak(bell.lang(), bell.texts());
    this.#push.show(bell.client()?.push ?? null, worker || undefined);
  }

  /** @param {number | null} unread @param {boolean} isWaiting the skeleton is shown */
  draw(unread, isWaiting) {
    const { texts } = this.bell.speech();
    const entries = this.#shown;
    const next = this.#list?.next;
    say(this.#readAll, texts.readAll);
    this.#readAll.hidden = !entries.length && !unread;
    this.#readAll.setAttribute("aria-disabled", String(unread === 0));
    say(this.#nothing, texts.empty);
    this.#empty.hidden = next === undefined || entries.length > 0;
    say(this.#more, texts.more);
    this.#more.hidden = !next;
    const { feed } = this.#articles;
    feed.hidden = !entries.length && !isWaiting;
    feed.setAttribute("aria-label", texts.title);
    feed.setAttribute("aria-busy", String(this.#isLoading || isWaiting));
    this.#articles.draw(entries, !next, this.#seen);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { key, ctrlKey, altKey, metaKey, shiftKey } = event;
    const target = /** @type {Element} */ (event.target);
    if (altKey || metaKey || shiftKey || target.closest("input, textarea, select, [contenteditable]")) return;
    const articles = this.#articles;
    const row = articles.current;
    if (ctrlKey) {
      if (key === "Home") this.#readAll.focus();
      else if (key === "End") (this.#more.hidden ? articles.rows.at(-1)?.article : this.#more)?.focus();
      else return;
    } else if (key === "PageDown" || key === "ArrowDown") articles.go(1) || this.#loadMore(false);
    else if (key === "PageUp" || key === "ArrowUp") articles.go(-1);
    else if (key === "Delete" && row?.remove) this.#remove(row.n);
    else if (key === "Enter" && target === row?.article) row.title.click();
    else return;
    event.preventDefault();
  }

  /** @param {Notification} n @param {MouseEvent} event */
  #select(n, event) {
    if (isOurs(n) && !n.readAt) this.#mark([n.id], [n.id]);
    // The browser opens another tab.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const { host, shell, emit } = this.bell;
    const href = safeHref(host.toHref(n));
    if (!emit("select", { notification: n, href }, true)) event.preventDefault();
    if (href) shell.close();
  }

  #markAll() {
    const entries = this.#list?.entries ?? [];
    const client = this.bell.client();
    const upTo = entries.find(isOurs)?.seq ?? client?.cursor?.seq;
    if (upTo && client?.unread !== 0) this.#mark(upTo, entries.map((n) => n.id));
  }

  /** @param {number | string[]} what @param {string[]} ids */
  async #mark(what, ids) {
    for (const id of ids) this.#seen.add(id);
    await this.#ask((client) => client.markRead(what));
    for (const id of ids) this.#seen.delete(id);
    this.bell.draw();
  }

  /** @param {Notification} n */
  async #remove(n) {
    this.#gone.add(n.id);
    const { texts } = this.bell.speech();
    if (await this.#ask((client) => client.remove(n.id))) return this.bell.say(() => texts.removed);
    this.#gone.delete(n.id);
    this.bell.draw();
  }

  /**
   * Shows what a request will have done before it is answered; if it is refused, says so.
   * @param {(client: Bellwire) => Promise<unknown>} request
   */
  async #ask(request) {
    const { bell } = this;
    const client = bell.client();
    this.#isRefused = false;
    bell.draw();
    try {
      if (client) await request(client);
      return true;
    } catch (error) {
      if (/** @type {any} */ (error).code === "not_found") return true;
      if (client === bell.client()) this.#refuse(error);
      return false;
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    const { bell } = this;
    this.#isRefused = true;
    bell.say(() => bell.speech().texts.refused);
    bell.emit("error", error);
    bell.draw();
  }

  /** Reads older entries. @param {boolean} byHand */
  async #loadMore(byHand) {
    const list = this.#list;
    if (!list?.next || this.#isLoading || (this.#isRefused && !byHand)) return;
    const { length } = this.#articles.rows;
    this.#isLoading = true;
    const { next } = list;
    // An answer that something has changed meanwhile is thrown away.
    for (let n = 0; n < TRIES && list.next === next && list === this.#list; n++)
      if (!(await this.#ask(() => list.more()))) break;
    this.#isLoading = false;
    this.bell.draw();
    if (byHand) this.#articles.rows[length]?.article.focus();
  }
}
