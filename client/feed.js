// The user's feed over HTTP: pages, read marks, deletes. Marks that cannot be sent wait. And the way to
// push.js. A module of its own, which the client loads once it has a connection, or when it is asked for.
/** @import { FeedPage, Message, Options, Status } from "#types" */
/** @import { Token } from "./token.js" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";
import { lazy } from "./lazy.js";
import { keepMarks } from "./marks.js";
import { at, request } from "./request.js";
import { localStore } from "./store.js";
import { claims } from "./token.js";

const loadPush = lazy(() => import("./push.js"), "./push.js");

/**
 * @typedef {object} Reader
 * @property {() => string | undefined} epoch
 * @property {() => number} version grows with every frame: an answer asked for before may be older
 * @property {() => Status} status
 * @property {(message: Message) => void} publish
 * @property {() => void} verify asks what is unread
 * @property {() => void} wake something may have been missed
 */
/** @typedef {ReturnType<typeof openFeed>} Feed */

/** @param {string} name of the user at the hub @param {Options} options @param {Token} token @param {Reader} reader */
export function openFeed(name, options, token, { epoch, version, status, publish, verify, wake }) {
  const { functions, storage, user, fetch } = options;
  const store = storage === undefined && user !== undefined ? localStore() : storage;
  const marks = keepMarks(`${name}:marks`, store);
  /** @type {Promise<number | null> | null} */
  let sending = null;
  let sendAt = 0;
  let tries = 0;

  /** @param {string} path below the user's @param {RequestInit} [init] */
  async function call(path, init) {
    if (functions === undefined) throw new BellwireError("no_functions", "the option `functions` is missing");
    const id = encodeURIComponent(user ?? String(claims(await token.get())[token.claim]));
    return request(fetch, token, at(functions, `/users/${id}${path}`), init);
  }

  /** @param {{ signal?: AbortSignal, [which: string]: any }} which @returns {Promise<FeedPage>} */
  async function page({ signal, ...which }) {
    const pairs = Object.entries(which).filter(([, value]) => value);
    const before = version();
    const answer = await call(`/notifications?${new URLSearchParams(pairs)}`, { signal });
    const page = await answer.json();
    if (before === version()) publish({ unread: page.unread });
    else verify();
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
    const mark = Array.isArray(what) ? { ids: what } : { upTo: what, epoch: epoch() };
    marks.add(mark);
    sendAt = 0;
    let unread = await send();
    // It may have come too late for requests that were on their way.
    if (due()) unread = await send();
    if (unread === null) publish({ frame: { type: "read", ...mark, pending: true } });
    return unread;
  }

  const due = () => (Date.now() < sendAt ? null : marks.next(epoch()));

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
      publish({ frame: { type: "read", ...mark, unread } });
      publish({ unread });
    }
    return unread;
  }

  /** @param {string} id */
  async function remove(id) {
    await call(`/notifications/${encodeURIComponent(id)}`, { method: "DELETE" });
    publish({ frame: { type: "removed", ids: [id] } });
    verify();
  }

  /** Calls a function of push.js. @param {string} name @param {unknown} how @returns {Promise<any>} */
  async function push(name, how) {
    const { openPush } = await loadPush();
    return /** @type {any} */ (openPush(options, call, { wake }))[name](how);
  }

  /** Looks after the subscription of this browser profile, of this user or another. @param {Status} status */
  function follow(status) {
    if (localStore()?.["bellwire:push"]) push("follow", status).catch(() => {});
  }
  follow(status());

  return { push, follow, page, all, mark, send, remove, hurry: () => void (sendAt = 0), forget: marks.forget, isStored: marks.isStored };
}
