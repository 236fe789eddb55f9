// One user in one tab: the state, what is received, and what tabs tell each other.
/** @import { Feed } from "./feed.js" */
/** @import { Line } from "./line.js" */
/** @import { Tabs } from "./tabs.js" */
/** @import { Events, Frame, Message, Options, Push, Status } from "#types" */
import { jitter, nap } from "./backoff.js";
import { lazy } from "./lazy.js";
import { openLine } from "./line.js";
import { Position, gap } from "./position.js";
import { canShare, joinTabs } from "./tabs.js";
import { Token } from "./token.js";
import { Unread } from "./unread.js";
import { isVisible, watch } from "./wake.js";

/** For a leader that connects, or is late with what it announced. */
const OVERDUE_MS = 12_000;

const loadFeed = lazy(() => import("./feed.js"), "./feed.js");

/** @typedef {(type: keyof Events, detail: unknown) => void} Emit */
/** @typedef {ReturnType<typeof openCore>} Core */

/** @param {Options} options @param {Emit} emit */
export function openCore(options, emit) {
  const { hub, functions, user, signal, shared = true } = options;
  const name = `bellwire:${String(hub).replace(/\/$/, "")}:${user ?? ""}`;
  const position = new Position(options.since);
  const count = new Unread();
  const token = new Token(options.token, user, options.claim);
  /** @type {Status} */
  let status = { state: "idle" };
  let statusAt = 0;
  let isWanted = false, isLogout = false;
  /** Frames so far; an answer that was asked for before one of them may be older than it. */
  let version = 0;
  /** @type {AbortController | null} */
  let running = null;
  /** @type {Tabs | null} */
  let tabs = null;
  /** @type {Line | null} */
  let line = null;
  /** @type {Feed | undefined} */
  let feed;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let turn;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let checking;
  /** Requests for the count in a row that failed. */
  let misses = 0;
  signal?.addEventListener("abort", () => close(false));

  function connect() {
    isWanted = !signal?.aborted;
    soon();
  }

  /** @param {boolean} everywhere */
  function close(everywhere) {
    isWanted = false;
    isLogout ||= everywhere;
    soon();
  }

  /** In a macrotask: a mount that is undone and done again, as in React's Strict Mode, costs nothing. */
  function soon() {
    clearTimeout(turn);
    turn = setTimeout(() => {
      if (isWanted && !running) start();
      else if (!isWanted) stop(1000, isLogout ? "logged out" : "closed");
    }, 0);
  }

  function start() {
    running = new AbortController();
    token.signal = running.signal;
    watch(running.signal, { wake, hide: leave, show: join, tick });
    join();
  }

  /** @param {number} code @param {string} reason */
  function stop(code, reason) {
    if (isLogout) {
      tabs?.say({ bye: true });
      load().then(({ forget }) => forget(), () => {});
    }
    isLogout = isWanted = false;
    running?.abort();
    running = null;
    clearTimeout(checking);
    checking = undefined;
    leave();
    setStatus({ state: "closed", code, reason });
  }

  function join() {
    if (tabs || line) return wake();
    setStatus({ state: "connecting" });
    if (!shared || user === undefined || !canShare()) return lead();
    tabs = joinTabs(name, {
      lead,
      follow() {
        unlead();
        setStatus({ state: "connecting" });
        tabs?.say({ ask: true });
      },
      hear,
    });
  }

  /** Gives the lead to another tab: at its end, or while the page lies in the browser's history. */
  function leave() {
    unlead();
    tabs?.leave();
    tabs = null;
  }

  function lead() {
    line = openLine(options, token, {
      cursor: () => position.cursor,
      status: (status) => publish({ status }),
      frame: receive,
      error: (error) => emit("error", error),
    });
  }

  function unlead() {
    line?.stop();
    line = null;
  }

  /** From the hub, in the tab that leads. @param {Frame} frame */
  function receive(frame) {
    const before = position.cursor;
    const taken = position.take(frame);
    if (!taken) return;
    const unread = count.behind(frame, position.cursor?.seq ?? 0, verify);
    const isWelcome = frame.type === "welcome";
    publish({ frame: taken, before: isWelcome ? position.cursor : before, epoch: position.epoch, unread });
    if (isWelcome) {
      // Without a position there are many such users when Redis is away: they spread out.
      if (typeof frame.unread !== "number") verify(frame.epoch ? 0 : jitter(3));
      if (functions) flush();
    }
  }

  /**
   * What reads the feed and marks: most pages need it later than the first notification, some never. `tries`: further
   * ones when its module does not load, with the pauses of a line that fails.
   * @param {number} [tries] @returns {Promise<Feed>}
   */
  const load = (tries = 0, n = 0) =>
    loadFeed().then(
      ({ openFeed }) => {
        const reader = { epoch: () => position.cursor?.epoch, version: () => version, status: () => status, publish, verify, wake };
        return (feed ??= openFeed(name, options, token, reader));
      },
      async (error) => {
        if (n >= tries) throw error;
        await nap(jitter(n)).over;
        return load(tries, n + 1);
      },
    );

  /** Most pages never need its module. @type {Push} */
  const push = /** @type {any} */ (
    new Proxy({}, {
      // `then` must not be a function: an awaited object with one is taken for a promise.
      get: (_, /** @type {any} */ name) => name === "then" || (async (/** @type {unknown} */ how) => (await load()).push(name, how)),
    })
  );

  /** Sends marks that wait; those that all tabs see only from the one that leads. */
  async function flush() {
    try {
      const { isStored, send } = await load();
      if (line || !isStored()) await send();
    } catch (error) {
      emit("error", error);
    }
  }

  /**
   * Asks what is unread, unless asked already: the hub, or the functions if Redis has no feed. Their answer makes one,
   * whose position the hub then tells: from there on this client can resume.
   */
  function verify(waitMs = 500 + jitter(misses)) {
    checking ??= setTimeout(() => {
      checking = undefined;
      if ((position.epoch || !functions) && line?.ping()) return;
      if (!functions) return;
      load().then(({ page }) => page({ limit: 1 })).then(
        () => {
          misses = 0;
          if (!position.cursor) line?.ping();
        },
        () => misses++,
      );
    }, waitMs);
  }

  /** To this tab and, from the one that leads, to the others. @param {Message} message */
  function publish(message) {
    tabs?.say(message);
    apply(message);
  }

  /** From another tab. @param {Message} message @returns {unknown} */
  function hear(message) {
    const { ask, wake, bye, cursor, before, epoch, frame } = message;
    if (bye) return stop(1000, "logged out");
    if (wake) return line?.wake();
    if (ask) return line && tabs?.say({ status, cursor: position.cursor, epoch: position.epoch, unread: count.value });
    if (line && message.term) return;
    if (epoch !== undefined) position.epoch = epoch;
    if (position.follow(before === undefined ? cursor : before)) {
      apply({ frame: gap(position.cursor?.epoch, position.cursor?.seq) });
    }
    const isTaken = frame?.type === "gap" || frame?.type === "notification";
    if (!isTaken || position.take(frame)) apply(message);
  }

  /** @param {Message} message */
  function apply({ status, frame, unread }) {
    if (unread !== undefined && !frame) count.answered();
    if (frame) {
      version++;
      if (frame.type === "notification") emit(frame.type, frame.notification);
      else if (frame.type === "read" || frame.type === "removed" || frame.type === "gap") emit(frame.type, frame);
    }
    if (unread !== undefined && unread !== count.value) emit("unread", (count.value = unread));
    if (status?.state === "closed") stop(status.code, status.reason);
    else if (status) setStatus(status);
  }

  /** @param {Status} now */
  function setStatus(now) {
    statusAt = Date.now();
    if (JSON.stringify(now) === JSON.stringify(status)) return;
    status = now;
    emit("statechange", now);
    feed?.follow(now);
  }

  function wake() {
    feed?.hurry();
    if (line) return line.wake();
    tabs?.say({ wake: true });
    if (isVisible()) tabs?.check();
  }

  function tick() {
    line?.tick();
    if (status.state === "open" && functions) {
      flush();
      if (count.value === null && line) verify();
    }
    if (!tabs || line || !isVisible()) return;
    // The timers of a hidden leader may be slow, or it may hang.
    const due = statusAt + (status.state === "waiting" ? status.retryInMs + 2_000 : OVERDUE_MS);
    if (status.state !== "open" && Date.now() > due) tabs.steal();
    else tabs.check();
  }

  return { connect, close, load, push, position, count, status: () => status, isLeader: () => line !== null };
}
