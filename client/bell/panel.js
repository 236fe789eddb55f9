// The button and what it opens: a dialog with the list. Knows where focus goes, and what each key does.
/** @import { Notification } from "#types" */
/** @import { Reader } from "./articles.js" */
import { Articles } from "./articles.js";
import { BELL, button, h, icon } from "./dom.js";
import { place } from "./place.js";

const TICK_MS = 20_000;
/** So far above its end the list loads more. */
const NEAR_PX = 300;

/**
 * @typedef {object} Acts
 * @property {(isOpen: boolean) => void} toggled
 * @property {() => void} readAll
 * @property {(byHand: boolean) => Promise<void>} more
 * @property {() => void} retry
 */

/**
 * @typedef {object} View
 * @property {number | null} unread
 * @property {number} max of the badge
 * @property {readonly Notification[]} entries
 * @property {string | null | undefined} next undefined: not read yet
 * @property {boolean} isLoading
 * @property {Set<string>} seen
 * @property {string} trouble what is wrong, or nothing
 * @property {boolean} canRetry
 */

export class Panel {
  badge = h("span", { part: "badge", hidden: "" });
  button = button(
    { part: "bell", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": "panel" },
    h("slot", { name: "icon" }, icon(BELL)),
    this.badge,
  );
  #heading = h("h2");
  #readAll = button({ part: "read-all", class: "text" });
  #trouble = h("span");
  #retry = button({ class: "text" });
  #status = h("div", { part: "status" }, this.#trouble, this.#retry);
  #skeleton = h("div", { class: "skeleton", "aria-hidden": "true" }, ...Array.from({ length: 4 }, () => h("div", {}, h("i"), h("i"))));
  #nothing = h("p");
  #empty = h("div", { part: "empty" }, h("slot", { name: "empty" }, icon(BELL), this.#nothing));
  #more = button({ part: "more", class: "text more" });
  #scroll;
  node;
  articles;
  isOpen = false;
  #open = new AbortController();

  /** @param {HTMLElement} host @param {Reader} reader @param {Acts} acts */
  constructor(host, reader, acts) {
    this.host = host;
    this.reader = reader;
    this.acts = acts;
    this.articles = new Articles(reader, () => this.node.focus());
    this.#scroll = h("div", { class: "scroll" }, this.#skeleton, this.articles.feed, this.#more, this.#empty);
    this.node = h(
      "div",
      { id: "panel", popover: "", role: "dialog", part: "panel", tabindex: "-1" },
      h("div", { part: "header" }, h("slot", { name: "header" }, this.#heading), this.#readAll),
      this.#status,
      this.#scroll,
      h("slot", { name: "footer" }),
    );
    this.button.popoverTargetElement = this.node;
    this.node.addEventListener("beforetoggle", (event) => this.#toggle(/** @type {ToggleEvent} */ (event).newState === "open"));
    this.node.addEventListener("toggle", () => this.isOpen && !this.node.matches(":focus-within") && this.node.focus());
    this.node.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("focusout", ({ relatedTarget }) => {
      const to = /** @type {Node | null} */ (relatedTarget);
      if (to && !this.node.getRootNode().contains(to) && !host.contains(to)) this.close();
    });
    this.#readAll.addEventListener("click", acts.readAll);
    this.#retry.addEventListener("click", acts.retry);
    this.#more.addEventListener("click", () => this.#loadMore(true));
    this.#scroll.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
      if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.#loadMore(false);
    });
  }

  open() {
    if (!this.isOpen && this.node.isConnected) this.node.showPopover();
  }

  close() {
    if (this.isOpen) this.node.hidePopover();
  }

  /** Opens or closes, or is taken out of the page while open. @param {boolean} isOpen */
  #toggle(isOpen) {
    // Before it is hidden: afterwards the browser has forgotten where the focus was.
    if (!isOpen && this.node.matches(":focus-within")) this.button.focus();
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.isOpen = isOpen;
    this.#open.abort();
    if (isOpen) {
      const { signal } = (this.#open = new AbortController());
      const again = () => place(this.button, this.node, this.host.getAttribute("placement") ?? "");
      addEventListener("resize", again, { signal });
      addEventListener("scroll", again, { signal, capture: true, passive: true });
      const timer = setInterval(() => this.articles.tick(), TICK_MS);
      signal.addEventListener("abort", () => clearInterval(timer));
      again();
      this.articles.tick();
    }
    this.acts.toggled(isOpen);
  }

  /** Taken out of the page: the browser hides it without a word. */
  left() {
    if (this.isOpen) this.#toggle(false);
  }

  /** @param {boolean} byHand */
  async #loadMore(byHand) {
    const { length } = this.articles.rows;
    await this.acts.more(byHand);
    if (byHand) this.articles.rows[length]?.article.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { key, ctrlKey, altKey, metaKey, shiftKey } = event;
    const target = /** @type {Element} */ (event.target);
    if (altKey || metaKey || shiftKey || target.closest("input, textarea, select, [contenteditable]")) return;
    const { articles } = this;
    const row = articles.current;
    if (ctrlKey) {
      if (key === "Home") this.#readAll.focus();
      else if (key === "End") (this.#more.hidden ? articles.rows.at(-1)?.article : this.#more)?.focus();
      else return;
    } else if (key === "PageDown" || key === "ArrowDown") articles.go(1) || this.#loadMore(false);
    else if (key === "PageUp" || key === "ArrowUp") articles.go(-1);
    else if (key === "Delete" && row?.remove) this.reader.remove(row.n);
    else if (key === "Enter" && target === row?.article) row.title.click();
    else return;
    event.preventDefault();
  }

  /** @param {View} view */
  draw({ unread, max, entries, next, isLoading, seen, trouble, canRetry }) {
    const { texts, count, number } = this.reader.speech;
    const shown = (unread ?? 0) > max ? `${number(max)}+` : number(unread ?? 0);
    this.badge.hidden = !unread;
    this.badge.textContent = shown;
    this.button.setAttribute("aria-label", unread ? count(texts.unread, unread, shown) : texts.title);
    if (!this.isOpen) return;
    this.node.setAttribute("aria-label", texts.title);
    this.#heading.textContent = texts.title;
    this.#readAll.textContent = texts.readAll;
    this.#readAll.hidden = !entries.length && !unread;
    this.#readAll.setAttribute("aria-disabled", String(unread === 0));
    const hadFocus = this.#status.matches(":focus-within");
    this.#trouble.textContent = trouble;
    this.#retry.textContent = texts.retry;
    this.#retry.hidden = !canRetry;
    this.#status.hidden = !trouble;
    if (hadFocus && !canRetry) this.node.focus();
    const isRead = next !== undefined;
    this.#skeleton.hidden = isRead || canRetry || entries.length > 0;
    this.#nothing.textContent = texts.empty;
    this.#empty.hidden = !isRead || entries.length > 0;
    this.#more.textContent = texts.more;
    this.#more.hidden = !next;
    this.articles.feed.hidden = !entries.length && this.#skeleton.hidden;
    this.articles.feed.setAttribute("aria-label", texts.title);
    this.articles.feed.setAttribute("aria-busy", String(isLoading || !this.#skeleton.hidden));
    this.articles.draw(entries, !next, seen);
  }
}
