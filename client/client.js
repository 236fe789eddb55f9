// Bellwire: one user's notifications, live, in every tab. What it promises stands in README.md.
/** @import { Events, FeedPage, Frame, Message, Notification, Options, Status, Target } from "#types" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";
import { Line } from "./line.js";
import { Marks } from "./marks.js";
import { Position, isOurs } from "./position.js";
import { at, request } from "./request.js";
import { Tabs, canShare } from "./tabs.js";
import { Token } from "./token.js";
import { isVisible, watch } from "./wake.js";

export { BellwireError };

const TICK_MS = 5_000;
/** A tick so late means that timers were stopped: the machine slept, or the page was frozen. */
const LATE_MS = 20_000;
const OVERDUE_MS = 12_000;
/** The unread count is that of the newest so many entries. */
const WINDOW = 100;
const IN_FLIGHT_MS = 3_000;
const BUFFER_MAX = 1_000;

const Base = /** @type {{ new (): Target }} */ (EventTarget);

export class Bellwire extends Base {
  /** @type {Options} */
  #options;
  /** @type {Status} */
  #status = { state: "idle" };
  /** @type {number | null} */
  #unread = null;
  /** @type {Position} */
  #position;
  /** @type {Token} */
  #token;
  /** @type {Marks} */
  #marks;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Tabs | null} */
  #tabs = null;
  /** @type {Line | null} */
  #line = null;
  #wanted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #turn;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #checking;
  /** @type {Promise<number | null> | null} */
  #sending = null;
  #name;
  #bye = false;
  /** Frames so far; an answer that was asked for before one of them may be older than it. */
  #version = 0;
  /** Position up to which the unread count counts. */
  #counted = 0;
  #statusAt = 0;
  /** When an answer over HTTP said what is unread: a notification in flight may be counted in it. */
  #answeredAt = 0;
  #sendAt = 0;
  #tries = 0;

