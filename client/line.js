// The line to the hub: connects, resumes, waits, and connects again, until it is stopped or told for good.
/** @import { Connection, Cursor, End, Frame, Options, Status } from "#types" */
/** @import { Token } from "./token.js" */
import { Nap, jitter } from "./backoff.js";
import { query } from "./position.js";
import { at, request } from "./request.js";
import { openSocket, openStream, refused } from "./transport.js";

/** The same would happen again. */
const TERMINAL = [1002, 1007, 4400, 4403, 4413];
/** After so long open, what failed before is forgiven. */
const STABLE_MS = 10_000;
/** Of silence: then the hub is pinged, or a stream given up, which hears from the hub every 25 s. */
const QUIET_MS = 25_000;
const DEAD_MS = 65_000;
const PONG_LIMIT_MS = 3_000;
const TICKET_LIMIT_MS = 5_000;
const LEEWAY_MS = 60_000;
const SOCKET_AGAIN_MS = 300_000;

/**
 * @typedef {object} Owner
 * @property {() => Cursor | null} cursor
 * @property {(status: Status) => void} status
 * @property {(frame: Frame) => void} frame
 * @property {(error: unknown) => void} error
 */

export class Line {
  #stopped = false;
  #renewing = false;
  /** Sockets in a row that did not open, while the hub answers over HTTP. */
  #failed = 0;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Nap | null} */
  #nap = null;

  /** @param {Options} options @param {Token} token @param {Owner} owner */
  constructor(options, token, owner) {
    this.options = options;
    this.token = token;
    this.owner = owner;
    this.Socket = options.WebSocket ?? globalThis.WebSocket;
    this.#run();
  }

  stop() {
    this.#stopped = true;
    this.#connection?.stop("closed");
    this.#nap?.stop();
  }

  async #run() {
    for (let tries = 0; !this.#stopped; ) {
      this.owner.status({ state: "connecting" });
      const end = await this.#connect();
      if (this.#stopped) return;
      const { code, opened, reason = "network" } = end;
      if (end.final || TERMINAL.includes(code)) return this.owner.status({ state: "closed", code, reason });
      if (code === 4410) this.owner.frame({ type: "gap", reason: "missed", epoch: null, seq: 0 });
      if (opened && Date.now() - opened > STABLE_MS) tries = 0;
      if (end.now && opened) continue;
      const retryInMs = Math.round(end.retryInMs ?? jitter(tries));
      tries++;
      this.owner.status({ state: "waiting", retryInMs, reason: reason || "network" });
      this.#nap = new Nap(retryInMs, end.retryInMs !== undefined);
      await this.#nap.over;
      this.#nap = null;
    }
  }

  /** One connection, from its token to its end. @returns {Promise<End & { opened: number }>} */
  async #connect() {
    const { options, token, owner } = this;
    const { transport = "auto" } = options;
    const blocked = !this.Socket || this.#failed > 2;
    const stream = transport === "sse" || (transport === "auto" && blocked);
    let held;
    try {
      held = await token.get();
    } catch (/** @type {any} */ error) {
      owner.error(error);
      const { code: reason } = error;
      const code = reason === "other_user" ? 4403 : 4401;
      return { code, reason, final: reason === "no_token", opened: 0 };
    }
    if (this.#stopped) return { code: 1000, reason: "", opened: 0 };
    const url = at(options.hub, `/${stream ? "sse" : "ws"}/notifications${query(owner.cursor())}`);
    const hear = (/** @type {Frame} */ frame) => this.#hear(frame);
    let c;
    try {
      if (stream) c = openStream(url, held, options.fetch, hear);
      else c = openSocket(url, held, this.Socket, hear);
    } catch (error) {
      // No WebSocket here, or the page may not open this one.
      owner.error(error);
      this.#failed = 3;
      return { code: 1006, reason: "network", opened: 0 };
    }
    this.#connection = c;
    let end = await c.done;
    this.#connection = null;
    const { opened } = c;
    if (stream) this.#failed = opened && Date.now() - opened < SOCKET_AGAIN_MS ? this.#failed : 2;
    else if (opened) this.#failed = 0;
    else if (end.code === 1006 && ++this.#failed > 1 && !this.#stopped) end = await this.#why(end);
    if (end.code === 4401) token.refuse(held);
    return { ...end, opened };
  }

  /**
   * A page does not see why a handshake was refused; it can ask for a ticket, which the same checks refuse.
   * @param {End} end
   */
  async #why(end) {
    const { fetch: use, hub } = this.options;
    try {
      await request(use, this.token, at(hub, "/ws/ticket"), { method: "POST" }, TICKET_LIMIT_MS);
      return { ...end, reason: "websocket blocked" };
    } catch (/** @type {any} */ error) {
      this.#failed = 0;
      const why = refused(error);
      if (error.code !== "network") return why;
      // The hub answers, but not to this page: its origin is not in --allowed-origins.
      if (!globalThis.location) return why;
      const there = fetch(at(hub, "/healthz"), { mode: "no-cors" });
      return there.then(() => ({ ...why, reason: "origin not allowed" }), () => why);
    }
  }

  /** @param {Frame} frame */
  #hear(frame) {
    // The hub counts to when it closes the socket; others may take the token no longer than it says itself.
    if ("expiresInMs" in frame && frame.expiresInMs !== undefined) this.token.lasts(frame.expiresInMs - LEEWAY_MS);
    if (frame.type === "auth") return;
    if (frame.type === "welcome") this.owner.status({ state: "open" });
    this.owner.frame(frame);
  }

  /** Network, page or machine may be back: tries again soon, or makes sure that the connection lives. */
  wake() {
    this.#nap?.hurry();
    const c = this.#connection;
    if (!c?.opened) return;
    if (c.pings) this.ping();
    else if (Date.now() - c.heard > QUIET_MS) c.stop("silent");
  }

  /** Asks the hub for a sign of life, and for the unread count. False: it would not answer. */
  ping() {
    const c = this.#connection;
    if (!c?.opened || !c.pings) return false;
    const asked = Date.now();
    c.send({ type: "ping" });
    setTimeout(() => c.heard < asked && c.stop("silent"), PONG_LIMIT_MS);
    return true;
  }

  /** Every few seconds; timers may be late by hours. */
  tick() {
    const c = this.#connection;
    if (!c?.opened) return;
    const quiet = Date.now() - c.heard;
    if (c.pings ? quiet > QUIET_MS : c.stream && quiet > DEAD_MS) this.wake();
    if (Date.now() >= this.token.renewAt) this.#renew(c);
  }

  /** @param {Connection} c */
  async #renew(c) {
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      const token = await this.token.renew(this.token.held);
      if (c.stream) c.stop("renewal", true);
      else c.send({ type: "auth", token });
    } catch (error) {
      this.owner.error(error);
    }
    this.#renewing = false;
  }
}
