// What went wrong, with a code to branch on: one of the functions and the hub (RFC 9457), or one of the
// client's own: network, no_token, token_failed, too_slow, no_functions.

export class BellwireError extends Error {
  name = "BellwireError";
  /** Modules that a hub serves have a copy each. */
  static [Symbol.hasInstance] = (/** @type {any} */ error) => error?.name === "BellwireError";
  /** @type {number | undefined} HTTP status */
  status;
  /** @type {string | undefined} the invalid member, parameter or header */
  field;
  /** @type {number | undefined} from Retry-After */
  retryInMs;

  /** @param {string} code @param {string} message @param {object} [more] */
  constructor(code, message, more) {
    super(message);
    this.code = code;
    Object.assign(this, more);
  }
}

/** The error of an answer that is not a success. @param {Response} answer */
export async function refusal(answer) {
  const { status, headers } = answer;
  const { code, title, detail, field } = await answer.json().catch(() => ({}));
  // A number of seconds; a date, which no server here sends, counts as missing.
  const retryInMs = Number(headers.get("retry-after")) * 1000 || undefined;
  return new BellwireError(code ?? "internal", detail ?? title ?? `HTTP ${status}`, { status, field, retryInMs });
}
