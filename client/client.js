// Bellwire: one user's notifications, live, in every tab. What it promises stands in README.md.
/** @import { Feed } from "./feed.js" */
/** @import { Line } from "./line.js" */
/** @import { Marks } from "./marks.js" */
/** @import { Tabs } from "./tabs.js" */
/** @import { Events, Frame, Message, Options, Status, Target } from "#types" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";
import { openFeed } from "./feed.js";
import { iterate } from "./iterate.js";
import { openLine } from "./line.js";
import { keepMarks, localStore } from "./marks.js";
import { Position, gap } from "./position.js";
import { canShare, joinTabs } from "./tabs.js";
import { Token } from "./token.js";
import { Unread } from "./unread.js";
import { isVisible, watch } from "./wake.js";

export { BellwireError };

/** For a leader that connects, or is late with what it announced. */
const OVERDUE_MS = 12_000;

const Base = /** @type {{ new (): Target }} */ (EventTarget);

export class Bellwire extends Base {
  /** @type {Options} */
  #options;
  /** @type {Status} */
  #status = { state: "idle" };
  #unread = new Unread();
  /** @type {Position} */
  #position;
  /** @type {Token} */
  #token;
  /** @type {Marks} */
  #marks;
  /** @type {Feed} */
  #feed;
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
  #name;
  #bye = false;
  /** Frames so far; an answer that was asked for before one of them may be older than it. */
  #version = 0;
  #statusAt = 0;

  /** @param {Options} options */
  constructor(options) {
    super();
    const { hub, user, token, claim, since, storage, signal } = (this.#options = options);
    this.#name = `bellwire:${String(hub).replace(/\/$/, "")}:${user ?? ""}`;
    this.#position = new Position(since);
    this.#token = new Token(token, user, claim);
    const store = storage === undefined && user !== undefined ? localStore() : storage;
    this.#marks = keepMarks(`${this.#name}:marks`, store);
    this.#feed = openFeed(options, this.#token, this.#marks, {
      epoch: () => this.cursor?.epoch,
      version: () => this.#version,
      publish: (message) => this.#publish(message),
      verify: () => this.#verify(),
      wake: () => this.#wake(),
    });
    signal?.addEventListener("abort", () => this.close());
  }

  /** State, and what belongs to it. */
  get status() { return this.#status; }
  get state() { return this.#status.state; }
  /** Null: not known (yet). */
  get unread() { return this.#unread.value; }
  /** For `since` of a later client. */
  get cursor() { return this.#position.cursor; }
  /** Web Push. The first call loads its module. */
  get push() { return this.#feed.push; }
  /** Whether this tab has the connection. */
  get isLeader() { return this.#line !== null; }

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

  [Symbol.dispose]() { this.close(); }

  /** In a macrotask: a mount that is undone and done again, as in React's Strict Mode, costs nothing. */
  #soon() {
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => {
      if (this.#wanted && !this.#running) this.#start();
      else if (!this.#wanted) this.#stop(1000, this.#bye ? "logged out" : "closed");
    }, 0);
    return this;
  }

  #start() {
    const { signal } = (this.#running = new AbortController());
    this.#token.signal = signal;
    watch(signal, {
      wake: () => this.#wake(),
      hide: () => this.#leave(),
      show: () => this.#join(),
      tick: () => this.#tick(),
    });
    this.#join();
  }

  /** @param {number} code @param {string} reason */
  #stop(code, reason) {
    if (this.#bye) {
      this.#tabs?.say({ bye: true });
      this.#marks.forget();
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
    this.#tabs = joinTabs(this.#name, {
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
    this.#line = openLine(this.#options, this.#token, {
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
    const unread = this.#unread.behind(frame, this.cursor?.seq ?? 0, () => this.#verify());
    const isWelcome = frame.type === "welcome";
    this.#publish({ frame: taken, before: isWelcome ? this.cursor : before, epoch: this.#position.epoch, unread });
    if (isWelcome) {
      if (typeof frame.unread !== "number") this.#verify(0);
      this.#flush();
    }
  }

  #flush() {
    this.#feed.send().catch((error) => this.#emit("error", error));
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
      const { status, cursor, unread } = this;
      if (this.#line) this.#tabs?.say({ status, cursor, epoch: this.#position.epoch, unread });
      return;
    }
    if (this.#line && message.term) return;
    if (epoch !== undefined) this.#position.epoch = epoch;
    if (this.#position.follow(before === undefined ? cursor : before)) {
      this.#apply({ frame: gap(this.cursor?.epoch, this.cursor?.seq) });
    }
    if (frame?.type === "gap" || frame?.type === "notification") {
      if (this.#position.take(frame)) this.#apply(message);
    } else this.#apply(message);
  }

  /** @param {Message} message */
  #apply({ status, frame, unread }) {
    if (unread !== undefined && !frame) this.#unread.answered();
    if (frame) {
      this.#version++;
      if (frame.type === "notification") this.#emit("notification", frame.notification);
      else if (frame.type === "read" || frame.type === "removed" || frame.type === "gap") this.#emit(frame.type, frame);
    }
    if (unread !== undefined && unread !== this.unread) this.#emit("unread", (this.#unread.value = unread));
    if (status?.state === "closed") this.#stop(status.code, status.reason);
    else if (status) this.#setStatus(status);
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.#statusAt = Date.now();
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.#emit("statechange", status);
    // This browser profile has a subscription, of this user or another: push.js looks after it.
    if (localStore()?.["bellwire:push"]) this.push.follow(status).catch(() => {});
  }

  /** @param {keyof Events} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #wake() {
    this.#feed.hurry();
    if (this.#line) return this.#line.wake();
    this.#tabs?.say({ wake: true });
    if (isVisible()) this.#tabs?.check();
  }

  #tick() {
    this.#line?.tick();
    if (this.state === "open" && (this.#line || !this.#marks.isStored())) {
      this.#flush();
      if (this.unread === null) this.#verify();
    }
    if (!this.#tabs || this.#line || !isVisible()) return;
    // The timers of a hidden leader may be slow, or it may hang.
    const status = this.#status;
    const due = this.#statusAt + (status.state === "waiting" ? status.retryInMs + 2_000 : OVERDUE_MS);
    if (status.state !== "open" && Date.now() > due) this.#tabs.steal();
    else this.#tabs.check();
  }

  /**
   * A page of the feed, newest first.
   * @param {{ limit?: number, before?: string | null, after?: string, unread?: boolean, signal?: AbortSignal }} [which]
   */
  feed(which = {}) {
    return this.#feed.page(which);
  }

  /** The whole feed, newest first, page by page. @param {{ signal?: AbortSignal }} [how] */
  history(how = {}) {
    return this.#feed.all(how.signal);
  }

  /**
   * Marks as read: everything up to a position, or some entries.
   * @param {number | string[]} what
   * @returns {Promise<number | null>} what is unread now; null: kept until it can be sent
   */
  markRead(what) {
    return this.#feed.mark(what);
  }

  /** Deletes an entry. @param {string} id */
  remove(id) {
    return this.#feed.remove(id);
  }

  /** Notifications until the client is closed. */
  [Symbol.asyncIterator]() {
    return iterate(this);
  }
}
