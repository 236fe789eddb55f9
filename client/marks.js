// Read marks that could not be sent yet: kept in few bytes, for all tabs, until they are.
/** @import { Mark, Store } from "#types" */

/** The functions take so many ids at once. */
const IDS_MAX = 100;

/** The browser's storage, where there is one and settings allow it. */
export function localStore() {
  try {
    return globalThis.document && localStorage;
  } catch {
    return null;
  }
}

export class Marks {
  #memory = "";

  /** @param {string} key @param {Store | null} [store] */
  constructor(key, store) {
    this.key = key;
    this.store = store;
  }

  /** @returns {Mark} */
  get kept() {
    try {
      return JSON.parse((this.store ? this.store.getItem(this.key) : this.#memory) || "{}");
    } catch {
      return {};
    }
  }

  /** @param {Mark} mark */
  #keep(mark) {
    const text = mark.upTo || mark.ids?.length ? JSON.stringify(mark) : "";
    this.#memory = text;
    try {
      if (text) this.store?.setItem(this.key, text);
      else this.store?.removeItem(this.key);
    } catch {
      // Full or forbidden: this tab still has it.
      this.store = null;
    }
  }

  /** Positions count within an epoch only. @param {Mark} mark */
  add({ upTo, epoch, ids = [] }) {
    const { kept } = this;
    const same = !kept.epoch || !epoch || kept.epoch === epoch;
    this.#keep({
      upTo: Math.max(upTo ?? 0, same ? (kept.upTo ?? 0) : 0) || undefined,
      epoch: epoch ?? kept.epoch,
      ids: [...new Set([...(kept.ids ?? []), ...ids])],
    });
  }

  /** The next request's body, or null. @param {string | null | undefined} epoch of the feed now */
  next(epoch) {
    const { kept } = this;
    if (kept.upTo && kept.epoch && epoch && kept.epoch !== epoch) this.done({ upTo: kept.upTo });
    const { upTo, ids = [] } = this.kept;
    if (upTo) return { upTo };
    return ids.length ? { ids: ids.slice(0, IDS_MAX) } : null;
  }

  /** What was sent, or refused for good. @param {Mark} sent */
  done({ upTo = 0, ids = [] }) {
    const { kept } = this;
    this.#keep({
      ...kept,
      upTo: (kept.upTo ?? 0) > upTo ? kept.upTo : undefined,
      ids: kept.ids?.filter((id) => !ids.includes(id)),
    });
  }
}
