// A TCP proxy that goes deaf: connections stay, bytes do not pass, in either direction, as behind a NAT
// that forgot them. New connections are deaf, too, until it hears again; those of the deaf time stay dead.
import { connect, createServer } from "node:net";

export async function startProxy(targetPort) {
  let deaf = false;
  let swallowed = 0;
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => {});
    client.once("close", () => sockets.delete(client));
    client.dead = deaf;
    if (deaf) return client.resume();
    const upstream = connect(targetPort, "127.0.0.1");
    upstream.on("error", () => client.destroy());
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.on("data", (data) => (client.dead ? swallowed++ : to.write(data)));
      from.once("close", () => client.dead || to.destroy());
    }
    client.once("close", () => upstream.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get open() {
      return sockets.size;
    },
    /** Pieces that came while the proxy was deaf, and went nowhere. */
    get swallowed() {
      return swallowed;
    },
    goDeaf() {
      deaf = true;
      for (const socket of sockets) socket.dead = true;
    },
    /** Resets every connection. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    hear() {
      deaf = false;
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(done));
    },
  };
}
