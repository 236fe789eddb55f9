// Notifications as a loop receives them: `for await (const notification of client)`.
/** @import { Bellwire } from "./client.js" */
/** @import { Notification } from "#types" */
import { BellwireError } from "./errors.js";

const BUFFER_MAX = 1_000;

/** @param {Bellwire} client @returns {AsyncGenerator<Notification, void, undefined>} */
export async function* iterate(client) {
  /** @type {Notification[]} */
  const waiting = [];
  const listening = new AbortController();
  const { signal } = listening;
  let more = (/** @type {any} */ _) => {};
  client.addEventListener("notification", ({ detail }) => more(waiting.push(detail)), { signal });
  client.addEventListener("statechange", () => more(0), { signal });
  try {
    while (client.state !== "closed" || waiting.length) {
      if (waiting.length > BUFFER_MAX) throw new BellwireError("too_slow", "the loop did not keep up");
      const next = waiting.shift();
      if (next) yield next;
      else await new Promise((/** @type {(value?: any) => void} */ done) => (more = done));
    }
  } finally {
    listening.abort();
  }
}
