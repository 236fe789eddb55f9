// A hub and its functions in a few lines, for what the real ones cannot be made to do on demand: every word
// of the protocol, refusals, silence. Keeps one user's feed, and says what it was asked.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

/** Until which a hub takes a token that has ended. */
const LEEWAY_MS = 60_000;
const UUID = "0190a000-0000-7000-8000-";

export async function startFakeHub({ epoch = "e1", pings = true, lastsMs = 3_600_000 } = {}) {
  const sockets = new Set(), streams = new Set(), tokens = [], frames = [], requests = [];
  /** `isLoaded`: the functions have read the feed, empty or not, so that it has a position. */
  let seq = 0, feed = [], isLoaded = false;
  const hub = {
    epoch, pings, lastsMs, sockets, streams, tokens, frames, requests,
    /** More routes: `(method, path, body, bearer) => [status, value] | undefined`. */
    more: (_method, _path, _body, _bearer) => undefined,
    /** Instead of an upgrade, a stream or an answer: `(request) => status | undefined`. */
    refuse: () => undefined, retryAfter: undefined, silent: false, authAnswers: true,
    get feed() {
      return feed;
    },
    get seq() {
      return seq;
    },
    set seq(value) {
      seq = value;
    },
    unread: () => Math.min(100, feed.slice(0, 100).filter((n) => !n.readAt && n.seq).length),
    note(more = {}) {
      const n = { id: UUID + String(++seq).padStart(12, "0"), userId: "alice", seq, title: `t${seq}`, createdAt: "2026-01-01T00:00:00Z", ...more };
      feed.unshift(n);
      return n;
    },
    publish(more) {
      const notification = hub.note(more);
      hub.say({ type: "notification", notification });
      return notification;
    },
    say(frame) {
      for (const socket of sockets) socket.send(JSON.stringify(frame));
      for (const stream of streams) stream.write(event(frame));
    },
    close(code, reason) {
      for (const socket of sockets) socket.close(code, reason);
      for (const stream of streams) stream.end();
    },
    drop() {
      for (const socket of sockets) socket.terminate();
      for (const stream of streams) stream.destroy();
    },
    replaceRecord(name) {
      [hub.epoch, seq, feed] = [name, 0, []];
    },
    url: "", wanted: true,
    stop() {
      hub.drop();
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
  const position = () => (feed.length || seq || isLoaded ? { epoch: hub.epoch, seq } : { epoch: null, seq: 0 });
  const event = (frame) => {
    if (frame.type !== "notification") return `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`;
    const n = frame.notification;
    return `event: notification\ndata: ${JSON.stringify(n)}\n${n.seq ? `id: ${hub.epoch}:${n.seq}\n` : ""}\n`;
  };
  const missed = (query) => {
    const since = query.get("since");
    if (!since) return [];
    if (since.startsWith("seq:") && query.get("epoch") !== hub.epoch) return [{ type: "gap", reason: "epoch", ...position() }];
    const at = since.startsWith("seq:") ? feed.findIndex((n) => n.seq <= Number(since.slice(4))) : feed.findIndex((n) => n.id === since.slice(3));
    const newer = feed.slice(0, at < 0 ? feed.length : at).reverse();
    return newer.map((notification) => ({ type: "notification", notification }));
  };
  const unread = () => (position().epoch ? hub.unread() : null);
  const welcome = () => ({ type: "welcome", ...position(), ...(hub.pings && { unread: unread(), expiresInMs: hub.lastsMs + LEEWAY_MS }) });

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://hub");
    let body = "";
    try {
      for await (const piece of request) body += piece;
    } catch {
      return response.destroy();
    }
    const bearer = request.headers.authorization?.slice(7);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "authorization");
    response.setHeader("access-control-allow-methods", "PUT, DELETE");
    if (request.method === "OPTIONS") return response.writeHead(204).end();
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const answer = (status, value, headers) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(value && JSON.stringify(value));
    };
    const status = hub.refuse(request, url, bearer);
    if (status) return answer(status, { code: `c${status}`, title: "refused", status }, hub.retryAfter && { "retry-after": hub.retryAfter });
    tokens.push(bearer);
    const known = hub.more(request.method, url.pathname, body, bearer);
    if (known) return answer(...known);
    if (url.pathname === "/ws/ticket") return answer(201, { ticket: "x", expiresIn: 30 });
    if (url.pathname === "/sse/notifications") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const { epoch, seq } = position();
      response.write(epoch ? `id: ${epoch}:${seq}\n\n` : ":\n\n");
      for (const frame of missed(url.searchParams)) response.write(event(frame));
      streams.add(response);
      return response.once("close", () => streams.delete(response));
    }
    if (url.pathname.endsWith("/notifications/read")) {
      const { upTo, ids } = JSON.parse(body);
      for (const n of feed) if (upTo !== undefined ? n.seq <= upTo : ids.includes(n.id)) n.readAt ??= "2026-01-01T00:00:01Z";
      const unread = hub.unread();
      hub.say({ type: "read", upTo, ids, unread });
      return answer(200, { unread });
    }
    const id = /\/notifications\/(.+)$/.exec(url.pathname)?.[1];
    if (id && request.method === "DELETE") {
      feed = feed.filter((n) => n.id !== id);
      if (hub.pings) hub.say({ type: "removed", ids: [id], unread: hub.unread() });
      return answer(204);
    }
    isLoaded = true;
    const limit = Number(url.searchParams.get("limit") ?? 20);
    const from = feed.findIndex((n) => n.id === url.searchParams.get("before")) + 1;
    const notifications = feed.slice(from, from + limit);
    answer(200, { notifications, unread: hub.unread(), next: from + limit < feed.length ? notifications.at(-1).id : null });
  });

  const upgrader = new WebSocketServer({ noServer: true, handleProtocols: () => "bellwire.v1" });
  server.on("upgrade", (request, socket, head) => {
    // A client that goes away in the middle resets the connection, which is no error of the hub's.
    socket.on("error", () => socket.destroy());
    const url = new URL(request.url, "http://hub");
    const bearer = /bearer\.([^,\s]+)/.exec(request.headers["sec-websocket-protocol"])?.[1];
    requests.push(`WS ${url.pathname}${url.search}`);
    const status = hub.refuse(request, url, bearer);
    if (status) return socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
    tokens.push(bearer);
    upgrader.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => ws.terminate());
      if (hub.silent) return;
      sockets.add(ws);
      ws.once("close", () => sockets.delete(ws));
      ws.send(JSON.stringify(welcome()));
      for (const frame of missed(url.searchParams)) ws.send(JSON.stringify(frame));
      ws.on("message", (data) => {
        const frame = JSON.parse(data);
        frames.push(frame);
        if (hub.silent) return;
        if (frame.type === "auth") return hub.authAnswers && hub.pings && ws.send(JSON.stringify({ type: "auth", expiresInMs: hub.lastsMs + LEEWAY_MS }));
        if (frame.type === "ping" && hub.pings) return ws.send(JSON.stringify({ type: "pong", ...position(), unread: unread() }));
        ws.close(4400, "protocol violation");
      });
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  hub.url = `http://127.0.0.1:${server.address().port}`;
  return hub;
}

/** A token without a signature: the fake hub looks at none. */
export function fakeToken(sub = "alice", lastsS = 3600) {
  const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${text({ alg: "none" })}.${text({ sub, exp: Date.now() / 1000 + lastsS, jti: Math.random() })}.x`;
}
