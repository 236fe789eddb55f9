// The list in the panel: role=feed, one article a notification, one of them in the tab order. Articles stay the
// same elements as long as their notification is there, so focus and scroll position do; what is drawn again writes
// only what has changed, because each write costs style and layout.
/** @import { Notification } from "#types" */
/** @import { Speech } from "./texts.js" */
import { isOurs } from "../position.js";
import { CROSS, button, h, icon } from "./dom.js";
import { content, tell } from "./item.js";
import { titleOf } from "./notification.js";

/**
 * @typedef {object} Reader
 * @property {Speech} speech
 * @property {((n: Notification) => Node) | null} renderItem
 * @property {(n: Notification) => string | undefined} href
 * @property {(n: Notification, event: MouseEvent) => void} select
 * @property {(n: Notification) => void} remove
 */

/**
 * @typedef {object} Row
 * @property {Notification} n
 * @property {HTMLElement} article
 * @property {HTMLElement} title
 * @property {HTMLElement} unread
 * @property {HTMLElement | undefined} remove
 */

/** Whether the attribute had another value. @param {Element} node @param {string} name @param {string | number} value */
function put(node, name, value) {
  if (node.getAttribute(name) === String(value)) return false;
  node.setAttribute(name, String(value));
  return true;
}

export class Articles {
  feed = h("div", { role: "feed", part: "feed" });
  /** @type {Row[]} */
  rows = [];
  #ids = 0;
  /** The one in the tab order. @type {Row | undefined} */
  #stop;

  /** @param {Reader} reader @param {() => void} leave gives the focus to something else */
  constructor(reader, leave) {
    this.reader = reader;
    this.leave = leave;
    this.feed.addEventListener("focusin", () => this.#only(this.current));
  }

  /** @param {readonly Notification[]} entries @param {boolean} isAll @param {Set<string>} seen marked, not answered yet */
  draw(entries, isAll, seen) {
    const { feed, current, rows } = this;
    const { texts } = this.reader.speech;
    const gone = new Map(rows.map((row) => [row.n.id ?? row.n, row]));
    this.rows = entries.map((n) => {
      const key = n.id ?? n;
      const row = gone.get(key) ?? this.#row(n);
      gone.delete(key);
      row.n = n;
      const isUnread = isOurs(n) && !n.readAt && !seen.has(n.id);
      if (put(row.article, "part", isUnread ? "item item-unread" : "item")) {
        row.article.classList.toggle("fresh", isUnread);
        row.unread.textContent = isUnread ? texts.isUnread : "";
      }
      return row;
    });
    for (const { article } of gone.values()) article.remove();
    let at = feed.firstElementChild;
    this.rows.forEach(({ article }, n) => {
      put(article, "aria-posinset", n + 1);
      put(article, "aria-setsize", isAll ? entries.length : -1);
      if (article === at) at = at.nextElementSibling;
      else feed.insertBefore(article, at);
    });
    this.#only(this.rows.find((row) => row === this.#stop) ?? this.rows[0]);
    if (!current || this.rows.includes(current)) return;
    const next = this.rows[rows.indexOf(current)] ?? this.rows.at(-1);
    if (next) next.article.focus();
    else this.leave();
  }

  /** All anew: in another language, or as the page wants it now. */
  clear() {
    this.rows = [];
    this.feed.replaceChildren();
  }

  /** The one with the focus. */
  get current() {
    const focused = this.feed.querySelector(":scope > :focus-within");
    return this.rows.find(({ article }) => article === focused);
  }

  /** Focus goes so many articles on. @param {number} step @returns {boolean} whether there is one */
  go(step) {
    const { current, rows } = this;
    const to = rows[current ? rows.indexOf(current) + step : 0];
    to?.article.focus();
    return Boolean(to);
  }

  /** Times go on. */
  tick() {
    if (this.reader.renderItem) return;
    for (const time of this.feed.querySelectorAll("time")) tell(time, this.reader.speech);
  }

  /** Tab stops at one article, PageDown and PageUp go to the others. @param {Row | undefined} one */
  #only(one) {
    if (one === this.#stop) return;
    for (const row of [this.#stop, one])
      for (const node of [row?.article, row?.remove]) if (node) node.tabIndex = row === one ? 0 : -1;
    this.#stop = one;
  }

  /** @param {Notification} n @returns {Row} */
  #row(n) {
    const { reader } = this;
    const id = `n${++this.#ids}`;
    const { title, about, node } = content(n, reader, id, (event) => reader.select(row.n, event));
    const unread = h("span", { class: "unseen", id: `${id}u` });
    const article = h("article", { tabindex: "-1", class: "item", "aria-labelledby": `${id}u ${id}` }, unread, node);
    if (about) article.setAttribute("aria-describedby", about);
    title.tabIndex = -1;
    let remove;
    if (isOurs(n)) {
      const label = reader.speech.texts.remove;
      remove = button({ class: "icon", tabindex: "-1", "aria-label": `${label}: ${titleOf(n)}`, title: label }, icon(CROSS));
      remove.addEventListener("click", () => reader.remove(row.n));
      article.append(remove);
    }
    /** @type {Row} */
    const row = { n, article, title, unread, remove };
    return row;
  }
}
