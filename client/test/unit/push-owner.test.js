// Whose subscription it is, in a browser profile with several users, tabs and installations.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, pause } from "../support/node-client.js";
import { device, hub, make, profile, push, visit } from "../support/push-suite.js";

test("logging out ends the subscription, in the tab that logs out and for good", async () => {
  const c = await visit("alice");
  await c.push.subscribe();
  c.close({ everywhere: true });
  await eventually("ended", () => profile.record() === null && push.devices.size === 0);
  assert.equal(profile.subscription, null);
  assert.equal(await make().push.state(), "default", "she may be offered it again");
  // A page that is closed without a logout keeps it.
  const again = await visit("alice");
  await again.push.subscribe();
  again.close();
  await eventually("closed", () => again.state === "closed");
  await pause(20);
  assert.equal(await make().push.state(), "subscribed");
});

test("a page that went away while it logged out: the next start completes the logout, for any user", async () => {
  for (const next of ["alice", "bob"]) {
    await make().push.subscribe();
    const held = profile.record();
    profile.store.set("bellwire:push", JSON.stringify({ ...held, user: "" }));
    await visit(next);
    assert.deepEqual([profile.subscription, profile.record()], [null, null]);
  }
});

test("another user in this profile: the subscription ends, and theirs is another device and address", async () => {
  await make().push.subscribe();
  const [name, { endpoint }] = [device(), profile.subscription];
  await visit("bob");
  assert.deepEqual([profile.subscription, profile.record(), profile.ended], [null, null, [endpoint]]);
  const c = make("bob");
  assert.equal(await c.push.state(), "default");
  await c.push.subscribe();
  assert.notEqual(device(), name);
  assert.notEqual(profile.subscription.endpoint, endpoint);
  // Nobody else's token deletes it: the push service's 410 does.
  assert.deepEqual([...push.devices.keys()], [`alice/${name}`, `bob/${device()}`]);
  assert.equal(push.calls.filter((call) => call.startsWith("DELETE")).length, 0);
});

test("subscribing where another user's subscription is: it ends first", async () => {
  await make().push.subscribe();
  const [name, { endpoint }] = [device(), profile.subscription];
  const c = make("bob");
  assert.equal(await c.push.state(), "default");
  await c.push.subscribe();
  assert.deepEqual(profile.ended, [endpoint]);
  assert.notEqual(device(), name);
  assert.equal(await make().push.state(), "default");
});

test("another installation's subscription is left alone until this one subscribes", async () => {
  await make("alice", { functions: `${hub.url}/other/..` }).push.subscribe();
  const held = profile.record();
  await visit("bob");
  assert.deepEqual(profile.record(), held);
});

test("tabs that subscribe at once make one subscription and one device", async () => {
  await Promise.all([make().push.subscribe(), make().push.subscribe(), make().push.subscribe()]);
  assert.deepEqual([push.devices.size, profile.ended.length, profile.registrations.length], [1, 0, 1]);
});
