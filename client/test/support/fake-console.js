// The hub's side of the console and the functions that it calls, in one server, for what the real ones cannot be made
// to show on demand: silence, 15 minutes of history, refusals, hostile strings. Speaks docs/console.md's interface.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fakeToken } from "./fake-hub.js";

const CLIENT = new URL("../../", import.meta.url).pathname;
export const BOUNDS = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
export const ALL_SCOPES = "ops:read feed:read queues:write campaigns:write push:write notifications:write cache:write";

/** Claims of a token, which nobody checks here. */
export function consoleToken(scope = ALL_SCOPES, { sub = "operator", lastsS = 3600 } = {}) {
  const claims = JSON.parse(Buffer.from(fakeToken(sub, lastsS).split(".")[1], "base64url"));
  return `e30.${Buffer.from(JSON.stringify({ ...claims, scope })).toString("base64url")}.x`;
}
/** The value of a name that may be any text, such as `constructor`. */
const own = (values, name) => (Object.hasOwn(values, name) ? values[name] : undefined);
const scopesOf = (bearer) => {
  try {
    return JSON.parse(Buffer.from(bearer.split(".")[1], "base64url")).scope.split(" ");
  } catch {
    return null;
  }
};

export const quiet = (at) => ({
  at, sockets: { v1: 0, raw: 0, sse: 0 }, users: 0, received: 0, delivered: 0, latency: new Array(BOUNDS.length + 1).fill(0),
  closes: {}, refusals: {}, resumes: {}, gaps: 0, undelivered: {}, invalidEvents: 0, queuedBytes: 0,
  redis: { subscription: true, commands: true, heardMsAgo: 200 }, presenceFailures: 0, relay: {}, cpuMs: 4, rssBytes: 48 << 20,
});

