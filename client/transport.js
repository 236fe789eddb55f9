// A connection to the hub, whichever its transport: frames of `bellwire.v1` come up, and it ends once. What
// happens then is decided elsewhere. By WebSocket here; by an event stream in sse.js.
/** @import { Connection, End, Frame } from "#types" */

const OPEN_LIMIT_MS = 10_000;

/** One that a transport has still to open. @param {boolean} stream @param {(frame: Frame) => void} hear */
export function connection(stream, hear) {
  /** @type {number | undefined} */
  let retryInMs;
  /** @type {(end: End) => void} */
  let finish;
  /** @type {Connection} */
  const c = {
    stream,
    heard: Date.now(),
    done: new Promise((done) => (finish = done)),
    hear(frame) {
      c.heard = Date.now();
      if (frame.type === "welcome") {
        clearTimeout(limit);
        c.opened = c.heard;
        // Hubs that do not say this close a socket that pings.
        c.pings = !stream && frame.expiresInMs !== undefined;
      }
      if (frame.type === "reconnect") retryInMs = frame.afterMs;
      else hear(frame);
    },
    end(how) {
      clearTimeout(limit);
      c.hear = () => {};
      // A dead peer never answers a close: nothing waits for it.
      c.close?.();
      finish({ retryInMs, opened: c.opened, ...how });
    },
    stop: (reason, now) => c.end({ code: 1006, reason, now }),
  };
  const limit = setTimeout(c.stop, OPEN_LIMIT_MS, "no welcome");
  return c;
}

/** @param {Connection} c @param {URL} url @param {string} token @param {any} Socket */
export function openSocket(c, url, token, Socket) {
  const socket = new Socket(url.href.replace("http", "ws"), ["bellwire.v1", `bearer.${token}`]);
  c.close = () => socket.close();
  c.send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame));
  socket.onerror = () => {};
  socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => c.end({ code, reason });
  socket.onmessage = (/** @type {MessageEvent} */ { data }) => c.hear(JSON.parse(data));
}
