// The peers of the benchmark of pushes: firebase-admin, fcm-v1-http2 and web-push, each as its
// documents use it, against the benchmark's own server. Each line of standard input is a number of
// seconds to send for; the answer is a line of JSON:
// {"sent":n,"failed":n,"seconds":s,"latenciesMs":[p50,p99,worst]|null}
//
//   node send.js SETUP_FILE firebase-admin|fcm-v1-http2|web-push IN_FLIGHT
'use strict';

const fs = require('node:fs');
const http2 = require('node:http2');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');
const readline = require('node:readline');

const [setupFile, library, inFlightText] = process.argv.slice(2);
const inFlight = Number(inFlightText);
const setup = JSON.parse(fs.readFileSync(setupFile, 'utf8'));
const ca = fs.readFileSync(setup.certificate);
// The limit of streams of a connection to FCM.
const STREAMS = 100;
const connections = Math.ceil(inFlight / STREAMS);

// The libraries have their hosts built in, so all connections lead to the server of the benchmark.
// firebase-admin also sends the scheme `https:`, which a strict server refuses.
const { connect } = http2;
http2.connect = (_, options, listener) => {
  const session = connect.call(http2, setup.origin, { ...options, ca }, listener);
  const { request } = session;
  session.request = function (headers, ...rest) {
    if (headers[':scheme'] === 'https:') headers[':scheme'] = 'https';
    return request.call(this, headers, ...rest);
  };
  return session;
};
const { hostname, port } = new URL(setup.origin);
const { request } = https;
https.request = (target, options, listener) => {
  if (typeof target === 'string' || target instanceof URL) {
    const { pathname, search } = new URL(target);
    const at = { path: pathname + search, hostname, host: hostname, port, ca };
    return request.call(https, { ...options, ...at }, listener);
  }
  return request.call(https, { ...target, hostname, host: hostname, port, ca }, options);
};
syncBuiltinESMExports();

let next = 0;
const number = () => next++ % setup.addresses;
const token = () => `${number()}:`.padEnd(setup.tokenChars, 'x');
const { title, body, data, kind, ttlSeconds } = setup.message;
// The same members as in our requests. Ours has a tag per device, which costs the peers nothing.
const tag = 'CvXGE7J2RMLLmdPAWjIkVdTvc3VTxJZb';
const apns = {
  headers: {
    'apns-collapse-id': tag,
    'apns-expiration': String(Math.floor(Date.now() / 1000) + ttlSeconds),
    'apns-priority': '10',
  },
  payload: { aps: { sound: 'default' } },
};
const webpush = {
  headers: { TTL: String(ttlSeconds), Topic: tag, Urgency: 'high' },
  notification: { tag },
};

// Keeps `count` loops going until the time is over. `once` returns how many it sent, and how many
// failed.
async function loops(count, isOver, once) {
  const total = { sent: 0, failed: 0 };
  const loop = async () => {
    while (!isOver()) {
      const { sent, failed } = await once();
      total.sent += sent;
      total.failed += failed;
    }
  };
  await Promise.all(Array.from({ length: count }, loop));
  return total;
}

// Batches of 500, the most that a call takes; each call has a connection of its own.
function firebaseAdmin() {
  const admin = require('firebase-admin');
  const credential = admin.credential.cert(setup.serviceAccount);
  const messaging = admin.messaging(admin.initializeApp({ credential }));
  const message = () => ({
    token: token(),
    notification: { title, body },
    data: { id: 'n1', tag, kind, data },
    android: {
      collapseKey: tag,
      ttl: ttlSeconds * 1000,
      priority: 'high',
      notification: { tag },
    },
    apns,
    webpush,
  });
  return (isOver) =>
    loops(connections, isOver, async () => {
      const answer = await messaging.sendEach(Array.from({ length: 500 }, message));
      return { sent: answer.successCount, failed: answer.failureCount };
    });
}

// One call for many tokens: it opens the connections, and asks for a token, once per call.
function fcmV1Http2() {
  const Client = require('fcm-v1-http2');
  const client = new Client({
    serviceAccount: JSON.parse(fs.readFileSync(setup.serviceAccount, 'utf8')),
    maxConcurrentConnections: connections,
    maxConcurrentStreamsAllowed: STREAMS,
  });
  const message = {
    notification: { title, body },
    data: { id: 'n1', tag, kind, data },
    android: {
      collapse_key: tag,
      ttl: `${ttlSeconds}s`,
      priority: 'HIGH',
      notification: { tag },
    },
    apns,
    webpush,
  };
  return (isOver) =>
    loops(1, isOver, async () => {
      const tokens = Array.from({ length: 2500 * connections }, token);
      const dead = await client.sendMulticast(message, tokens);
      return { sent: tokens.length - dead.length, failed: dead.length };
    });
}

// Connections are kept and reused, as many as there are requests: HTTP/1.1 is all that it speaks.
function webPush(latencies) {
  const library = require('web-push');
  const agent = new https.Agent({ keepAlive: true, maxSockets: inFlight });
  const { subject, publicKey, privateKey } = setup.vapid;
  const options = { vapidDetails: { subject, publicKey, privateKey }, agent };
  Object.assign(options, { TTL: ttlSeconds, urgency: 'high', topic: tag });
  const payload = JSON.stringify({ id: 'n1', tag, title, body, kind, data: JSON.parse(data) });
  return (isOver) =>
    loops(inFlight, isOver, async () => {
      const begun = process.hrtime.bigint();
      try {
        const at = number();
        const { keys } = setup.subscriptions[at % setup.subscriptions.length];
        const endpoint = `${setup.origin}/push/${at}/${'x'.repeat(setup.tokenChars)}`;
        await library.sendNotification({ endpoint, keys }, payload, options);
      } catch (error) {
        console.error(String(error));
        return { sent: 0, failed: 1 };
      }
      latencies.push(Number(process.hrtime.bigint() - begun) / 1e6);
      return { sent: 1, failed: 0 };
    });
}

async function main() {
  const latencies = [];
  const makers = {
    'firebase-admin': firebaseAdmin,
    'fcm-v1-http2': fcmV1Http2,
    'web-push': () => webPush(latencies),
  };
  const send = makers[library]();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    latencies.length = 0;
    const begun = process.hrtime.bigint();
    const seconds = () => Number(process.hrtime.bigint() - begun) / 1e9;
    const { sent, failed } = await send(() => seconds() >= Number(line));
    const took = seconds();
    latencies.sort((a, b) => a - b);
    const last = latencies.length - 1;
    const at = (share) => latencies[Math.min(last, Math.floor(share * latencies.length))];
    const latenciesMs = latencies.length > 0 ? [at(0.5), at(0.99), at(1)] : null;
    console.log(JSON.stringify({ sent, failed, seconds: took, latenciesMs }));
  }
  // Kept connections would keep the process.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
