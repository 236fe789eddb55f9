// How long to wait: full jitter, so that the clients of a hub that dies do not come back together.

const BASE_MS = 500;
const CAP_MS = 30_000;

/** Milliseconds before try `tries` (from 0): anywhere below a limit that doubles. @param {number} tries */
export const jitter = (tries, random = Math.random) => random() * Math.min(CAP_MS, BASE_MS * 2 ** tries);

/** A wait that can be cut short. */
export class Nap {
  /** @param {number} ms @param {boolean} fixed whether the hub named the time: it is kept then */
  constructor(ms, fixed) {
    this.fixed = fixed;
    this.due = Date.now() + ms;
    this.end = () => {};
    this.over = new Promise((/** @type {(value?: undefined) => void} */ done) => (this.end = done));
    this.timer = setTimeout(this.end, ms);
  }
  /** Network or page are back, perhaps for many clients at once: soon, but not at once. */
  hurry() {
    if (this.fixed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(this.end, Math.min(Math.max(0, this.due - Date.now()), jitter(1)));
  }
  stop() {
    clearTimeout(this.timer);
    this.end();
  }
}
