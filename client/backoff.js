// How long to wait: full jitter, so that the clients of a hub that dies do not come back together.

const BASE_MS = 500;
const CAP_MS = 30_000;

/** Milliseconds before try `tries` (from 0): anywhere below a limit that doubles. @param {number} tries */
export const jitter = (tries) => Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** tries);

/** A wait that can be cut short. @param {number} ms @param {boolean} [fixed] the hub named the time: it is kept then */
export function nap(ms, fixed) {
  const due = Date.now() + ms;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  /** @type {(value?: undefined) => void} */
  let end;
  const over = new Promise((done) => (end = done));
  const endIn = (/** @type {number} */ ms) => {
    clearTimeout(timer);
    timer = setTimeout(end, ms);
  };
  endIn(ms);
  return {
    over,
    /** Network or page are back, perhaps for many clients at once: soon, but not at once. */
    hurry: () => fixed || endIn(Math.max(0, Math.min(due - Date.now(), jitter(1)))),
    stop: () => endIn(0),
  };
}
