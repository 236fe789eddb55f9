// The peer in the hub's benchmark: a good solution that a team can write in an afternoon. One
// process, `ws` and `ioredis`, `Map<userId, Set<socket>>`, tokens verified, presence, pings.
//
// Without resume, order, limits, queues per socket, and presence that survives a crash.
//
//   AUTH_HS256_KEY=… node server.js PORT REDIS_URL
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const Redis = require("ioredis");
const { WebSocketServer } = require("ws");

const PING_INTERVAL_MS = 25_000;
const LEEWAY_S = 60;
const PROTOCOL = "bellwire.raw";

const [port, redisUrl] = process.argv.slice(2);
const key = crypto.createSecretKey(Buffer.from(process.env.AUTH_HS256_KEY));
const redis = new Redis(redisUrl);
const subscriber = new Redis(redisUrl);
const socketsOf = new Map();

// The user of a valid token, else null.
function verify(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  const [head, claims, signature] = parts;
  try {
    if (JSON.parse(Buffer.from(head, "base64url")).alg !== "HS256") return null;
    const expected = crypto.createHmac("sha256", key).update(`${head}.${claims}`).digest();
    const given = Buffer.from(signature, "base64url");
    if (given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) return null;
    const { sub, exp } = JSON.parse(Buffer.from(claims, "base64url"));
    if (typeof sub !== "string" || !(exp + LEEWAY_S > Date.now() / 1000)) return null;
    return sub;
  } catch {
    return null;
  }
}

function tokenOf(request) {
  const authorization = request.headers.authorization;
  if (authorization?.startsWith("Bearer ")) return authorization.slice(7);
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",");
  const bearer = offered.map((name) => name.trim()).find((name) => name.startsWith("bearer."));
  return bearer === undefined ? "" : bearer.slice(7);
}

const server = http.createServer((_, response) => response.writeHead(404).end());
const gateway = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
});

server.on("upgrade", (request, connection, head) => {
  const user = request.url.startsWith("/ws/notifications") ? verify(tokenOf(request)) : null;
  if (user === null) {
    connection.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  gateway.handleUpgrade(request, connection, head, (socket) => join(socket, user));
});

function join(socket, user) {
  let sockets = socketsOf.get(user);
  if (sockets === undefined) socketsOf.set(user, (sockets = new Set()));
  sockets.add(socket);
  redis.sadd("online_users", user).catch(report);
  socket.isAlive = true;
  socket.on("pong", markAlive);
  socket.on("error", ignore);
  socket.on("close", () => {
    sockets.delete(socket);
    if (sockets.size > 0) return;
    socketsOf.delete(user);
    redis.srem("online_users", user).catch(report);
  });
}

function markAlive() {
  this.isAlive = true;
}

// The `close` event follows.
function ignore() {}

function report(error) {
  console.error(error.message);
}

setInterval(() => {
  for (const socket of gateway.clients) {
    if (!socket.isAlive) {
      socket.terminate();
      continue;
    }
    socket.isAlive = false;
    socket.ping();
  }
}, PING_INTERVAL_MS);

subscriber.on("message", (_, message) => {
  let notification;
  try {
    ({ notification } = JSON.parse(message));
  } catch {
    return;
  }
  const sockets = socketsOf.get(String(notification?.userId));
  if (sockets === undefined) return;
  const frame = JSON.stringify(notification);
  for (const socket of sockets) socket.send(frame);
});

subscriber.subscribe("notifications").then(() => {
  server.listen(Number(port), "127.0.0.1", 4096, () => console.log("listening"));
});
