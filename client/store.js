// The browser's storage.

/** The browser's storage, where there is one and settings allow it. */
export function localStore() {
  try {
    return globalThis.document && localStorage;
  } catch {
    return null;
  }
}