  /** @param {Options} options */
  constructor(options) {
    super();
    const { hub, user, token, claim, since, storage, signal } = (this.#options = options);
    this.#name = `bellwire:${String(hub).replace(/\/$/, "")}:${user ?? ""}`;
    this.#position = new Position(since);
    this.#token = new Token(token, user, claim);
    let store = storage;
    try {
      if (store === undefined && user !== undefined) store = globalThis.document && localStorage;
    } catch {
      // Forbidden by the browser's settings.
    }
    this.#marks = new Marks(`${this.#name}:marks`, store);
    signal?.addEventListener("abort", () => this.close());
  }

  /** State, and what belongs to it. */
  get status() {
    return this.#status;
  }
  get state() {
    return this.#status.state;
  }
  /** Null: not known (yet). */
  get unread() {
    return this.#unread;
  }
  /** For `since` of a later client. */
  get cursor() {
    return this.#position.cursor;
  }
  /** Whether this tab has the connection. */
  get isLeader() {
    return this.#line !== null;
  }

  connect() {
    this.#wanted = !this.#options.signal?.aborted;
    return this.#soon();
  }

  /** `everywhere`: the user has logged out, in all tabs. @param {{ everywhere?: boolean }} [how] */
  close({ everywhere = false } = {}) {
    this.#wanted = false;
    this.#bye ||= everywhere;
    this.#soon();
  }

  [Symbol.dispose]() {
    this.close();
  }

  /** In a macrotask: a mount that is undone and done again, as in React's Strict Mode, costs nothing. */
  #soon() {
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => {
      if (this.#wanted && !this.#running) this.#start();
      else if (!this.#wanted) this.#stop(1000, this.#bye ? "logged out" : "closed");
    });
    return this;
  }

  #start() {
    const { signal } = (this.#running = new AbortController());
    this.#token.signal = signal;
    watch(signal, { wake: () => this.#wake(), hide: () => this.#leave(), show: () => this.#join() });
    let last = Date.now();
    const timer = setInterval(() => {
      const late = Date.now() - last > LATE_MS;
      last = Date.now();
      this.#tick(late);
    }, TICK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    this.#join();
  }

  /** @param {number} code @param {string} reason */
  #stop(code, reason) {
    if (this.#bye) {
      this.#tabs?.say({ bye: true });
      this.#marks.done(this.#marks.kept);
    }
    this.#bye = this.#wanted = false;
    this.#running?.abort();
    this.#running = null;
    clearTimeout(this.#checking);
    this.#leave();
    this.#setStatus({ state: "closed", code, reason });
  }

  #join() {
    if (this.#tabs || this.#line) return this.#wake();
    this.#setStatus({ state: "connecting" });
    const { shared = true, user } = this.#options;
    if (!shared || user === undefined || !canShare()) return this.#lead();
    this.#tabs = new Tabs(this.#name, {
      lead: () => this.#lead(),
      follow: () => {
        this.#unlead();
        this.#setStatus({ state: "connecting" });
        this.#tabs?.say({ ask: true });
      },
      hear: (message) => this.#hear(message),
    });
  }

  /** Gives the lead to another tab: at its end, or while the page lies in the browser's history. */
  #leave() {
    this.#unlead();
    this.#tabs?.leave();
    this.#tabs = null;
  }

  #lead() {
    this.#line = new Line(this.#options, this.#token, {
      cursor: () => this.cursor,
      status: (status) => this.#publish({ status }),
      frame: (frame) => this.#receive(frame),
      error: (error) => this.#emit("error", error),
    });
  }

  #unlead() {
    this.#line?.stop();
    this.#line = null;
  }

  /** From the hub, in the tab that leads. @param {Frame} frame */
  #receive(frame) {
    const before = this.cursor;
    const taken = this.#position.take(frame);
    if (!taken) return;
    const unread = this.#count(frame, taken);
    this.#publish({ frame: taken, before, epoch: this.#position.epoch, unread });
    if (frame.type === "welcome") {
      if (typeof frame.unread !== "number") this.#verify(0);
      this.#send();
    }
  }

  /** What is unread behind a frame; undefined where it does not say. @param {Frame} frame @param {Frame} taken */
  #count(frame, taken) {
    if ("unread" in frame && typeof frame.unread === "number") {
      this.#counted = Math.max("seq" in frame ? frame.seq : 0, this.cursor?.seq ?? 0);
      return frame.unread;
    }
    if (taken.type === "gap") this.#verify();
    if (frame.type !== "notification" || this.#unread === null) return;
    const { notification: n } = frame;
    if (!isOurs(n) || n.seq <= this.#counted) return;
    // What leaves the window, or expires, may have been unread.
    if (n.seq > WINDOW || n.expiresAt || Date.now() - this.#answeredAt < IN_FLIGHT_MS) this.#verify();
    return Math.min(WINDOW, this.#unread + 1);
  }

  /** Asks what is unread, unless asked already. @param {number} [waitMs] */
  #verify(waitMs = 500 + jitter(0)) {
    if (this.#checking) return;
    this.#checking = setTimeout(() => {
      this.#checking = undefined;
      if (this.#line?.ping() || !this.#options.functions) return;
      this.feed({ limit: 1 }).catch(() => {});
    }, waitMs);
  }

  /** To this tab and, from the one that leads, to the others. @param {Message} message */
  #publish(message) {
    this.#tabs?.say(message);
    this.#apply(message);
  }

  /** From another tab. @param {Message} message */
  #hear(message) {
    const { ask, wake, bye, cursor, before, epoch, frame } = message;
    if (bye) return this.#stop(1000, "logged out");
    if (wake) return this.#line?.wake();
    if (ask) {
      if (this.#line) this.#tabs?.say({ status: this.#status, cursor: this.cursor, epoch: this.#position.epoch, unread: this.#unread });
      return;
    }
    if (this.#line && message.term) return;
    if (epoch !== undefined) this.#position.epoch = epoch;
    if (this.#position.follow(before ?? cursor)) {
      const { epoch = null, seq = 0 } = this.cursor ?? {};
      this.#apply({ frame: { type: "gap", reason: "missed", epoch, seq } });
    }
    if (frame?.type === "gap" || frame?.type === "notification") {
      if (this.#position.take(frame)) this.#apply(message);
    } else this.#apply(message);
  }

  /** @param {Message} message */
  #apply({ status, frame, unread }) {
    if (unread !== undefined && !frame) this.#answeredAt = Date.now();
    if (frame) {
      this.#version++;
      if (frame.type === "notification") this.#emit("notification", frame.notification);
      else if (frame.type === "read" || frame.type === "removed" || frame.type === "gap") this.#emit(frame.type, frame);
    }
    if (unread !== undefined && unread !== this.#unread) this.#emit("unread", (this.#unread = unread));
    if (status?.state === "closed") this.#stop(status.code, status.reason);
    else if (status) this.#setStatus(status);
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.#statusAt = Date.now();
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.#emit("statechange", status);
  }

  /** @param {keyof Events} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #wake() {
    this.#sendAt = 0;
    if (this.#line) return this.#line.wake();
    this.#tabs?.say({ wake: true });
    if (isVisible()) this.#tabs?.check();
  }

  /** @param {boolean} late */
  #tick(late) {
    if (late) this.#wake();
    this.#line?.tick();
    if (this.state === "open" && (this.#line || !this.#marks.store)) {
      this.#send();
      if (this.#unread === null) this.#verify();
    }
    if (!this.#tabs || this.#line || !isVisible()) return;
    // The timers of a hidden leader may be slow, or it may hang.
    const status = this.#status;
    const due = this.#statusAt + (status.state === "waiting" ? status.retryInMs + 2_000 : OVERDUE_MS);
    if (status.state !== "open" && Date.now() > due) this.#tabs.steal();
    else this.#tabs.check();
  }

  /** @param {string} path @param {RequestInit} [init] */
  async #call(path, init) {
    const { functions, user, fetch } = this.#options;
    if (functions === undefined) throw new BellwireError("no_functions", "the option `functions` is missing");
    const id = user ?? (await this.#token.subject());
    const url = at(functions, `/users/${encodeURIComponent(id)}/notifications${path}`);
    return request(fetch, this.#token, url, init);
  }

  /**
   * A page of the feed, newest first.
   * @param {{ limit?: number, before?: string | null, after?: string, unread?: boolean, signal?: AbortSignal }} [which]
   * @returns {Promise<FeedPage>}
   */
  async feed({ signal, ...which } = {}) {
    const pairs = Object.entries(which).filter(([, value]) => value);
    const version = this.#version;
    const answer = await this.#call(`?${new URLSearchParams(/** @type {any} */ (pairs))}`, { signal });
    const page = await answer.json();
    if (version === this.#version) this.#publish({ unread: page.unread });
    else this.#verify();
    return page;
  }

  /** The whole feed, newest first, page by page. @param {{ signal?: AbortSignal }} [how] */
  async *history({ signal } = {}) {
    /** @type {string | null | undefined} */
    let before;
    do {
      const page = await this.feed({ limit: 100, before, signal });
      yield* page.notifications;
      before = page.next;
    } while (before);
  }

  /**
   * Marks as read: everything up to a position, or some entries.
   * @param {number | string[]} what
   * @returns {Promise<number | null>} what is unread now; null: kept until it can be sent
   */
  async markRead(what) {
    const epoch = this.cursor?.epoch;
    const mark = Array.isArray(what) ? { ids: what } : { upTo: what, epoch };
    this.#marks.add(mark);
    this.#sendAt = 0;
    const unread = await this.#send();
    if (unread === null) this.#publish({ frame: { type: "read", ...mark, pending: true } });
    return unread;
  }

  /** Sends the marks that are kept, one request after the other. */
  #send() {
    return (this.#sending ??= this.#sendAll().finally(() => (this.#sending = null)));
  }

  async #sendAll() {
    let unread = null;
    for (let mark; Date.now() >= this.#sendAt && (mark = this.#marks.next(this.cursor?.epoch)); ) {
      try {
        const answer = await this.#call("/read", { method: "POST", body: JSON.stringify(mark) });
        ({ unread } = await answer.json());
        this.#marks.done(mark);
        this.#tries = 0;
        this.#publish({ frame: { type: "read", ...mark, unread } });
        this.#publish({ unread });
      } catch (/** @type {any} */ error) {
        const { code, status = 0, retryInMs } = error;
        if (/^(network|token_failed)$/.test(code) || status >= 500 || status === 429 || status === 401) {
          this.#sendAt = Date.now() + (retryInMs ?? jitter(this.#tries++));
          return null;
        }
        this.#marks.done(mark);
        throw error;
      }
    }
    return unread;
  }

  /** Deletes an entry. @param {string} id */
  async remove(id) {
    await this.#call(`/${encodeURIComponent(id)}`, { method: "DELETE" });
    this.#publish({ frame: { type: "removed", ids: [id] } });
    this.#verify();
  }

  /** Notifications until the client is closed. @returns {AsyncGenerator<Notification, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    /** @type {Notification[]} */
    const waiting = [];
    const listening = new AbortController();
    const { signal } = listening;
      let more = (/** @type {any} */ _) => {};
    this.addEventListener("notification", ({ detail }) => more(waiting.push(detail)), { signal });
    this.addEventListener("statechange", () => more(0), { signal });
    try {
      while (this.state !== "closed" || waiting.length) {
        if (waiting.length > BUFFER_MAX) throw new BellwireError("too_slow", "the loop did not keep up");
        const next = waiting.shift();
        if (next) yield next;
        else await new Promise((/** @type {(value?: any) => void} */ done) => (more = done));
      }
    } finally {
      listening.abort();
    }
  }
}
