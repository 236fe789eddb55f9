// Calls of the hub and of the functions with the pasted token, and what goes wrong as one kind of error.

const LIMIT_MS = 10_000;

/** `status` 0: no answer at all. */
export class CallError extends Error {
  constructor(message, more) {
    super(message);
    Object.assign(this, { status: 0, code: "network" }, more);
  }
}

/** The error of an answer that is not a success. */
export async function refusalOf(answer) {
  const { status, headers } = answer;
  const body = await answer.json().catch(() => null);
  const { code = "", title, detail } = body && typeof body === "object" ? body : {};
  const seconds = Number(headers.get("retry-after") ?? NaN);
  const retryMs = seconds >= 0 ? Math.min(seconds, 60) * 1000 : undefined;
  return new CallError(String(detail ?? title ?? `HTTP ${status}`), { status, code: String(code), retryMs });
}

/** Where the data of this page is: below its own address, wherever a proxy has put that. */
export const homeOf = (href) => href.replace(/[?#].*$/, "").replace(/\/(console\.html)?$/, "");

export class Api {
  token = "";
  /** URL of the functions as the hub names it, or "". */
  functionsUrl = "";
  #home;

  constructor(home) {
    this.#home = home;
  }

  hub(path) {
    return this.#call(true, this.#home + path, {});
  }

  /** `path` begins with a slash; `body` is sent as JSON. */
  async functions(method, path, body, headers = {}) {
    const { functionsUrl } = this;
    if (!functionsUrl) throw new CallError("The hub has no URL of the functions: set --console-functions-url", { code: "no_functions" });
    if (body !== undefined) headers = { ...headers, "content-type": "application/json" };
    return this.#call(false, functionsUrl + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  }

  async #call(hub, url, init) {
    const headers = { accept: "application/json", ...init.headers };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    let answer;
    try {
      const signal = AbortSignal.timeout(LIMIT_MS);
      answer = await fetch(url, { ...init, headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
      if (answer.ok) return answer.status === 204 ? null : await answer.json();
    } catch {
      throw new CallError(hub ? "No answer from the hub" : `No answer from the functions at ${new URL(url).origin}: they are down, or ${location.origin} is missing in their cors_origins`);
    }
    throw await refusalOf(answer);
  }
}

/** What to tell a person, with what to do about it. */
export function explain(error) {
  if (error.status === 401) return `${error.message}. Paste another token.`;
  if (error.status === 403) return `Refused: ${error.message}`;
  return error.message;
}

/**
 * Calls `load` again and again while it is wanted: at once when started, then `everyMs` after the last one ended.
 * `done(value)` or `failed(error)`; an answer that is overtaken by a stop is dropped.
 */
export class Poll {
  #timer = null;
  #turn = 0;
  #options;

  constructor(options) {
    this.#options = options;
  }

  start() {
    this.stop();
    this.#round(this.#turn);
  }

  stop() {
    this.#turn++;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #round(turn) {
    const { load, done, failed, everyMs } = this.#options;
    let wait = everyMs;
    try {
      const value = await load();
      if (turn === this.#turn) done(value);
    } catch (error) {
      if (turn === this.#turn) {
        failed(error);
        wait = Math.max(everyMs, error.retryMs ?? 0, error.status === 401 || error.status === 403 ? 15_000 : 3_000);
      }
    }
    if (turn === this.#turn) this.#timer = setTimeout(() => this.#round(turn), wait);
  }
}

/** The objects of what should be a list of them. */
export const objects = (value) => (Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : []);
