// Notifications that show up over the page for a while. They never take the focus, and stay while looked at.
/** @import { Notification } from "#types" */
/** @import { Reader } from "./articles.js" */
import { CROSS, button, h, icon } from "./dom.js";
import { content } from "./item.js";

const TOASTS_MAX = 3;
const SHOWN_MS = 8_000;

export class Toasts {
  node = h("div", { popover: "manual", part: "toasts", role: "group" });
  #ids = 0;
  /** @type {Map<HTMLElement, { close: HTMLElement, timer: ReturnType<typeof setTimeout> | undefined }>} */
  #shown = new Map();

  /** @param {Reader} reader @param {() => void} leave gives the focus to something else */
  constructor(reader, leave) {
    this.reader = reader;
    this.leave = leave;
  }

  /** @param {Notification} n */
  show(n) {
    const { reader, node } = this;
    const { texts } = reader.speech;
    const drop = () => this.#drop(toast);
    const { node: inside } = content(n, reader, `t${++this.#ids}`, (event) => {
      reader.select(n, event);
      drop();
    });
    const close = button({ class: "icon", "aria-label": texts.dismiss }, icon(CROSS));
    const toast = h("div", { part: "toast", class: "box item toast" }, inside, close);
    close.addEventListener("click", drop);
    toast.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      drop();
    });
    node.setAttribute("aria-label", texts.title);
    node.append(toast);
    this.#shown.set(toast, { close, timer: undefined });
    this.#wait(toast);
    if (!node.matches(":popover-open")) node.showPopover();
    if (this.#shown.size > TOASTS_MAX) this.#drop(this.#shown.keys().next().value);
  }

  clear() {
    for (const toast of this.#shown.keys()) this.#drop(toast);
  }

  /** @param {HTMLElement} toast */
  #wait(toast) {
    const end = () => (this.node.matches(":hover, :focus-within") ? this.#wait(toast) : this.#drop(toast));
    const shown = this.#shown.get(toast);
    if (shown) shown.timer = setTimeout(end, SHOWN_MS);
  }

  /** @param {HTMLElement | undefined} toast */
  #drop(toast) {
    if (!toast) return;
    const hadFocus = toast.matches(":focus-within");
    clearTimeout(this.#shown.get(toast)?.timer);
    this.#shown.delete(toast);
    toast.remove();
    const [next] = this.#shown.values();
    if (hadFocus && next) next.close.focus();
    else if (hadFocus) this.leave();
    if (!next && this.node.isConnected) this.node.hidePopover();
  }
}
