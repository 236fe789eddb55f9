// When nothing is on its way between clients and a fake hub: for tests in virtual time, in which an answer must not
// be late because the machine is busy.
import { WebSocket } from "ws";
import { eventually, turns } from "./node-client.js";

/** What one side sends for what it has received takes two rounds, and one more for what that leads to. */
const ROUNDS = 3;

/** `options` for the clients, and `quiet()`. */
export function watchNetwork(hub) {
  let opening = 0;
  const sockets = new Set();

  class Watched extends WebSocket {
    constructor(...args) {
      super(...args);
      opening++;
      const settled = new Promise((done) => ["open", "error", "close"].forEach((type) => this.once(type, done)));
      settled.then(() => opening--);
      sockets.add(this);
      this.once("close", () => sockets.delete(this));
    }
  }

  /** An answer is there when its body is; a stream, when its first piece is. */
  async function watchedFetch(url, init) {
    opening++;
    try {
      const answer = await fetch(url, init);
      if (!answer.body) return answer;
      const { status, headers } = answer;
      if (!headers.get("content-type")?.startsWith("text/event-stream")) return new Response(await answer.arrayBuffer(), { status, headers });
      const [first, all] = answer.body.tee();
      const reader = first.getReader();
      await reader.read();
      reader.cancel().catch(() => {});
      return new Response(all, { status, headers });
    } finally {
      opening--;
    }
  }

  /** A ping comes behind all that the hub has sent, its pong behind all that the client has. */
  const roundTrip = (socket) =>
    new Promise((done) => {
      const end = () => {
        socket.off("pong", end).off("close", end);
        done();
      };
      socket.on("pong", end).on("close", end);
      socket.ping();
    });

  return {
    options: { WebSocket: Watched, fetch: watchedFetch },
    async quiet() {
      for (let n = 0; n < ROUNDS; n++) {
        await turns(5);
        await eventually("sockets are open and requests answered", () => opening === 0);
        await Promise.all([...hub.sockets].filter(({ readyState }) => readyState === WebSocket.OPEN).map(roundTrip));
      }
      await turns(5);
    },
    /** At the end: what a late close would clear are timers of the next test, of which Node tells them apart by place. */
    closed: () => eventually("every socket is closed", () => sockets.size === 0),
  };
}
