// Read marks that could not be sent yet: kept in few bytes, for all tabs, until they are.
/** @import { Mark, Store } from "#types" */

/** The functions take so many ids at once. */
const IDS_MAX = 100;

/** @typedef {ReturnType<typeof keepMarks>} Marks */

/** @param {string} key @param {Store | null} [store] */
export function keepMarks(key, store) {
  let memory = "";

  function kept() {
    /** @type {Mark | undefined} */
    let mark;
    try {
      mark = JSON.parse((store ? store.getItem(key) : memory) ?? "");
    } catch {}
    return { upTo: 0, ids: /** @type {string[]} */ ([]), ...mark };
  }

  /** @param {Mark} mark */
  function keep(mark) {
    memory = mark.upTo || mark.ids?.length ? JSON.stringify(mark) : "";
    try {
      if (memory) store?.setItem(key, memory);
      else store?.removeItem(key);
    } catch {
      // Full or forbidden: this tab still has it.
      store = null;
    }
  }

  /** What was sent, or refused for good. @param {Mark} sent */
  function done({ upTo = 0, ids = [] }) {
    const old = kept();
    keep({ ...old, upTo: old.upTo > upTo ? old.upTo : 0, ids: old.ids.filter((id) => !ids.includes(id)) });
  }

  return {
    done,
    forget: () => keep({}),
    /** Whether other tabs see them. */
    isStored: () => Boolean(store),

    /** Positions count within an epoch only. @param {Mark} mark */
    add({ upTo = 0, epoch, ids = [] }) {
      const old = kept();
      const same = !old.epoch || !epoch || old.epoch === epoch;
      keep({
        upTo: Math.max(upTo, same ? old.upTo : 0),
        epoch: epoch ?? old.epoch,
        ids: [...new Set([...old.ids, ...ids])],
      });
    },

    /** The next request's body, or null. @param {string | null | undefined} epoch of the feed now */
    next(epoch) {
      const old = kept();
      if (old.epoch && epoch && old.epoch !== epoch) done({ upTo: old.upTo });
      const { upTo, ids } = kept();
      if (upTo) return { upTo };
      return ids.length ? { ids: ids.slice(0, IDS_MAX) } : null;
    },
  };
}
