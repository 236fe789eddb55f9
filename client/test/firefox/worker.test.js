// Push through every part that is ours: a notification created over HTTP, the functions, the push worker, and Firefox,
// which subscribed by a click on the bell. Only the push service is the test's own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launchFirefox } from "../support/firefox.js";
import { accept, eventually, pushPrefs, shown, state, visit } from "../support/push-page.js";
import { startPushService } from "../support/push-service.js";
import { startSite } from "../support/site.js";
import { Program, ROOT, freePort, startStack, token, until } from "../support/stack.js";

const PROGRAM = join(ROOT, "target/release/bellwire-push");

let dir, site, service, stack, worker, firefox;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), "bellwire-push-"));
  const file = (name, text) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const key = join(dir, "vapid.pem");
  const publicKey = execFileSync(PROGRAM, ["vapid-key", key], { encoding: "utf8" }).trim().split("\n").at(-1);
  site = await startSite();
  service = await startPushService();
  stack = await startStack({ origins: [site.origin], variables: { SPIN_VARIABLE_VAPID_PUBLIC_KEY: publicKey } });
  const port = await freePort();
  worker = new Program("worker", PROGRAM, [
    "--development", "--functions-url", stack.functionsUrl, "--redis-url", `redis://127.0.0.1:${stack.redisPort}`,
    "--functions-token-file", file("token", token("push", { scope: "push:send notifications:write", lastsS: 86_400 })),
    "--vapid-key", key, "--vapid-subject", "mailto:ops@example.com", "--metrics-listen", `127.0.0.1:${port}`,
    // The push service's certificate is the only one that it knows.
  ], { SSL_CERT_FILE: file("cert.pem", service.cert) }, port);
  firefox = await launchFirefox(pushPrefs(service));
});
after(async () => {
  await firefox?.stop();
  if (worker?.child) await worker.end();
  await stack?.stop();
  service?.stop();
  site?.stop();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

const open = (user) => visit(firefox, site, { hub: stack.hubUrl, functions: stack.functionsUrl, user });
const notify = (title, more) => stack.call("POST", "/notifications", { userId: "alice", title, push: { when: "always" }, ...more });
const devices = async (user) => (await stack.call("GET", `/users/${user}/devices`)).items.map(({ kind }) => kind);

test("a click, a create, a push in Firefox; what waited for the worker comes; a dead device is pruned", { timeout: 240_000 }, async () => {
  const page = await open("alice");
  assert.equal(await state(page), "default", "the functions have the worker's key");
  await accept(page);
  assert.deepEqual(await devices("alice"), ["webpush"]);
  // Nobody sends yet: the job is in the record.
  const first = await notify("before the worker", { body: "grüße", kind: "report", data: { link: "/reports/7", n: [] } });
  await worker.start();
  await eventually(page, "the first is shown", (all) => all.length === 1);
  const [{ tag, ...rest }] = await shown(page);
  assert.match(tag, /^[\w-]{32}$/);
  assert.deepEqual(rest, { title: "before the worker", body: "grüße", dir: "auto", id: first.id, kind: "report", link: `${site.origin}/reports/7`, data: { link: "/reports/7", n: [] } });
  await notify("a score", { push: { when: "always", collapse: "score" } });
  await eventually(page, "two", (all) => all.length === 2);
  await notify("a later score", { push: { when: "always", collapse: "score" } });
  await eventually(page, "it replaces the earlier one", (all) => all.length === 2 && all.some(({ title }) => title === "a later score"));
  await notify("never", { push: { when: "never" } });
  const { results } = await stack.call("POST", "/push/test", { userId: "alice" });
  assert.deepEqual(results.map(({ kind, result }) => [kind, result]), [["webpush", "sent"]]);
  await eventually(page, "the test push", (all) => all.length === 3);
  assert.ok(!(await shown(page)).some(({ title }) => title === "never"));
  // Another user in this profile: the subscription ends. The push service says so, and the worker prunes the device.
  const bobs = await open("bob");
  await until("the subscription has ended", async () => (await state(bobs)) === "default");
  assert.deepEqual(await devices("alice"), ["webpush"]);
  await notify("to nobody");
  await until("pruned", async () => (await devices("alice")).length === 0);
  assert.equal((await shown(bobs)).some(({ title }) => title === "to nobody"), false);
});
