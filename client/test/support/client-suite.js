// What the client's unit tests share: for each test a fake hub, and clients that end with it.
import { afterEach, beforeEach, mock } from "node:test";
import { startFakeHub } from "./fake-hub.js";
import { client, pause } from "./node-client.js";

export let hub;
let clients;
beforeEach(async () => {
  hub = await startFakeHub();
  clients = [];
});
afterEach(async () => {
  mock.restoreAll();
  for (const c of clients) c.close();
  await pause(5);
  await hub.stop();
});

/** A client that connects. */
export const start = (options) => {
  const c = client(hub, options);
  clients.push(c);
  return c.connect();
};

/** Makes waits short. */
export const hurry = () => mock.method(Math, "random", () => 0.01);
