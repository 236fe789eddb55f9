// What this tab has received: where to resume from, and what comes a second time. Every tab keeps its own,
// because a leader that hung sends again what another tab has sent in its place.
/** @import { Cursor, Frame, Gap, Notification } from "#types" */

/** The hub's feed holds 100; entries of other services have nothing but an id to tell them apart. */
const SEEN_MAX = 200;

/** Whether Bellwire wrote it: others may have any `seq`, which must not move the cursor. @param {Notification} n */
export const isOurs = (n) => Number.isInteger(n.seq) && /^[\da-f]{8}-[\da-f]{4}-7/.test(n.id);

/** Something may be lost up to here. @returns {Gap} */
export const gap = (/** @type {string | null | undefined} */ epoch = null, seq = 0) => ({ type: "gap", reason: "missed", epoch, seq });

/** The query to resume with. @param {Cursor | null} cursor */
export function query(cursor) {
  if (cursor?.epoch) return `?since=seq:${cursor.seq}&epoch=${encodeURIComponent(cursor.epoch)}`;
  return cursor?.id ? `?since=id:${encodeURIComponent(cursor.id)}` : "";
}

export class Position {
  /** @type {Cursor | null} */
  cursor = null;
  /** @type {string | null} epoch of the connection */
  epoch = null;
  #welcomed = false;
  /** @type {Set<string>} */
  #seen = new Set();

  /** @param {string | Cursor} [since] */
  constructor(since) {
    if (since) this.cursor = typeof since === "string" ? { id: since } : since;
  }

  /**
   * Takes a frame of the hub. Null: it was here before. A gap in its place or behind it: something may be lost.
   * @param {Frame} frame @returns {Frame | null}
   */
  take(frame) {
    if (frame.type === "welcome" || frame.type === "pong") {
      this.epoch = frame.epoch ?? this.cursor?.epoch ?? null;
      const isWelcome = frame.type === "welcome";
      // A first connection starts here. A later one without a cursor cannot name what it has, unless there was nothing.
      const lost = isWelcome && this.#welcomed && !this.cursor && (!frame.epoch || frame.seq > 0);
      this.#welcomed ||= isWelcome;
      if (!this.cursor && frame.epoch) this.cursor = { epoch: frame.epoch, seq: frame.seq };
      if (lost) return gap(frame.epoch, frame.seq);
    } else if (frame.type === "gap") {
      this.#welcomed = true;
      this.epoch = frame.epoch;
      this.cursor = frame.epoch ? { epoch: frame.epoch, seq: frame.seq } : null;
    } else if (frame.type === "notification") {
      this.epoch = frame.epoch ?? this.epoch;
      return this.#isNew(frame.notification) ? frame : null;
    }
    return frame;
  }

  /** @param {Notification} n */
  #isNew(n) {
    const { cursor, epoch } = this;
    const { id, seq } = n;
    const ours = isOurs(n);
    if (ours && epoch && cursor?.epoch === epoch && seq <= (cursor.seq ?? 0)) return false;
    if (id !== undefined) {
      if (this.#seen.has(id)) return false;
      this.#seen.add(id);
      if (this.#seen.size > SEEN_MAX) this.#seen.delete(/** @type {string} */ (this.#seen.values().next().value));
    }
    if (ours) this.cursor = epoch ? { epoch, seq, id } : { id };
    return true;
  }

  /**
   * Goes to the leader's cursor. True: this tab misses something up to there.
   * @param {Cursor | null | undefined} to
   */
  follow(to) {
    const { cursor } = this;
    if (to === undefined) return false;
    this.#welcomed = true;
    if (!to) return false;
    const has = cursor?.epoch
      ? cursor.epoch === to.epoch && (cursor.seq ?? 0) >= (to.seq ?? 0)
      : cursor && cursor.id === to.id;
    if (has) return false;
    this.cursor = to;
    return cursor !== null;
  }
}
