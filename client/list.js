// The newest part of the feed, kept as the functions would answer it: for the hook and the bell. Read again
// after a gap and after each break, because marks and deletes made elsewhere meanwhile are not replayed.
/** @import { Bellwire } from "./client.js" */
/** @import { Notification } from "#types" */
// At once, beside the client, which would load it later.
import "./feed.js";
import { jitter } from "./backoff.js";
import { isOurs } from "./position.js";

const PAGE_MAX = 100;
/** A page may be open for weeks. */
const KEPT_MAX = 500;

export class List {
  /** @type {readonly Notification[]} newest first; a new array with every change */
  entries = [];
  /** @type {string | null | undefined} what `more` reads from; null at the end, undefined before the first answer */
  next;
  /** Why it could not be read the last time; it is tried again. @type {unknown} */
  error;
  #changes = 0;
  #reading = false;
  #again = false;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stop = new AbortController();

  /** @param {Bellwire} client @param {{ limit?: number, changed?: () => void }} [options] */
  constructor(client, { limit = 20, changed = () => {} } = {}) {
    this.client = client;
    this.limit = limit;
    this.changed = changed;
    const { signal } = this.#stop;
    client.addEventListener("notification", ({ detail }) => {
      // An answer of the feed may have been faster than the hub.
      const has = detail.id !== undefined && this.entries.some((n) => n.id === detail.id);
      if (has) return;
      const kept = this.entries.slice(0, KEPT_MAX - 1);
      if (kept.length < this.entries.length) this.next = kept[kept.length - 1].id;
      this.#set([detail, ...kept]);
    }, { signal });
    client.addEventListener("read", ({ detail: { upTo = 0, ids } }) => {
      const readAt = new Date().toISOString();
      const isRead = (/** @type {Notification} */ n) => isOurs(n) && (n.seq <= upTo || ids?.includes(n.id));
      this.#set(this.entries.map((n) => (!n.readAt && isRead(n) ? { ...n, readAt } : n)));
    }, { signal });
    client.addEventListener("removed", ({ detail: { ids, all } }) => {
      this.#set(this.entries.filter((n) => !all && !ids?.includes(n.id)));
    }, { signal });
    client.addEventListener("gap", () => this.read(), { signal });
    client.addEventListener("statechange", ({ detail }) => detail.state === "open" && this.read(), { signal });
    if (client.state === "open") this.read();
  }

  stop() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** Reads it again; what changes meanwhile is read once more. */
  async read() {
    this.#again = this.#reading;
    if (this.#reading || this.#stop.signal.aborted) return;
    this.#reading = true;
    clearTimeout(this.#timer);
    try {
      const changes = this.#changes;
      const limit = Math.min(PAGE_MAX, Math.max(this.limit, this.entries.length));
      const page = await this.client.feed({ limit, signal: this.#stop.signal });
      this.#tries = 0;
      this.error = undefined;
      this.#again ||= changes !== this.#changes;
      if (!this.#again) {
        this.next = page.next;
        this.#set(page.notifications);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#timer = setTimeout(() => this.read(), jitter(this.#tries++));
        this.error = error;
        this.changed();
      }
    }
    this.#reading = false;
    if (this.#again) this.read();
  }

  /** Reads older entries. */
  async more() {
    if (!this.next) return;
    const changes = this.#changes;
    const page = await this.client.feed({ before: this.next, limit: this.limit, signal: this.#stop.signal });
    if (changes !== this.#changes) return;
    this.next = page.next;
    this.#set([...this.entries, ...page.notifications]);
  }

  /** @param {readonly Notification[]} entries */
  #set(entries) {
    this.#changes++;
    this.entries = entries;
    this.changed();
  }
}
