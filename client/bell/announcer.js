// What a screen reader is told: politely, and at most one text in five seconds.
import { h } from "./dom.js";

const PAUSE_MS = 5_000;

export class Announcer {
  node = h("div", { role: "status" });
  /** @type {(() => string) | null} */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** The last of several is told. @param {() => string} text asked when it is told */
  say(text) {
    this.#next = text;
    if (!this.#timer) this.#tell();
  }

  #tell() {
    // Emptied in between: the same text twice would not be told again.
    this.node.textContent = this.#next?.() ?? "";
    this.#timer = this.node.textContent ? setTimeout(() => this.#tell(), PAUSE_MS) : undefined;
    this.#next = null;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#next = null;
    this.node.textContent = "";
  }
}
