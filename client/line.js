// The line to the hub: connects, resumes, waits, and connects again, until it is stopped or told for good.
/** @import { Connection, Cursor, End, Frame, Options, Status } from "#types" */
/** @import { Token } from "./token.js" */
import { jitter, nap } from "./backoff.js";
import { lazy } from "./lazy.js";
import { gap, query } from "./position.js";
import { at } from "./request.js";
import { connection, openSocket } from "./transport.js";

/** The same would happen again. */
const TERMINAL = [1002, 1007, 4400, 4403, 4413];
/** After so long open, what failed before is forgiven. */
const STABLE_MS = 10_000;
/** Of silence: then the hub is pinged, or a stream given up, which hears from the hub every 25 s. */
const QUIET_MS = 25_000;
const DEAD_MS = 65_000;
const PONG_LIMIT_MS = 3_000;
const LEEWAY_MS = 60_000;
const SOCKET_AGAIN_MS = 300_000;

const loadStreams = lazy(() => import("./sse.js"), "./sse.js");

/**
 * @typedef {object} Owner
 * @property {() => Cursor | null} cursor
 * @property {(status: Status) => void} status
 * @property {(frame: Frame) => void} frame
 * @property {(error: unknown) => void} error
 */
/** @typedef {ReturnType<typeof openLine>} Line */

/** @param {Options} options @param {Token} token @param {Owner} owner */
export function openLine(options, token, owner) {
  const { hub, transport = "auto", WebSocket: Socket = globalThis.WebSocket } = options;
  let stopped = false, renewing = false;
  /** Sockets in a row that did not open, while the hub answers over HTTP. */
  let failed = 0;
  /** @type {Connection | null} */
  let current = null;
  /** @type {ReturnType<typeof nap> | null} */
  let waiting = null;

  async function run() {
    for (let tries = 0; !stopped; ) {
      owner.status({ state: "connecting" });
      const { code, reason, opened, ...end } = await connect();
      if (stopped) return;
      if (end.final || TERMINAL.includes(code)) return owner.status({ state: "closed", code, reason });
      if (code === 4410) owner.frame(gap());
      if (opened && Date.now() - opened > STABLE_MS) tries = 0;
      if (end.now) continue;
      const retryInMs = Math.round(end.retryInMs ?? jitter(tries));
      tries++;
      owner.status({ state: "waiting", retryInMs, reason: reason || "network" });
      waiting = nap(retryInMs, end.retryInMs !== undefined);
      await waiting.over;
      waiting = null;
    }
  }

  /** One connection, from its token to its end. @returns {Promise<End>} */
  async function connect() {
    const stream = transport === "sse" || (transport === "auto" && (!Socket || failed > 2));
    let held;
    try {
      held = await token.get();
    } catch (/** @type {any} */ error) {
      owner.error(error);
      const { code: reason } = error;
      return { code: reason === "other_user" ? 4403 : 4401, reason, final: reason === "no_token" };
    }
    if (stopped) return { code: 1000, reason: "" };
    const c = (current = connection(stream, hear));
    open(c, held).catch((error) => {
      c.end({ code: 1006, reason: "" });
      if (stream) return;
      // No WebSocket here, or the page may not open this one.
      owner.error(error);
      failed = 2;
    });
    let end = await c.done;
    current = null;
    const { opened } = end;
    if (stream) failed = opened && Date.now() - opened < SOCKET_AGAIN_MS ? failed : 2;
    else if (opened) failed = 0;
    else if (end.code === 1006 && ++failed > 1 && !stopped) {
      // Without the module, which comes from the hub, the hub is away.
      end = await loadStreams().then(({ why }) => why(options, token), () => ({ code: 1006, reason: "" }));
      if (!end.isBlocked) failed = 0;
    }
    if (end.code === 4401) token.refuse(held);
    return end;
  }

  /** @param {Connection} c @param {string} held */
  async function open(c, held) {
    const url = at(hub, `/${c.stream ? "sse" : "ws"}/notifications${query(owner.cursor())}`);
    if (!c.stream) return openSocket(c, url, held, Socket);
    const { openStream } = await loadStreams();
    return openStream(c, url, held, hub, options.fetch);
  }

  /** @param {Frame} frame */
  function hear(frame) {
    // The hub counts to when it closes the socket; others may take the token no longer than it says itself.
    const { expiresInMs } = /** @type {{ expiresInMs?: number }} */ (frame);
    if (expiresInMs !== undefined) token.lasts(expiresInMs - LEEWAY_MS);
    if (frame.type === "welcome") owner.status({ state: "open" });
    if (frame.type !== "auth") owner.frame(frame);
  }

  function stop() {
    stopped = true;
    current?.stop("closed");
    waiting?.stop();
  }

  /** Network, page or machine may be back: tries again soon, or makes sure that the connection lives. */
  function wake() {
    waiting?.hurry();
    if (!ping() && current?.opened && Date.now() - current.heard > QUIET_MS) current.stop("silent");
  }

  /** Asks the hub for a sign of life, and for the unread count. False: it would not answer. */
  function ping() {
    const c = current;
    if (!c?.pings) return false;
    const asked = Date.now();
    c.send?.({ type: "ping" });
    setTimeout(() => c.heard < asked && c.stop("silent"), PONG_LIMIT_MS);
    return true;
  }

  /** Every few seconds; timers may be late by hours. */
  function tick() {
    if (!current?.opened) return;
    const quietMs = Date.now() - current.heard;
    if (current.pings ? quietMs > QUIET_MS : current.stream && quietMs > DEAD_MS) wake();
    if (Date.now() >= token.renewAt) renew(current);
  }

  /** @param {Connection} c */
  async function renew(c) {
    if (renewing) return;
    renewing = true;
    try {
      const renewed = await token.renew(token.held);
      if (c.stream) c.stop("renewal", true);
      else c.send?.({ type: "auth", token: renewed });
    } catch (error) {
      owner.error(error);
    }
    renewing = false;
  }

  run();
  return { stop, wake, ping, tick };
}
