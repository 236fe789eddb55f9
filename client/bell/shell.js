// The button and the dialog that it opens, as far as the first click needs them: where focus goes, where the dialog
// stands, what is wrong. The list in it comes with bell-panel.js.
/** @import { Speech } from "./texts.js" */
import { BELL, button, h, icon, say } from "./dom.js";
import { place } from "./place.js";

/**
 * @typedef {object} Acts
 * @property {(isOpen: boolean) => void} toggled
 * @property {() => void} near the pointer or the focus is on the button
 * @property {() => void} retry
 */

/**
 * @typedef {object} View
 * @property {Speech} speech
 * @property {number | null} unread
 * @property {number} max of the badge
 * @property {string} trouble what is wrong, or nothing
 * @property {boolean} canRetry
 * @property {boolean} isWaiting nothing is there to show yet
 */

export class Shell {
  badge = h("span", { part: "badge", hidden: "" });
  button = button(
    { part: "bell", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": "panel" },
    h("slot", { name: "icon" }, icon(BELL)),
    this.badge,
  );
  #heading = h("h2");
  header = h("div", { part: "header" }, h("slot", { name: "header" }, this.#heading));
  #trouble = h("span");
  #retry = button({ class: "text" });
  #status = h("div", { part: "status" }, this.#trouble, this.#retry);
  #skeleton = h("div", { class: "skeleton", "aria-hidden": "true" }, ...Array.from({ length: 4 }, () => h("div", {}, h("i"), h("i"))));
  scroll = h("div", { class: "scroll" }, this.#skeleton);
  node = h(
    "div",
    { id: "panel", popover: "", role: "dialog", part: "panel", class: "box panel", tabindex: "-1" },
    this.header,
    this.#status,
    this.scroll,
    h("slot", { name: "footer" }),
  );
  isOpen = false;
  #open = new AbortController();

  /** @param {HTMLElement} host @param {Acts} acts */
  constructor(host, acts) {
    this.host = host;
    this.acts = acts;
    const { node } = this;
    this.button.popoverTargetElement = node;
    for (const type of ["pointerenter", "focus"]) this.button.addEventListener(type, acts.near);
    this.#retry.addEventListener("click", acts.retry);
    node.addEventListener("beforetoggle", (event) => this.#toggle(/** @type {ToggleEvent} */ (event).newState === "open"));
    node.addEventListener("toggle", () => this.isOpen && !node.matches(":focus-within") && node.focus());
    node.addEventListener("focusout", ({ relatedTarget }) => {
      const to = /** @type {Node | null} */ (relatedTarget);
      if (to && !node.getRootNode().contains(to) && !host.contains(to)) this.close();
    });
  }

  /** Aborted when the panel closes. */
  get signal() {
    return this.#open.signal;
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
      again();
    }
    this.acts.toggled(isOpen);
  }

  /** Taken out of the page: the browser hides it without a word. */
  left() {
    if (this.isOpen) this.#toggle(false);
  }

  /** @param {View} view */
  draw({ speech: { texts, count, number }, unread, max, trouble, canRetry, isWaiting }) {
    const shown = (unread ?? 0) > max ? `${number(max)}+` : number(unread ?? 0);
    this.badge.hidden = !unread;
    say(this.badge, shown);
    this.button.setAttribute("aria-label", unread ? count(texts.unread, unread, shown) : texts.title);
    if (!this.isOpen) return;
    const { node } = this;
    node.setAttribute("aria-label", texts.title);
    node.setAttribute("aria-busy", String(isWaiting));
    say(this.#heading, texts.title);
    const hadFocus = this.#status.matches(":focus-within");
    say(this.#trouble, trouble);
    say(this.#retry, texts.retry);
    this.#retry.hidden = !canRetry;
    this.#status.hidden = !trouble;
    if (hadFocus && !canRetry) node.focus();
    this.#skeleton.hidden = !isWaiting;
  }
}
