// The user's token: asked of the page once at a time, kept, and renewed before it ends. Wall clock
// throughout, because timers stand still while a machine sleeps.
/** @import { TokenSource } from "#types" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";

const ASK_LIMIT_MS = 30_000;
const MARGIN_MS = 30_000;

/** @param {string} token @returns {Record<string, unknown>} the claims of a JWT, none of another token */
export function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))) ?? {};
  } catch {
    return {};
  }
}

export class Token {
  held = "";
  #failures = 0;
  /** @type {Promise<string> | null} */
  #asking = null;
  /** @type {AbortSignal | undefined} */
  signal;
  expiresAt = Infinity;
  renewAt = Infinity;

  /** @param {TokenSource} source @param {string} [user] @param {string} [claim] */
  constructor(source, user, claim = "sub") {
    this.source = source;
    this.user = user;
    this.claim = claim;
  }

  /** A token that holds: a new one if it is time, the old one as long as there is no new one. */
  async get() {
    if (this.held && Date.now() < Math.min(this.renewAt, this.expiresAt)) return this.held;
    try {
      return await this.renew(this.held);
    } catch (error) {
      if (this.held && Date.now() < this.expiresAt) return this.held;
      throw error;
    }
  }

  /** Another token than `old`. @param {string} old */
  async renew(old) {
    if (old !== this.held) return this.held;
    return (this.#asking ??= this.#ask(old !== "").finally(() => (this.#asking = null)));
  }

  /** The hub does not take this one any more. @param {string} token */
  refuse(token) {
    if (token === this.held) this.expiresAt = this.renewAt = 0;
  }

  /** The token held lasts so long: what the hub says is right even if this clock is not. @param {number} ms */
  lasts(ms) {
    this.expiresAt = Date.now() + ms;
    const fixed = ms === Infinity || typeof this.source === "string";
    this.renewAt = fixed ? Infinity : this.expiresAt - Math.min(ms / 2, Math.max(MARGIN_MS, ms / 10));
  }

  /** @param {boolean} refresh @returns {Promise<string>} */
  async #ask(refresh) {
    const { source, signal } = this;
    let timer, token;
    if (refresh && typeof source === "string") throw new BellwireError("no_token", "the token has ended");
    try {
      const late = new Promise((_, no) => (timer = setTimeout(no, ASK_LIMIT_MS, new Error("timeout"))));
      token = typeof source === "string" ? source : await Promise.race([source({ refresh, signal }), late]);
    } catch (cause) {
      this.renewAt = Date.now() + jitter(this.#failures++);
      throw new BellwireError("token_failed", "the page could not get a token", { cause });
    } finally {
      clearTimeout(timer);
    }
    if (!token) throw new BellwireError("no_token", "the page has no token");
    const { exp, [this.claim]: sub } = claims(token);
    // After a login as another user the page's cookies give that user's tokens.
    if (this.user !== undefined && sub !== undefined && String(sub) !== this.user)
      throw new BellwireError("other_user", "the token is another user's");
    this.#failures = 0;
    this.held = token;
    this.lasts(typeof exp === "number" ? exp * 1000 - Date.now() : Infinity);
    return token;
  }
}
