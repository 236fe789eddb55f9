// One connection to the hub, by WebSocket or by an event stream over fetch. Both speak frames of
// `bellwire.v1` upwards; what happens when a connection ends is decided elsewhere.
/** @import { Connection, End, Frame } from "#types" */
import { refusal } from "./errors.js";
import { parser } from "./sse.js";

const OPEN_LIMIT_MS = 10_000;

/** @returns {{ c: Connection, end: (end: End) => void }} */
function connection(/** @type {boolean} */ stream) {
  /** @type {any} */
  const c = { opened: 0, heard: Date.now(), pings: false, stream };
  const end = new Promise((done) => (c.stop = done));
  c.done = end;
  return { c, end: c.stop };
}

/** Takes note of a frame: the first is the welcome. @param {Connection} c @param {Frame} frame */
function heard(c, frame) {
  c.heard = Date.now();
  if (frame.type !== "welcome") return;
  c.opened = c.heard;
  // Hubs that do not say this close a socket that pings.
  c.pings = frame.expiresInMs !== undefined && !c.stream;
}

/**
 * @param {URL} url @param {string} token @param {any} Socket @param {(frame: Frame) => void} hear
 * @returns {Connection}
 */
export function openSocket(url, token, Socket, hear) {
  const { c, end } = connection(false);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new Socket(url.href, ["bellwire.v1", `bearer.${token}`]);
  /** @type {number | undefined} */
  let retryInMs;
  const finish = (/** @type {End} */ how) => {
    clearTimeout(limit);
    socket.onmessage = socket.onclose = null;
    // A dead peer never answers a close: nothing waits for it.
    socket.close();
    end({ retryInMs, ...how });
  };
  const limit = setTimeout(() => finish({ code: 1006, reason: "no welcome" }), OPEN_LIMIT_MS);
  socket.onerror = () => {};
  socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => finish({ code, reason });
  socket.onmessage = (/** @type {MessageEvent} */ { data }) => {
    const frame = JSON.parse(data);
    heard(c, frame);
    if (c.opened) clearTimeout(limit);
    if (frame.type === "reconnect") retryInMs = frame.afterMs;
    else hear(frame);
  };
  c.send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame));
  c.stop = (reason, now) => finish({ code: 1006, reason, now });
  return c;
}

/**
 * @param {URL} url @param {string} token @param {typeof fetch | undefined} use @param {(frame: Frame) => void} hear
 * @returns {Connection}
 */
export function openStream(url, token, use, hear) {
  const { c, end } = connection(true);
  const abort = new AbortController();
  /** @type {number | undefined} */
  let retryInMs;
  const finish = (/** @type {End} */ how) => {
    clearTimeout(limit);
    abort.abort();
    end({ retryInMs, ...how });
  };
  const limit = setTimeout(() => finish({ code: 1006, reason: "no welcome" }), OPEN_LIMIT_MS);
  const read = parser(({ type, data, id, retry }) => {
    if (abort.signal.aborted) return;
    retryInMs = retry ?? retryInMs;
    const [, epoch = null, seq = 0] = /^(.*):(\d+)$/.exec(id) ?? [];
    const frames = [];
    if (!c.opened) frames.push({ type: "welcome", epoch, seq: Number(seq) });
    if (data !== undefined) {
      const value = JSON.parse(data);
      frames.push(type === "notification" ? { type, notification: value, epoch } : { ...value, type });
    }
    for (const frame of frames) {
      heard(c, frame);
      hear(frame);
    }
    clearTimeout(limit);
  });
  const run = async () => {
    const headers = { accept: "text/event-stream", authorization: `Bearer ${token}` };
    const answer = await (use ?? fetch)(url, { headers, cache: "no-store", signal: abort.signal });
    if (!answer.ok || !answer.body) throw await refusal(answer);
    const text = new TextDecoder("utf-8", { ignoreBOM: true });
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return finish({ code: 1006, reason: "the stream ended" });
      c.heard = Date.now();
      read(text.decode(value, { stream: true }));
    }
  };
  run().catch((error) => finish(refused(error)));
  c.send = () => {};
  c.stop = (reason, now) => finish({ code: 1006, reason, now });
  return c;
}

/** How a refusal over HTTP reads as the end of a connection. @param {any} error @returns {End} */
export function refused({ code: reason = "network", status, retryInMs }) {
  const code = status === 401 ? 4401 : status === 403 ? 4403 : status === 400 || status === 410 ? 4410 : 1006;
  // Retry-After is the same for everyone who is refused.
  return { code, reason, retryInMs: retryInMs && retryInMs * (1 + Math.random()) };
}
