// What a screen reader is told: politely, and at most one text in five seconds.
/** @import { Notification } from "#types" */
/** @import { Speech } from "./texts.js" */
import { h } from "./dom.js";
import { titleOf } from "./notification.js";

const PAUSE_MS = 5_000;

export class Announcer {
  node = h("div", { role: "status" });
  /** @type {(() => string) | null} */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Notifications that no client has been told of yet. */
  #arrived = 0;

  /** The last of several is told. @param {() => string} text asked when it is told */
  say(text) {
    this.#next = text;
    if (!this.#timer) this.#tell();
  }

  /** The title of one, the number of several. @param {Notification} n @param {() => Speech} speech */
  arrived(n, speech) {
    this.#arrived++;
    this.say(() => {
      const { count, texts } = speech();
      const text = count(texts.arrived, this.#arrived);
      const told = this.#arrived === 1 ? `${text}: ${titleOf(n)}` : text;
      this.#arrived = 0;
      return told;
    });
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
    this.#arrived = 0;
    this.node.textContent = "";
  }
}
