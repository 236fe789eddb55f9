// A typed client of the functions' HTTP API. Retries what is safe to repeat, and throws BellwireError.
/** @import { Api, ApiOptions, Call } from "#api-types" */
import { jitter } from "./backoff.js";
import { BellwireError, refusal } from "./errors.js";

export { BellwireError };

/** Of a token, and of a call. */
const LIMIT_MS = 15_000;

/** @param {ApiOptions} options @returns {Api} */
export function createClient({ baseUrl, token, fetch: use, retries = 3 }) {
  /** One token for all calls, and another after a 401. @type {Promise<string | null | undefined> | undefined} */
  let held;
  const ask = async (/** @type {boolean} */ refresh) => (typeof token === "function" ? token({ refresh, signal: AbortSignal.timeout(LIMIT_MS) }) : token);

  /** @param {string} method @param {string} path @param {Call} [call] */
  async function request(method, path, { params: { path: parts = {}, query = {}, header } = {}, body, headers: given, signal, idempotencyKey } = {}) {
    const headers = new Headers({ ...header, ...given });
    if (idempotencyKey) headers.set("idempotency-key", idempotencyKey);
    if (body !== undefined) headers.set("content-type", "application/json");
    const isSafe = /GET|HEAD/.test(method) || headers.has("idempotency-key");
    const place = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(parts[name])));
    // JSON leaves out what is undefined.
    const search = new URLSearchParams(JSON.parse(JSON.stringify(query)));
    const url = String(baseUrl).replace(/\/$/, "") + `${place}?${search}`.replace(/\?$/, "");
    for (let tries = 0, isRenewed = false; ; ) {
      const mine = (held ??= ask(isRenewed));
      mine.catch(() => (held = undefined));
      const bearer = await mine;
      if (bearer) headers.set("authorization", `Bearer ${bearer}`);
      try {
        const limit = AbortSignal.timeout(LIMIT_MS);
        const response = await (use ?? fetch)(url, { method, headers, body: JSON.stringify(body), signal: AbortSignal.any([signal ?? limit, limit]) });
        const { status } = response;
        if (status < 400) {
          const text = await response.text();
          return { data: text ? JSON.parse(text) : undefined, response };
        }
        if (status !== 401 || !bearer || isRenewed) throw await refusal(response);
        isRenewed = true;
        if (held === mine) held = undefined;
      } catch (cause) {
        signal?.throwIfAborted();
        const error = cause instanceof BellwireError ? cause : new BellwireError("network", `no answer from ${baseUrl}`, { cause });
        const { status = 500, retryInMs = 0 } = error;
        if (!isSafe || tries >= retries || (status < 500 && status !== 429)) throw error;
        await new Promise((done) => setTimeout(done, retryInMs + jitter(tries++)));
      }
    }
  }

  /** @type {any} */
  const api = { request };
  for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE"]) api[method] = async (/** @type {string} */ path, /** @type {Call} */ call) => (await request(method, path, call)).data;
  return api;
}
