// The user's feed over HTTP: pages, read marks, deletes. Marks that cannot be sent wait.
/** @import { FeedPage, Message, Options } from "#types" */
/** @import { Marks } from "./marks.js" */
/** @import { Token } from "./token.js" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";
import { at, request } from "./request.js";

/**
 * @typedef {object} Reader
 * @property {() => string | undefined} epoch
 * @property {() => number} version grows with every frame: an answer asked for before may be older
 * @property {(message: Message) => void} publish
 * @property {() => void} verify asks what is unread
 */

export class Feed {
  /** @type {Promise<number | null> | null} */
  #sending = null;
  #sendAt = 0;
  #tries = 0;

  /** @param {Options} options @param {Token} token @param {Marks} marks @param {Reader} reader */
  constructor(options, token, marks, reader) {
    this.options = options;
    this.token = token;
    this.marks = marks;
    this.reader = reader;
  }

  /** Whether other tabs see the marks that wait. */
  get isStored() {
    return Boolean(this.marks.store);
  }

  hurry() {
    this.#sendAt = 0;
  }

  forget() {
    this.marks.done(this.marks.kept);
  }

  /** @param {string} path @param {RequestInit} [init] */
  async #call(path, init) {
    const { functions, user, fetch } = this.options;
    if (functions === undefined) throw new BellwireError("no_functions", "the option `functions` is missing");
    const id = user ?? (await this.token.subject());
    const url = at(functions, `/users/${encodeURIComponent(id)}/notifications${path}`);
    return request(fetch, this.token, url, init);
  }

  /**
   * @param {{ signal?: AbortSignal, [which: string]: any }} which
   * @returns {Promise<FeedPage>}
   */
  async page({ signal, ...which }) {
    const { reader } = this;
    const pairs = Object.entries(which).filter(([, value]) => value);
    const version = reader.version();
    const answer = await this.#call(`?${new URLSearchParams(pairs)}`, { signal });
    const page = await answer.json();
    if (version === reader.version()) reader.publish({ unread: page.unread });
    else reader.verify();
    return page;
  }

  /** @param {AbortSignal} [signal] */
  async *all(signal) {
    /** @type {string | null | undefined} */
    let before;
    do {
      const page = await this.page({ limit: 100, before, signal });
      yield* page.notifications;
      before = page.next;
    } while (before);
  }

  /** @param {number | string[]} what @returns {Promise<number | null>} */
  async mark(what) {
    const mark = Array.isArray(what) ? { ids: what } : { upTo: what, epoch: this.reader.epoch() };
    this.marks.add(mark);
    this.#sendAt = 0;
    let unread = await this.send();
    // It may have come too late for requests that were on their way.
    if (Date.now() >= this.#sendAt && this.marks.next(this.reader.epoch())) unread = await this.send();
    if (unread === null) this.reader.publish({ frame: { type: "read", ...mark, pending: true } });
    return unread;
  }

  /** Sends the marks that are kept, one request after the other. Null: some are left, or there were none. */
  send() {
    return (this.#sending ??= this.#send().finally(() => (this.#sending = null)));
  }

  async #send() {
    let unread = null;
    for (let mark; Date.now() >= this.#sendAt && (mark = this.marks.next(this.reader.epoch())); ) {
      try {
        const answer = await this.#call("/read", { method: "POST", body: JSON.stringify(mark) });
        ({ unread } = await answer.json());
      } catch (/** @type {any} */ error) {
        const { code, status = 0, retryInMs } = error;
        if (/^(network|token_failed)$/.test(code) || status >= 500 || status === 429 || status === 401) {
          this.#sendAt = Date.now() + (retryInMs ?? jitter(this.#tries++));
          return null;
        }
        this.marks.done(mark);
        throw error;
      }
      this.marks.done(mark);
      this.#tries = 0;
      this.reader.publish({ frame: { type: "read", ...mark, unread } });
      this.reader.publish({ unread });
    }
    return unread;
  }

  /** @param {string} id */
  async remove(id) {
    await this.#call(`/${encodeURIComponent(id)}`, { method: "DELETE" });
    this.reader.publish({ frame: { type: "removed", ids: [id] } });
    this.reader.verify();
  }
}
