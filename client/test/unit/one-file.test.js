// The client as one module behaves as its sources do, and the sources keep to the rules that make it possible.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "node:test";
import { files, oneFile, source } from "../../scripts/one-file.js";
import { WebSocket } from "ws";
import { eventually } from "../support/node-client.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";

test("names of the top level are unique, imports one line each and without other names", () => {
  const seen = new Map();
  for (const file of files("client.js")) {
    for (const [, name] of source(file).matchAll(/^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)/gm)) {
      assert.ok(!seen.has(name), `${name} in ${file} and ${seen.get(name)}`);
      seen.set(name, file);
    }
    for (const [line] of source(file).matchAll(/^import.*$/gm)) assert.match(line, /^import \{ [\w, ]+ \} from "\.\/\w+\.js";$/);
    const bare = source(file).replace(/^ *(\/\/|\/?\*).*\n/gm, "");
    assert.doesNotMatch(source(file), /^ *\/\*.*\*\/ *\S/m, `code behind a comment in ${file}`);
    for (const line of bare.split("\n")) assert.equal((line.match(/`/g)?.length ?? 0) % 2, 0, "text over several lines would lose its indentation");
  }
});

test("the one module receives, reconnects and closes", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bellwire-one-"));
  const hub = await startFakeHub();
  try {
    const path = join(directory, "client.mjs");
    writeFileSync(path, oneFile("client.js"));
    const { Bellwire, BellwireError } = await import(pathToFileURL(path).href);
    assert.equal(typeof BellwireError, "function");
    const client = new Bellwire({ hub: hub.url, functions: hub.url, user: "alice", shared: false, token: () => fakeToken(), WebSocket });
    const got = [];
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
    client.close();
    await eventually("closed", () => client.state === "closed");
  } finally {
    await hub.stop();
    rmSync(directory, { recursive: true });
  }
});
