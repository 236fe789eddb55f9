// How many are unread: what the hub or the functions said last, and what came since.
/** @import { Frame, Welcome } from "#types" */
import { isOurs } from "./position.js";

/** The count is that of the newest so many entries. */
const WINDOW = 100;
/** A notification in flight may be in an answer over HTTP already. */
const IN_FLIGHT_MS = 3_000;

export class Unread {
  /** @type {number | null} null: not known */
  value = null;
  /** Position up to which it counts. */
  #counted = 0;
  #answeredAt = 0;

  /** From an answer over HTTP. */
  answered() {
    this.#answeredAt = Date.now();
  }

  /**
   * What is unread behind a frame; undefined where it does not say.
   * @param {Frame} frame @param {number} seq the cursor's @param {() => void} doubt it has to be asked
   */
  behind(frame, seq, doubt) {
    const { unread, seq: at = 0 } = /** @type {Partial<Welcome>} */ (frame);
    if (typeof unread === "number") {
      this.#counted = Math.max(at, seq);
      return unread;
    }
    if (frame.type === "gap" || frame.type === "removed") doubt();
    if (frame.type !== "notification") return;
    const { notification: n } = frame;
    if (!isOurs(n) || n.seq <= this.#counted) return;
    // A user without a feed has no count; with the first entry there is one.
    if (this.value === null) return void doubt();
    // What leaves the window, or expires, may have been unread.
    if (n.seq > WINDOW || n.expiresAt || Date.now() - this.#answeredAt < IN_FLIGHT_MS) doubt();
    return Math.min(WINDOW, this.value + 1);
  }
}