/** A dice that falls the same on every run. */
function dice(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A busy hub: a day's swing in traffic, a slow stretch with slow clients, a herd after a restart of a neighbour. */
export function busyHistory(end, seconds = 900, seed = 7) {
  const roll = dice(seed);
  return Array.from({ length: seconds }, (_, n) => {
    const at = end - (seconds - 1 - n) * 1000;
    const one = quiet(at);
    const slow = n > 400 && n < 470, herd = n > 655 && n < 690;
    const swing = 1 + 0.35 * Math.sin(n / 95) + 0.12 * Math.sin(n / 11);
    one.received = Math.round(620 * swing + roll() * 90);
    one.delivered = Math.round(one.received * (1.46 + roll() * 0.05));
    const centre = slow ? 7.6 + roll() : herd ? 5.6 + roll() * 0.4 : 3.4 + 0.4 * Math.sin(n / 60);
    for (let k = 0; k < 160; k++) {
      const spread = (roll() + roll() + roll() - 1.5) * (slow ? 3.4 : 2.1);
      const late = roll() < 0.02 ? 2.4 : 0;
      const bucket = Math.max(0, Math.min(BOUNDS.length, Math.round(centre + spread + late)));
      one.latency[bucket] += Math.round(one.delivered / 160);
    }
    const grown = 11_800 + Math.round(900 * Math.sin(n / 240)) + (n > 690 ? 780 : herd ? (n - 655) * 22 : 0);
    one.sockets = { v1: grown, raw: 1_640 + Math.round(60 * Math.sin(n / 70)), sse: 702 + Math.round(roll() * 12) };
    one.users = Math.round(grown * 0.79);
    const count = (names, name, p) => {
      if (roll() < p) names[name] = (names[name] ?? 0) + 1 + Math.floor(roll() * 3);
    };
    for (const [name, p] of [["none", 0.5], ["other", 0.35], ["4401", 0.2]]) count(one.closes, name, p);
    if (slow) count(one.closes, "4408", 0.6);
    count(one.closes, "4400", 0.01);
    if (herd) one.refusals["not_ready/handshake_rate"] = 40 + Math.floor(roll() * 160);
    count(one.refusals, "unauthorized/token_expired", 0.05);
    count(one.refusals, "forbidden/origin", 0.045);
    count(one.resumes, "replayed", herd ? 1 : 0.3);
    count(one.resumes, "nothing", 0.3);
    if (herd) count(one.resumes, "gap", 0.2);
    one.gaps = one.resumes.gap ?? 0;
    one.undelivered = { not_here: Math.round(one.received * 0.31) };
    one.queuedBytes = slow ? Math.round((n - 400) * 1.9e6 * (0.8 + roll() * 0.3)) : Math.round(roll() * 60_000);
    one.redis.heardMsAgo = Math.round(roll() * 900);
    one.cpuMs = Math.round(150 * swing + roll() * 30);
    one.rssBytes = 212 << 20;
    if (n % 30 === 0) one.relay = { ok: 1 };
    return one;
  });
}

/** `dist`: serves the minified files of client/dist instead of the sources. */
export async function startFakeConsole({ dist = false, seconds = 1 } = {}) {
  const streams = new Set(), requests = [], created = [], tokens = new Set();
  const fake = {
    requests, created, streams, tokens, url: "", page: "",
    /** What the hub says of itself, and its last seconds. */
    hub: { hub: "hub-7f3a", version: "0.1.0", startedAt: new Date(Date.now() - 273_840_000).toISOString(), functions: null, latencyBoundsUs: BOUNDS, limits: { sockets: 30_000, socketsPerUser: 20, queuedBytes: 256 << 20 }, keptSeconds: 900 },
    snapshots: [quiet(Date.now())], next: (at) => ({ ...quiet(at) }), silent: false,
    fleet: { hubs: [{ id: "hub-7f3a", self: true }], onlineUsers: 0 },
    users: {}, feeds: {}, queues: {}, namesPerPage: 4, dead: {}, campaigns: {}, pushes: {}, cache: [], ready: { auth: "ok", record: "ok", redis: "ok", status: "ok" },
    stats: { connectedClients: 12, evictedKeys: 0, hitRate: 91, keyspaceHits: 91_000, keyspaceMisses: 9_000, maxMemory: 1 << 30, totalKeys: 84_211, uptimeSeconds: 3_600, usedMemory: 310 << 20 },
    /** `(request, url) => problem | undefined`, with a `status`. */
    refuse: () => undefined,
    say(snapshot) {
      fake.snapshots.push(snapshot);
      fake.snapshots = fake.snapshots.slice(-900);
      if (!fake.silent) for (const stream of streams) stream.write(event("snapshot", snapshot));
    },
    end(reason) {
      for (const stream of streams) stream.end(event("end", { reason }));
    },
    drop() {
      for (const stream of streams) stream.destroy();
    },
    stop() {
      clearInterval(timer);
      fake.drop();
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
  const event = (type, value) => `event: ${type}\ndata: ${JSON.stringify(value)}\n\n`;
  const timer = setInterval(() => fake.say(fake.next(Date.now())), seconds * 1000);

  const NEEDS = [
    [/^\/console\//, "ops:read"], [/^\/(stats|cache)$/, "ops:read"], [/^\/queues\/.+\/redrive$/, "queues:write"], [/^\/queues/, "queues:read"],
    [/^\/campaigns\/[^/]+\/push$/, "push:read"], [/^\/campaigns\/[^/]+\/push\//, "push:write"], [/^\/campaigns\//, "campaigns:read"], [/^\/notifications$/, "notifications:write"], [/\/notifications\/read$/, "notifications:write"],
    [/^\/users\/[^/]+\/notifications$/, "feed:read"], [/^\/cache\/invalidate$/, "cache:write"],
  ];
  const lacks = (path, bearer) => {
    const scope = NEEDS.find(([of]) => of.test(path))?.[1];
    if (!scope) return null;
    const scopes = bearer && scopesOf(bearer);
    if (!scopes) return { status: 401, code: "unauthorized", title: "Authentication required", detail: bearer ? "the token is not a JWT" : "the token is missing" };
    const enough = scopes.includes(scope) || scopes.includes(scope.replace(":read", ":write"));
    return enough ? null : { status: 403, code: "forbidden", title: "Not allowed", detail: `the token lacks the scope ${scope}` };
  };

  function live(response) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(event("hub", { ...fake.hub, functions: fake.hub.functions ?? fake.url }));
    for (let n = 0; n < fake.snapshots.length; n += 100) response.write(event("history", { snapshots: fake.snapshots.slice(n, n + 100) }));
    if (!fake.silent) response.write(event("snapshot", fake.snapshots.at(-1)));
    streams.add(response);
    response.once("close", () => streams.delete(response));
  }

  /** As the functions: `pause` of what is done, or of nothing, is a 404. */
  function pushed(method, push, action) {
    const missing = [404, { status: 404, code: "not_found", detail: "no such push" }];
    if (!push) return missing;
    if (method === "GET") return [200, push];
    if (action === "redrive") {
      const redriven = push.state === "cancelled" ? null : Math.min(push.failed, push.dead ?? push.failed);
      if (redriven === null) return missing;
      Object.assign(push, { failed: push.failed - redriven, retrying: push.retrying + redriven, remaining: push.remaining + redriven });
      return [200, { redriven }];
    }
    if (push.state === "done" || (push.state === "cancelled" && action !== "cancel")) return missing;
    push.state = { pause: "paused", resume: "running", cancel: "cancelled" }[action];
    delete push.reason;
    if (push.state === "running") push.etaSeconds = 120;
    else delete push.etaSeconds;
    return [204, ""];
  }

  /** `[status, value]`, or undefined for what is not here. */
  function answer(method, path, query, body) {
    const parts = path.split("/").map(decodeURIComponent);
    const [, first, second, third] = parts;
    if (first === "readyz") return [fake.ready.code ? 503 : 200, fake.ready];
    if (first === "openapi.json") return [200, { info: { version: "0.1.0" } }];
    if (path === "/console/fleet") return [200, fake.fleet];
    if (first === "console" && second === "users") return [200, { userId: third, sockets: [], online: false, epoch: null, seq: null, ...own(fake.users, third) }];
    if (first === "stats") {
      const names = query.get("queues")?.split(",").map(decodeURIComponent) ?? [];
      return [200, { ...fake.stats, queues: Object.fromEntries(names.map((name) => [name, own(fake.queues, name) ?? { ready: 0, delayed: 0, inFlight: 0, dead: 0, oldestAgeSeconds: null }])) }];
    }
    if (path === "/queues") {
      const names = Object.keys(fake.queues), from = Number(query.get("cursor") ?? 0);
      return [200, { items: names.slice(from, from + fake.namesPerPage), next: from + fake.namesPerPage < names.length ? String(from + fake.namesPerPage) : null }];
    }
    if (first === "queues" && third === "dead") return [200, { items: own(fake.dead, second) ?? [], next: null }];
    if (first === "queues" && third === "redrive") {
      const all = own(fake.dead, second) ?? [];
      const back = all.filter((letter) => !body.ids || body.ids.includes(letter.id)).slice(0, body.max ?? 500);
      fake.dead[second] = all.filter((letter) => !back.includes(letter));
      fake.queues[second].dead -= back.length;
      fake.queues[second].ready += back.length;
      return [200, { redriven: back.length }];
    }
    if (first === "campaigns" && third === "push") return pushed(method, own(fake.pushes, second), parts[4]);
    if (first === "campaigns") return own(fake.campaigns, second) ? [200, fake.campaigns[second]] : [404, { status: 404, code: "not_found", detail: "no such campaign" }];
    if (path === "/cache") return [200, { items: fake.cache, since: "2026-11-29T00:00:00Z" }];
    if (path === "/cache/invalidate") return [200, { invalidated: body.tags.length }];
    if (path === "/notifications") {
      const feed = (fake.feeds[body.userId] ??= { unread: 0, notifications: [], next: null });
      const seq = (feed.notifications[0]?.seq ?? 0) + 1;
      const notification = { ...body, id: `n${seq}`, seq, delivery: "sent", createdAt: new Date().toISOString() };
      feed.notifications.unshift(notification);
      feed.unread++;
      created.push(body);
      return [201, notification];
    }
    if (path.endsWith("/notifications/read")) {
      const feed = fake.feeds[second];
      for (const entry of feed.notifications) if (entry.seq <= body.upTo) entry.readAt ??= new Date().toISOString();
      feed.unread = 0;
      return [200, { unread: 0 }];
    }
    if (first === "users" && third === "notifications") return [200, own(fake.feeds, second) ?? { unread: 0, notifications: [], next: null }];
    return undefined;
  }

  const TYPES = { html: "text/html", js: "text/javascript", css: "text/css" };
  function file(response, name) {
    const extension = name.split(".").at(-1);
    // In dist/, a part of the page has the page's name before its own.
    const sources = [`console/${name}`, `console/${name.replace(/^console-/, "")}`, name];
    const path = (dist ? [`dist/${name}`] : sources).map((source) => CLIENT + source).find(existsSync);
    if (!path) return response.writeHead(404).end();
    let text = readFileSync(path, "utf8");
    if (extension === "html") text = text.replaceAll('"./', '"./console/assets/');
    response.writeHead(200, { "content-type": `${TYPES[extension]}; charset=utf-8`, "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
    response.end(text);
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://hub");
    const path = url.pathname;
    let body = "";
    try {
      for await (const piece of request) body += piece;
    } catch {
      return response.destroy();
    }
    const page = /^\/console(?:\/?|\/(?:assets\/)?([\w-]+\.(?:js|css|html)))$/.exec(path);
    if (page && request.method === "GET") return file(response, page[1] ?? "console.html");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "authorization, content-type, idempotency-key");
    response.setHeader("access-control-expose-headers", "retry-after");
    if (request.method === "OPTIONS") return response.writeHead(204).end();
    requests.push({ method: request.method, path: path + url.search, body: body && JSON.parse(body), key: request.headers["idempotency-key"] });
    const bearer = request.headers.authorization?.slice(7);
    tokens.add(bearer);
    const problem = fake.refuse(request, url) ?? lacks(path, bearer);
    if (request.socket.destroyed) return;
    const [status, value] = problem ? [problem.status, problem] : path === "/console/live" ? [200, null] : answer(request.method, path, url.searchParams, body && JSON.parse(body)) ?? [404, { status: 404, code: "not_found", title: "Not found" }];
    if (value === null) return live(response);
    response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json", ...(value.retryAfter && { "retry-after": value.retryAfter }) });
    response.end(JSON.stringify(value));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  fake.url = `http://127.0.0.1:${server.address().port}`;
  fake.page = `${fake.url}/console`;
  return fake;
}
