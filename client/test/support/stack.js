// Redis, the functions and a hub of their own for a test, started from the programs that cargo built.
// BELLWIRE_ROOT names another checkout whose target directory is used.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

export const ROOT = process.env.BELLWIRE_ROOT ?? new URL("../../..", import.meta.url).pathname;
const KEY = "a key of the browser tests, 32 bytes and more";
/** Functions that were never compiled take most of a minute, and longer beside others. */
const READY_MS = 180_000;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits for a condition; returns what it gave. */
export async function until(what, condition, limitMs = 15_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(20);
  }
}

/** Below those that systems give to connections, one of which could take a port before a program listens on it. */
const PORTS = { from: 20_000, count: 12_000 };
const taken = new Set();
export async function freePort() {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count);
    const server = createServer();
    const isFree = await new Promise((done) => server.once("error", () => done(false)).listen(port, "127.0.0.1", () => done(true)));
    if (isFree) await new Promise((done) => server.close(done));
    if (isFree && !taken.has(port) && taken.add(port)) return port;
  }
}

const base64url = (value) => Buffer.from(value).toString("base64url");
/** A token as an identity provider would sign it. */
export function token(sub, { scope = "", lastsS = 3600 } = {}) {
  const now = Date.now() / 1000;
  const claims = { sub, scope, iat: Math.floor(now), exp: Math.floor(now + lastsS), jti: Math.random() };
  const text = `${base64url('{"alg":"HS256"}')}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${createHmac("sha256", KEY).update(text).digest("base64url")}`;
}

/** A program that can be killed, stopped and started again. */
export class Program {
  constructor(name, command, args, env, port) {
    Object.assign(this, { name, command, args, env, port, output: "" });
  }

  async start(path = "/readyz") {
    const { command, args, env } = this;
    this.child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (data) => (this.output = (this.output + data).slice(-20_000));
    this.child.stdout.on("data", keep);
    this.child.stderr.on("data", keep);
    this.ended = new Promise((done) => this.child.once("exit", done).once("error", (error) => done((this.output += error))));
    if (path) await this.ready(path);
    return this;
  }

  ready(path = "/readyz") {
    const answers = async () => {
      if (this.child.exitCode !== null || !this.child.pid) throw new Error(`${this.name} ended:\n${this.output}`);
      const limit = AbortSignal.timeout(1_000);
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: limit }).catch(() => null);
      return answer?.ok;
    };
    return until(`${this.name} is ready: ${this.output}`, answers, READY_MS);
  }

  signal(name) {
    // A child that could not be started has the id 0: its signals would go to the test itself.
    if (this.child?.pid) this.child.kill(name);
  }

  /** Ends it and waits. */
  async end(name = "SIGKILL") {
    this.signal("SIGCONT");
    this.signal(name);
    await this.ended;
  }
}

/** One command to Redis, without a client library. */
export function redis(port, ...words) {
  return new Promise((done, fail) => {
    const child = spawn("redis-cli", ["-p", String(port), ...words]);
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.once("error", fail);
    child.once("exit", () => done(text.trim()));
  });
}

/** Whether this hub has the words `ping`, `auth` and `removed`, which older ones do not have. */
export async function hasWords(stack) {
  const protocols = ["bellwire.v1", `bearer.${token("probe")}`];
  const socket = new WebSocket(`${stack.hubUrl.replace("http", "ws")}/ws/notifications`, protocols);
  const welcome = await new Promise((done) => socket.once("message", (data) => done(JSON.parse(data))));
  socket.close();
  return "expiresInMs" in welcome;
}

/** Starts all of it. `origins`: of the pages that may call. `hub`: further flags. `demo`: the hub's demo page, too. `variables`: of the functions. */
export async function startStack({ origins = [], hub: flags = [], demo = false, variables = {} } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "bellwire-client-"));
  const file = (name, text) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const [redisPort, functionsPort, hubPort] = [await freePort(), await freePort(), await freePort()];
  const address = `127.0.0.1:${redisPort}`;
  if (demo) {
    origins = [...origins, `http://127.0.0.1:${hubPort}`];
    flags = [...flags, "--demo"];
  }
  const record = file("runtime.toml", `[sqlite_database.default]\ntype = "spin"\npath = "${dir}/record.db"\n`);

  const redisArgs = ["--port", redisPort, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes"];
  const redisServer = new Program("redis", "redis-server", redisArgs.map(String), {}, redisPort);
  const functions = new Program("functions", join(ROOT, "target/release/bellwire-host"), [
    "--from", join(ROOT, "spin.toml"), "--listen", `127.0.0.1:${functionsPort}`,
    "--runtime-config-file", record, "--state-dir", join(dir, "state"),
  ], {
    SPIN_VARIABLE_REDIS_URL: `redis://${address}`, SPIN_VARIABLE_REDIS_HOST: address,
    SPIN_VARIABLE_AUTH_HS256_KEY: KEY, SPIN_VARIABLE_CORS_ORIGINS: origins.join(","),
    ...variables,
  }, functionsPort);
  const hub = new Program("hub", join(ROOT, "target/release/bellwire-hub"), [
    "--listen", `127.0.0.1:${hubPort}`, "--auth-hs256-key-file", file("key", KEY),
    "--allowed-origins", origins.join(","), "--functions-url", `http://127.0.0.1:${functionsPort}`,
    "--relay-token-file", file("relay", token("hub", { scope: "ops:write", lastsS: 86400 })),
    "--connections-per-address-max=10000", "--connects-per-address-per-s=10000", ...flags,
  ], { REDIS_URL: `redis://${address}` }, hubPort);

  const redisReady = () => until("redis answers", async () => (await redis(redisPort, "PING")) === "PONG");
  const admin = token("admin", { scope: "notifications:write feed:read ops:write push:write tokens:read", lastsS: 86400 });
  const stack = {
    dir, redis: redisServer, functions, hub, redisPort, functionsPort, hubPort, redisReady,
    functionsUrl: `http://127.0.0.1:${functionsPort}`, hubUrl: `http://127.0.0.1:${hubPort}`,
    /** A call of the functions with every scope; tries again while they are away. */
    async call(method, path, body, tries = 40) {
      const headers = { authorization: `Bearer ${admin}`, "content-type": "application/json" };
      if (method === "POST") headers["idempotency-key"] = `k${Math.random()}`;
      for (;;) {
        const answer = await fetch(stack.functionsUrl + path, { method, headers, body: body && JSON.stringify(body) }).catch(() => null);
        if (answer?.ok) return answer.status === 204 ? null : answer.json();
        if (tries-- === 0) throw new Error(`${method} ${path}: ${answer?.status} ${await answer?.text()}`);
        await sleep(250);
      }
    },
    notify: (userId, title) => stack.call("POST", "/notifications", { userId, title }),
    feed: (user, limit = 100) => stack.call("GET", `/users/${user}/notifications?limit=${limit}`),
    async stop() {
      for (const program of [hub, functions, redisServer]) if (program.child) await program.end("SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    await redisServer.start(null);
    await redisReady();
    await functions.start("/healthz");
    await stack.call("POST", "/admin/migrate", undefined);
    await hub.start();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
