// Bellwire: one user's notifications, live, in every tab. What it promises stands in README.md.
/** @import { Core, Emit } from "./core.js" */
/** @import { Options, Target } from "#types" */
import { openCore } from "./core.js";
import { BellwireError } from "./errors.js";
import { iterate } from "./iterate.js";

export { BellwireError };

/** For what keeps marks to come: half a minute at most. */
const MARK_TRIES = 6;

const Base = /** @type {{ new (): Target }} */ (EventTarget);

export class Bellwire extends Base {
  /** @type {Core} */
  #core;

  /** @param {Options} options */
  constructor(options) {
    super();
    /** @type {Emit} */
    const emit = (type, detail) => void this.dispatchEvent(new CustomEvent(type, { detail }));
    this.#core = openCore(options, emit);
  }

  /** State, and what belongs to it. */
  get status() { return this.#core.status(); }
  get state() { return this.status.state; }
  /** Null: not known (yet). */
  get unread() { return this.#core.count.value; }
  /** For `since` of a later client. */
  get cursor() { return this.#core.position.cursor; }
  /** Web Push. The first call loads its module. */
  get push() { return this.#core.push; }
  /** Whether this tab has the connection. */
  get isLeader() { return this.#core.isLeader(); }

  connect() {
    this.#core.connect();
    return this;
  }

  /** `everywhere`: the user has logged out, in all tabs. @param {{ everywhere?: boolean }} [how] */
  close({ everywhere = false } = {}) {
    this.#core.close(everywhere);
  }

  [Symbol.dispose]() { this.close(); }

  /**
   * A page of the feed, newest first.
   * @param {{ limit?: number, before?: string | null, after?: string, unread?: boolean, signal?: AbortSignal }} [which]
   */
  async feed(which = {}) {
    return (await this.#core.load()).page(which);
  }

  /** The whole feed, newest first, page by page. @param {{ signal?: AbortSignal }} [how] */
  async *history(how = {}) {
    yield* (await this.#core.load()).all(how.signal);
  }

  /**
   * Marks as read: everything up to a position, or some entries.
   * @param {number | string[]} what
   * @returns {Promise<number | null>} what is unread now; null: kept until it can be sent
   */
  async markRead(what) {
    return (await this.#core.load(MARK_TRIES)).mark(what);
  }

  /** Deletes an entry. @param {string} id */
  async remove(id) {
    return (await this.#core.load()).remove(id);
  }

  /** Notifications until the client is closed. */
  [Symbol.asyncIterator]() {
    return iterate(this);
  }
}
