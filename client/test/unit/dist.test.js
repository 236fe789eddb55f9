// The files of dist/, as a page gets them from a hub: they import each other and nothing else, and the client
// there behaves as its sources do. Whether they are up to date: scripts/dist.js --check.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Bellwire, BellwireError } from "../../dist/client.js";
import { List } from "../../dist/list.js";
import { OWN_MEMBERS, written } from "../../scripts/dist.js";
import { busyHistory, startFakeConsole } from "../support/fake-console.js";
import { eventually } from "../support/node-client.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";

const files = written();

test("each file says what it is, under which licence, and imports only its neighbours and react", () => {
  assert.ok(files["client.js"]);
  for (const [name, text] of Object.entries(files).filter(([name]) => name.endsWith(".js"))) {
    assert.match(text, /^\/\*! bellwire \d+\.\d+\.\d+ \| Apache-2\.0 OR MIT \*\/\n/, name);
    for (const [, from] of text.matchAll(/(?<!")\b(?:from|import|import\()"([^"]+)"/g))
      assert.ok(from === "react" ? name === "react.js" : files[from.replace(/^\.\//, "")], `${name} imports ${from}`);
  }
});

test("members that are shortened in the console's file come from no answer", async () => {
  const wire = new Set(["sub", "scope", "exp"]);
  const collect = (value, isMembers) => {
    if (!value || typeof value !== "object") return;
    for (const [name, of] of Object.entries(value)) {
      if (isMembers && !Array.isArray(value)) wire.add(name);
      collect(of, isMembers || name === "example");
    }
  };
  const { components, paths } = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
  for (const { properties = {} } of Object.values(components.schemas)) for (const name of Object.keys(properties)) wire.add(name);
  collect(paths, false);
  const fake = await startFakeConsole();
  for (const said of [fake.hub, fake.fleet, fake.stats, fake.ready, busyHistory(0, 60)]) collect(said, true);
  await fake.stop();
  assert.ok(wire.has("notifications") && wire.has("heardMsAgo") && wire.has("perSecond"));
  assert.deepEqual(OWN_MEMBERS.filter((name) => wire.has(name)), []);
});

for (const transport of ["websocket", "sse"])
  test(`by ${transport} it receives, reconnects, marks and closes`, async () => {
    const hub = await startFakeHub();
    const client = new Bellwire({ hub: hub.url, functions: hub.url, user: "alice", shared: false, token: () => fakeToken(), WebSocket, transport });
    const list = new List(client);
    const got = [];
    try {
      client.addEventListener("notification", ({ detail }) => got.push(detail.title));
      hub.note();
      client.connect();
      await eventually("open", () => client.state === "open");
      hub.publish();
      await eventually("live", () => got.length === 1);
      hub.drop();
      hub.note();
      await eventually("resumed", () => got.length === 2);
      assert.equal(await client.markRead(3), 0);
      await eventually("listed", () => list.entries.length === 3 && list.entries.every((n) => n.readAt));
      hub.refuse = () => 400;
      await assert.rejects(client.remove("x"), (error) => error instanceof BellwireError && error.status === 400);
      client.close();
      await eventually("closed", () => client.state === "closed");
    } finally {
      client.close();
      list.stop();
      await hub.stop();
    }
  });
