// A push service for a test: Firefox's own protocol on one side, RFC 8030 over HTTPS on the other, and a sender of
// what a push worker sends (RFC 8291, RFC 8292).
import { createCipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, randomUUID, sign, verify } from "node:crypto";
import { connect, createSecureServer } from "node:http2";
import { WebSocketServer } from "ws";
import { certificate } from "./certificate.js";

/** Answers as a push service does: 201, 400, 401, 403 for another VAPID key, 404, 410. */
export async function startPushService() {
  const { key, cert } = certificate();
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const front = createSecureServer({ key, cert, allowHTTP1: true }, async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    response.writeHead(request.method === "POST" ? deliver(request.url.slice(1), request.headers, Buffer.concat(pieces)) : 405).end();
  });
  await Promise.all([new Promise((done) => server.once("listening", done)), new Promise((done) => front.listen(0, "127.0.0.1", done))]);
  const origin = `https://localhost:${front.address().port}`;
  /** Channel → who listens, and the key that it is bound to. */
  const channels = new Map();
  const gone = new Set(), acks = [];
  server.on("connection", (socket) => {
    const say = (message) => socket.send(JSON.stringify(message));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => {
      const { messageType, channelID, key, uaid, updates } = JSON.parse(data);
      if (messageType === undefined) say({});
      if (messageType === "hello") say({ messageType, uaid: uaid || randomUUID().replaceAll("-", ""), status: 200, use_webpush: true, broadcasts: {} });
      if (messageType === "register") {
        channels.set(channelID, { say, key });
        say({ messageType, channelID, status: 200, pushEndpoint: `${origin}/${channelID}` });
      }
      if (messageType === "unregister") {
        channels.delete(channelID);
        gone.add(channelID);
        say({ messageType, channelID, status: 200 });
      }
      if (messageType === "ack") acks.push(...updates);
    });
  });

  function deliver(channelID, headers, body) {
    const channel = channels.get(channelID);
    if (!channel) return gone.has(channelID) ? 410 : 404;
    if (!(headers.ttl >= 0) || body.length > 4_096) return 400;
    const [, jwt, key] = /^vapid t=(.+), k=(.+)$/.exec(headers.authorization) ?? [];
    if (!holds(jwt, key, origin)) return 401;
    if (channel.key && channel.key.replace(/=+$/, "") !== key) return 403;
    const version = randomUUID();
    channel.say({ messageType: "notification", channelID, version, data: body.toString("base64url"), headers: { encoding: headers["content-encoding"] } });
    return 201;
  }

  return {
    /** For whoever calls it. */
    cert,
    url: `ws://127.0.0.1:${server.address().port}/`,
    /** What browsers have acknowledged. */
    acks,
    /** Encrypts and sends; `vapid` is the sender's pair of keys. Gives the status. */
    async send(subscription, text, vapid) {
      const { pathname } = new URL(subscription.endpoint);
      const headers = { ttl: 60, "content-encoding": "aes128gcm", authorization: `vapid t=${token(origin, vapid)}, k=${vapid.publicKey}` };
      const session = connect(origin, { ca: cert });
      try {
        return await post(session, { ":method": "POST", ":path": pathname, ...headers }, encrypt(subscription, text));
      } finally {
        session.close();
      }
    },
    stop() {
      front.close();
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}

function post(session, headers, body) {
  return new Promise((done, fail) => {
    session.once("error", fail);
    const request = session.request(headers);
    request.once("error", fail);
    request.once("response", (headers) => done(headers[":status"]));
    request.end(body);
  });
}

const hkdf = (secret, salt, info, length) => Buffer.from(hkdfSync("sha256", secret, salt, info, length));

/** RFC 8291: one record of aes128gcm. */
function encrypt({ keys }, text) {
  const p256dh = Buffer.from(keys.p256dh, "base64url"), auth = Buffer.from(keys.auth, "base64url");
  const pair = createECDH("prime256v1");
  const own = pair.generateKeys(), salt = randomBytes(16);
  const secret = hkdf(pair.computeSecret(p256dh), auth, Buffer.concat([Buffer.from("WebPush: info\0"), p256dh, own]), 32);
  const cipher = createCipheriv("aes-128-gcm", hkdf(secret, salt, "Content-Encoding: aes128gcm\0", 16), hkdf(secret, salt, "Content-Encoding: nonce\0", 12));
  const size = Buffer.alloc(5);
  size.writeUInt32BE(4_096);
  size[4] = own.length;
  return Buffer.concat([salt, size, own, cipher.update(text), cipher.update(Buffer.from([2])), cipher.final(), cipher.getAuthTag()]);
}

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A public key as JWK, from its uncompressed point. */
function jwk(publicKey) {
  const point = Buffer.from(publicKey, "base64url");
  return { kty: "EC", crv: "P-256", x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") };
}

function token(aud, { publicKey, privateKey }) {
  const text = `${base64url({ typ: "JWT", alg: "ES256" })}.${base64url({ aud, exp: Math.floor(Date.now() / 1000) + 3_600, sub: "mailto:ops@example.com" })}`;
  const key = { key: { ...jwk(publicKey), d: privateKey }, format: "jwk", dsaEncoding: "ieee-p1363" };
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}

function holds(jwt, publicKey, origin) {
  const [header, claims, signature] = jwt?.split(".") ?? [];
  if (!signature) return false;
  const { aud, exp } = JSON.parse(Buffer.from(claims, "base64url"));
  const key = { key: createPublicKey({ key: jwk(publicKey), format: "jwk" }), dsaEncoding: "ieee-p1363" };
  return aud === origin && exp * 1000 > Date.now() && verify("sha256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url"));
}
