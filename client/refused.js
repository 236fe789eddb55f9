// Why a hub does not open a connection. A page sees nothing of a refused handshake, so the hub is asked over HTTP.
/** @import { End, Options } from "#types" */
/** @import { Token } from "./token.js" */
import { at, request } from "./request.js";

const TICKET_LIMIT_MS = 5_000;

/**
 * Why sockets do not open: the same checks refuse a ticket.
 * @param {Options} options @param {Token} token @returns {Promise<End>}
 */
export async function why({ hub, fetch }, token) {
  try {
    await request(fetch, token, at(hub, "/ws/ticket"), { method: "POST" }, TICKET_LIMIT_MS);
    return { code: 1006, reason: "websocket blocked", isBlocked: true };
  } catch (error) {
    return refused(error, hub);
  }
}

/** The hub that the page was last told not to be allowed at. @type {string | URL | undefined} */
let warned;

/**
 * How a refusal over HTTP reads as the end of a connection. Without an answer, though the hub answers others: it
 * shares its answers only with pages whose origin it allows.
 * @param {any} error @param {string | URL} hub @returns {Promise<End>}
 */
export async function refused({ code: word, status, retryInMs }, hub) {
  const code = { 400: 4410, 401: 4401, 403: 4403, 410: 4410 }[/** @type {number} */ (status)] ?? 1006;
  // Retry-After is the same for everyone who is refused.
  if (retryInMs) retryInMs *= 1 + Math.random();
  let reason = typeof word === "string" ? word : "network";
  const blocked = () => {
    reason = "origin not allowed";
    if (warned !== hub)
      console.warn(`Bellwire: the hub ${hub} refuses pages of ${location.origin}: add this origin to its --allowed-origins (make up: ORIGINS)`);
    warned = hub;
  };
  if (reason === "network" && globalThis.location)
    await fetch(at(hub, "/healthz"), { mode: "no-cors" }).then(blocked, () => {});
  return { code, reason, retryInMs };
}
