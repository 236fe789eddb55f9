// One HTTP request with the user's token and a time limit; a 401 is tried once more with a new token.
/** @import { Token } from "./token.js" */
import { BellwireError, refusal } from "./errors.js";

const LIMIT_MS = 15_000;

/**
 * @param {typeof fetch | undefined} use @param {Pick<Token, "get" | "renew"> | undefined} token @param {URL} url
 * @param {RequestInit} [init]
 * @param {number} [limitMs]
 * @returns {Promise<Response>} a success, or 304
 */
export async function request(use, token, url, init = {}, limitMs = LIMIT_MS) {
  const limit = AbortSignal.timeout(limitMs);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  const send = async (/** @type {string} */ bearer) => {
    const headers = /** @type {Record<string, string>} */ ({ ...init.headers });
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    try {
      return await (use ?? fetch)(url, { ...init, headers, signal });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new BellwireError("network", `no answer from ${url.origin}`, { cause });
    }
  };
  const held = (await token?.get()) ?? "";
  let answer = await send(held);
  if (answer.status === 401 && token) {
    const other = await token.renew(held);
    if (other !== held) answer = await send(other);
  }
  if (answer.status >= 400) throw await refusal(answer);
  return answer;
}

/** A path below a base URL that may itself have one. @param {string | URL} base @param {string} path */
export const at = (base, path) => new URL(String(base).replace(/\/$/, "") + path, globalThis.location?.href);
