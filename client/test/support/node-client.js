// Clients in Node against the fake hub, and waiting that does not depend on timers, which tests replace.
import { WebSocket } from "ws";
import { Bellwire } from "../../client.js";
import { fakeToken } from "./fake-hub.js";

/** Waits in turns of the event loop. */
export async function eventually(what, condition, limitMs = 20_000) {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await turns(1);
  }
}

export async function turns(count = 20) {
  for (; count > 0; count--) await new Promise((done) => setImmediate(done));
}

/** For so long of real time. */
export async function pause(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end) await turns(1);
}

/** A client that notes everything. */
export function client(hub, options = {}) {
  const c = new Bellwire({ hub: hub.url, functions: hub.url, user: "alice", shared: false, token: () => fakeToken(), WebSocket, storage: null, ...options });
  const log = Object.assign(c, { got: [], states: [], events: [], errors: [], unreads: [] });
  c.addEventListener("notification", ({ detail }) => log.got.push(detail.title));
  c.addEventListener("statechange", ({ detail }) => log.states.push(detail));
  c.addEventListener("unread", ({ detail }) => log.unreads.push(detail));
  c.addEventListener("error", ({ detail }) => log.errors.push(detail.code));
  for (const type of ["read", "removed", "gap"]) c.addEventListener(type, ({ detail }) => log.events.push(detail));
  return log;
}

export const isOpen = (c) => eventually("the client is open", () => c.state === "open");
