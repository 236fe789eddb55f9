// What the unit tests of Web Push share: for each test a fake hub with functions, and a browser profile.
import { afterEach, beforeEach, mock } from "node:test";
import { FakeProfile } from "./fake-browser.js";
import { fakeToken, startFakeHub } from "./fake-hub.js";
import { withPush } from "./fake-push.js";
import { client, isOpen, pause } from "./node-client.js";

export const HOUR = 3_600_000;

export let hub, push, profile;
let leave, clients;
beforeEach(async () => {
  hub = await startFakeHub();
  push = withPush(hub);
  profile = new FakeProfile();
  leave = profile.enter();
  clients = [];
});
afterEach(async () => {
  mock.restoreAll();
  for (const c of clients) c.close();
  await pause(5);
  leave();
  await hub.stop();
});

/** A page's client. */
export const make = (user = "alice", options = {}) => {
  const c = client(hub, { user, token: () => fakeToken(user), ...options });
  clients.push(c);
  return c;
};
/** Another page, in which a client starts; what it does at its start is done. */
export async function visit(user, options) {
  const c = make(user, options).connect();
  await isOpen(c);
  await c.push.state();
  await navigator.locks.request("bellwire:push", async () => {});
  return c;
}
export const later = (ms) => {
  const now = Date.now();
  mock.method(Date, "now", () => now + ms);
};
export const device = () => profile.record()?.device;
