// When network, page or machine may be back. Touches no window where there is none.

export const isVisible = () => globalThis.document?.visibilityState !== "hidden";

/**
 * @param {AbortSignal} signal ends it
 * @param {{ wake(): void, hide(): void, show(): void }} on `hide`: the page is left, perhaps for good
 */
export function watch(signal, { wake, hide, show }) {
  /** @type {(target: EventTarget | undefined, type: string, run: () => void) => void} */
  const on = (target, type, run) => target?.addEventListener?.(type, run, { signal });
  on(globalThis, "online", wake);
  on(globalThis, "pagehide", hide);
  on(globalThis, "pageshow", show);
  on(globalThis.document, "resume", wake);
  on(globalThis.document, "visibilitychange", () => isVisible() && wake());
}
