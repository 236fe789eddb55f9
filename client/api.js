// A typed client of the functions' HTTP API. Retries what is safe to repeat, and throws BellwireError.
/** @import { Api, ApiOptions, Call } from "#api-types" */
/** @import { TokenSource } from "#types" */
import { jitter } from "./backoff.js";
import { BellwireError } from "./errors.js";
import { at, request } from "./request.js";

export { BellwireError };

const METHODS = /** @type {const} */ (["GET", "HEAD", "POST", "PUT", "DELETE"]);
const TOKEN_LIMIT_MS = 30_000;
const RETRYABLE = [429, 500, 502, 503, 504];

/** One token for all calls, and another after a 401. @param {TokenSource} source */
function keep(source) {
  /** @type {string | undefined} */
  let held;
  /** @type {Promise<string> | undefined} */
  let asking;
  const ask = (/** @type {boolean} */ refresh) =>
    (asking ??= Promise.resolve(typeof source === "string" ? source : source({ refresh, signal: AbortSignal.timeout(TOKEN_LIMIT_MS) }))
      .then((token) => (held = token ?? ""))
      .finally(() => (asking = undefined)));
  return { get: async () => held ?? ask(false), renew: async (/** @type {string} */ old) => (old === held ? ask(true) : held ?? "") };
}

/** @param {ApiOptions} options @returns {Api} */
export function createClient({ baseUrl, token, fetch, retries = 3 }) {
  const held = token === undefined ? undefined : keep(token);
  /** @param {string} method @param {string} path @param {Call} [call] */
  const send = async (method, path, { params = {}, body, headers, signal, idempotencyKey } = {}) => {
    const { path: parts = {}, query = {}, header = {} } = params;
    const url = at(baseUrl, path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(parts[name]))));
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    /** @type {Record<string, string>} */
    const all = { ...header, ...headers };
    if (idempotencyKey) all["Idempotency-Key"] = idempotencyKey;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const hasKey = Object.keys(all).some((name) => /^idempotency-key$/i.test(name));
    const safe = method === "GET" || method === "HEAD" || hasKey;
    for (let tries = 0; ; tries++) {
      try {
        const response = await request(fetch, held, url, { method, headers: all, body: JSON.stringify(body), signal });
        const text = await response.text();
        return { data: text ? JSON.parse(text) : undefined, response };
      } catch (error) {
        const { code, status = 0, retryInMs = 0 } = /** @type {BellwireError} */ (error);
        if (!safe || tries >= retries || !(code === "network" || RETRYABLE.includes(status))) throw error;
        await new Promise((done) => setTimeout(done, retryInMs + jitter(tries)));
        signal?.throwIfAborted();
      }
    }
  };
  /** @type {(method: string) => (path: string, call?: Call) => Promise<any>} */
  const sender = (method) => async (path, call) => (await send(method, path, call)).data;
  const calls = METHODS.map((method) => [method, sender(method)]);
  return /** @type {any} */ ({ ...Object.fromEntries(calls), request: send });
}
