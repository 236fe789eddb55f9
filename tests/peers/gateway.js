// A team's existing service: one Node process with Map<userId, sockets>, a plain Redis client and its
// own keys. It knows nothing of Bellwire and runs beside it in tests.
//
//   node gateway.js <redis port>
//
// A line on stdin is a JSON array of a name and its arguments (see `does`); a line on stdout answers
// it, in order: {"ok":…}, or {"error":…} if Redis did not answer. Once subscribed it writes
// {"ready":true}. Like the real service, it dies of an unparsable message.
'use strict';
const net = require('net');
const readline = require('readline');

const PORT = Number(process.argv[2]);
const RECONNECT_MS = 100; // a usual first delay of clients
const ANSWER_MS = 5000; // half-open connections never answer
const FEED_MAX = 100;
const FEED_TTL_S = 30 * 86400;
const KEPT_MAX = 1000; // messages per user

// One reply of RESP2 from `buffer` at `at`: [value, next], or undefined while it is incomplete.
function parse(buffer, at) {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = buffer.toString('utf8', at + 1, end);
  let next = end + 2;
  switch (String.fromCharCode(buffer[at])) {
    case '+': return [line, next];
    case '-': return [new Error(line), next];
    case ':': return [Number(line), next];
    case '$': {
      const length = Number(line);
      if (length < 0) return [null, next];
      if (buffer.length < next + length + 2) return undefined;
      return [buffer.toString('utf8', next, next + length), next + length + 2];
    }
    case '*': {
      const values = [];
      for (let left = Number(line); left > 0; left--) {
        const item = parse(buffer, next);
        if (!item) return undefined;
        values.push(item[0]);
        next = item[1];
      }
      return [values, next];
    }
    default: throw new Error(`not RESP: ${line}`);
  }
}

// A connection that reconnects by itself. `opened` runs each time; unexpected replies go to `pushed`.
class Client {
  constructor(opened, pushed) {
    Object.assign(this, { opened, pushed, waiting: [], socket: null });
    this.connect();
  }
  connect() {
    let buffer = Buffer.alloc(0);
    const socket = net.connect(PORT, '127.0.0.1', () => {
      this.socket = socket;
      this.opened(this);
    });
    socket.on('data', (bytes) => {
      buffer = Buffer.concat([buffer, bytes]);
      let at = 0;
      for (let reply; (reply = parse(buffer, at)); at = reply[1]) {
        const waiter = this.waiting.shift();
        if (waiter) waiter(reply[0]);
        else this.pushed(reply[0]);
      }
      buffer = buffer.subarray(at);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.socket = null;
      for (const waiter of this.waiting.splice(0)) waiter(new Error('Redis is away'));
      setTimeout(() => this.connect(), RECONNECT_MS);
    });
  }
  write(words) {
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    this.socket.write(`*${words.length}\r\n${parts.join('')}`);
  }
  call(...words) {
    return new Promise((resolve, reject) => {
      if (!this.socket) return reject(new Error('Redis is away'));
      const { socket } = this;
      const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
      this.waiting.push((reply) => {
        clearTimeout(timer);
        if (reply instanceof Error) reject(reply);
        else resolve(reply);
      });
      this.write(words);
    });
  }
}

const tabs = new Map(); // userId -> open tabs
const received = new Map(); // userId -> messages sent to its tabs

// No try: an unusual message ends this process.
function deliver(message) {
  const { notification } = JSON.parse(message);
  const { userId } = notification;
  if (userId === undefined) throw new Error(`no userId: ${message}`);
  if (!tabs.get(String(userId))) return;
  const list = received.get(String(userId)) ?? [];
  list.push(notification);
  received.set(String(userId), list.slice(-KEPT_MAX));
}

let isReady = false;
const redis = new Client(() => {}, () => {});
new Client((client) => client.write(['SUBSCRIBE', 'notifications']), (reply) => {
  if (reply instanceof Error) throw reply;
  if (reply[0] === 'message') deliver(reply[2]);
  else if (!isReady) {
    isReady = true;
    say({ ready: true });
  }
});

const parsed = (text) => (text === null ? null : JSON.parse(text));
const does = {
  open: async (user) => {
    tabs.set(user, (tabs.get(user) ?? 0) + 1);
    return redis.call('SADD', 'online_users', user);
  },
  // Closing any tab removes the user, even if others are open.
  close: async (user) => {
    const left = (tabs.get(user) ?? 0) - 1;
    if (left > 0) tabs.set(user, left);
    else tabs.delete(user);
    return redis.call('SREM', 'online_users', user);
  },
  online: () => redis.call('SMEMBERS', 'online_users'),
  received: async (user) => received.get(user) ?? [],
  notify: async (notification) => {
    const key = `notifications:${notification.userId}`;
    const json = JSON.stringify(notification);
    await redis.call('LPUSH', key, json);
    await redis.call('LTRIM', key, 0, FEED_MAX - 1);
    await redis.call('EXPIRE', key, FEED_TTL_S);
    return redis.call('PUBLISH', 'notifications', JSON.stringify({ notification }));
  },
  feed: async (user) => {
    const list = await redis.call('LRANGE', `notifications:${user}`, 0, -1);
    return list.map((element) => JSON.parse(element));
  },
  cached: async (key) => parsed(await redis.call('GET', key)),
  cache: (key, value, seconds) => redis.call('SET', key, JSON.stringify(value), 'EX', seconds),
  ttl: (key) => redis.call('TTL', key),
  token: (user) => redis.call('GET', `user:${user}:token`),
  setToken: (user, token) => redis.call('SET', `user:${user}:token`, token, 'EX', 270 * 86400),
  removeToken: (user) => redis.call('DEL', `user:${user}:token`),
  push: (queue, ...payloads) => redis.call('RPUSH', queue, ...payloads.map((p) => JSON.stringify(p))),
  pop: async (queue) => parsed(await redis.call('LPOP', queue)),
  length: (queue) => redis.call('LLEN', queue),
};

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...words] = JSON.parse(line);
    try {
      say({ ok: (await does[name](...words)) ?? null });
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) throw error;
      say({ error: error.message });
    }
  }
  process.exit(0);
})();
