// When network, page or machine may be back. Touches no window where there is none.

const TICK_MS = 3_000;
/** A tick so late means that timers were stopped: the machine slept, or the page was frozen. */
const LATE_MS = 20_000;

export const isVisible = () => globalThis.document?.visibilityState !== "hidden";

/**
 * @param {AbortSignal} signal ends it
 * @param {{ wake(): void, hide(): void, show(): void, tick(): void }} on `hide`: the page is left, perhaps for good
 */
export function watch(signal, { wake, hide, show, tick }) {
  /** @type {(target: EventTarget | undefined, type: string, run: () => void) => void} */
  const on = (target, type, run) => target?.addEventListener?.(type, run, { signal });
  on(globalThis, "online", wake);
  on(globalThis, "pagehide", hide);
  on(globalThis, "pageshow", show);
  on(globalThis.document, "resume", wake);
  on(globalThis.document, "visibilitychange", () => isVisible() && wake());
  let last = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - last > LATE_MS) wake();
    last = Date.now();
    tick();
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
