// The user's feed over HTTP: pages, read marks, deletes. Marks that cannot be sent wait. And the way to push.js.
/** @import { FeedPage, Message, Options, Push } from "#types" */
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
 * @property {() => void} wake something may have been missed
 */
/** @typedef {ReturnType<typeof openFeed>} Feed */

/** @param {Options} options @param {Token} token @param {Marks} marks @param {Reader} reader */
export function openFeed(options, token, marks, reader) {
  const { functions, user, fetch } = options;
  /** @type {Promise<number | null> | null} */
  let sending = null;
  let sendAt = 0;
  let tries = 0;

  /** @param {string} path below the user's @param {RequestInit} [init] */
  async function call(path, init) {
    if (functions === undefined) throw new BellwireError("no_functions", "the option `functions` is missing");
    const id = encodeURIComponent(user ?? (await token.subject()));
    return request(fetch, token, at(functions, `/users/${id}${path}`), init);
  }

  /** @param {{ signal?: AbortSignal, [which: string]: any }} which @returns {Promise<FeedPage>} */
  async function page({ signal, ...which }) {
    const pairs = Object.entries(which).filter(([, value]) => value);
    const version = reader.version();
    const answer = await call(`/notifications?${new URLSearchParams(pairs)}`, { signal });
    const page = await answer.json();
    if (version === reader.version()) reader.publish({ unread: page.unread });
    else reader.verify();
    return page;
  }

  /** @param {AbortSignal} [signal] */
  async function* all(signal) {
    /** @type {string | null | undefined} */
    let before;
    do {
      const { notifications, next } = await page({ limit: 100, before, signal });
      yield* notifications;
      before = next;
    } while (before);
  }

  /** @param {number | string[]} what @returns {Promise<number | null>} */
  async function mark(what) {
    const mark = Array.isArray(what) ? { ids: what } : { upTo: what, epoch: reader.epoch() };
    marks.add(mark);
    sendAt = 0;
    let unread = await send();
    // It may have come too late for requests that were on their way.
    if (due()) unread = await send();
    if (unread === null) reader.publish({ frame: { type: "read", ...mark, pending: true } });
    return unread;
  }

  const due = () => (Date.now() < sendAt ? null : marks.next(reader.epoch()));

  /** Sends the marks that are kept, one request after the other. Null: some are left, or there were none. */
  function send() {
    return (sending ??= sendAll().finally(() => (sending = null)));
  }

  async function sendAll() {
    let unread = null;
    for (let mark; (mark = due()); tries = 0) {
      try {
        const answer = await call("/notifications/read", { method: "POST", body: JSON.stringify(mark) });
        ({ unread } = await answer.json());
      } catch (/** @type {any} */ error) {
        const { code, status, retryInMs } = error;
        if (/^(network|token_failed)$/.test(code) || status > 499 || status === 429 || status === 401) {
          sendAt = Date.now() + (retryInMs ?? jitter(tries++));
          return null;
        }
        marks.done(mark);
        throw error;
      }
      marks.done(mark);
      reader.publish({ frame: { type: "read", ...mark, unread } });
      reader.publish({ unread });
    }
    return unread;
  }

  /** @param {string} id */
  async function remove(id) {
    await call(`/notifications/${encodeURIComponent(id)}`, { method: "DELETE" });
    reader.publish({ frame: { type: "removed", ids: [id] } });
    reader.verify();
  }

  /** The first call loads push.js, which most pages never need. @type {Push} */
  const push = /** @type {any} */ (
    new Proxy({}, {
      // Without `then`: a promise would take it for another one.
      get: (_, name) =>
        name !== "then" && ((/** @type {any} */ how) => import("./push.js").then((/** @type {any} */ m) => m.openPush(options, call, reader)[name](how))),
    })
  );

  return { push, page, all, mark, send, remove, hurry: () => void (sendAt = 0) };
}
