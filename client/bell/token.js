// The token of a page that names a URL for it.
/** @import { TokenSource } from "#types" */

/**
 * Answers a token as text or as `{"token": …}`; 401 and 403: nobody is logged in.
 * @param {string} url @param {AbortSignal | undefined} signal
 */
export async function tokenFrom(url, signal) {
  const answer = await fetch(url, { method: "POST", credentials: "same-origin", signal });
  if (answer.status === 401 || answer.status === 403) return "";
  const text = answer.ok ? (await answer.text()).trim() : "";
  const token = text.startsWith("{") ? JSON.parse(text).token : text;
  // Not a login page, for instance.
  if (typeof token !== "string" || !/^[\w.~+/-]+=*$/.test(token)) throw new Error(`no token from ${url}: HTTP ${answer.status}`);
  return token;
}

/**
 * The page's own token if it gives one, else that of the URL.
 * @param {() => TokenSource | null} own @param {string | undefined} url @returns {TokenSource}
 */
export const tokenOf = (own, url) => async (how) => {
  const source = own();
  if (typeof source === "function") return source(how);
  return source ?? tokenFrom(/** @type {string} */ (url), how.signal);
};
