// A busy installation for screenshots and for tests that look at every view.
import { busyHistory } from "./fake-console.js";

const HOUR = 3_600_000;

/** Fills a fake console with 15 minutes of traffic, a user, queues, a campaign and a cache, and keeps them moving. */
export function dress(fake, now = Date.now()) {
  const iso = (ago) => new Date(now - ago).toISOString();
  fake.snapshots = busyHistory(now);
  let at = 0;
  const loop = busyHistory(now, 900, 11).slice(60, 300);
  fake.next = (time) => ({ ...loop[at++ % loop.length], at: time });
  fake.fleet = { hubs: [{ id: "hub-7f3a", self: true }, { id: "hub-b81c" }, { id: "hub-d902" }], onlineUsers: 27_904 };
  fake.users.alice = {
    online: true, epoch: "9d41f7c2", seq: 58,
    sockets: [{ protocol: "v1", ageMs: 8_212_000, queuedBytes: 0, lastSeq: 58 }, { protocol: "v1", ageMs: 412_000, queuedBytes: 0, lastSeq: 58 }, { protocol: "sse", ageMs: 38_000, queuedBytes: 18_432, lastSeq: 57 }],
  };
  const titles = ["Your order has shipped", "Ben commented on “Roadmap 2027”", "Invoice 2026-1180 is ready", "New sign-in from Lisbon", "Chiara shared a folder with you", "Your export is ready", "Meeting moved to 15:00"];
  const kinds = ["order", "comment", "invoice", "security", "share", "export", "calendar"];
  const entry = (n) => ({
    id: `019a${n}`, userId: "alice", seq: 58 - n, title: titles[n % 7], kind: kinds[n % 7], createdAt: iso(n * 2.7 * HOUR + 120_000), delivery: "sent",
    ...(n > 2 && { readAt: iso(n * 2.6 * HOUR) }), ...(n % 3 === 0 && { data: { order: 17_204 - n, carrier: "DHL" } }),
  });
  fake.feeds.alice = { unread: 3, next: "x", notifications: Array.from({ length: 12 }, (_, n) => entry(n)) };
  fake.queues = {
    "exports": { ready: 4, delayed: 0, inFlight: 8, dead: 0, oldestAgeSeconds: 3 },
    "images:resize": { ready: 182, delayed: 0, inFlight: 64, dead: 0, oldestAgeSeconds: 11 },
    "mail": { ready: 1_310, delayed: 420, inFlight: 120, dead: 37, oldestAgeSeconds: 94 },
    "notification:responses": { ready: 0, delayed: 0, inFlight: 0, dead: 0, oldestAgeSeconds: null },
    "search:index": { ready: 618, delayed: 0, inFlight: 32, dead: 2, oldestAgeSeconds: 41 },
    "webhooks": { ready: 71, delayed: 205, inFlight: 16, dead: 9, oldestAgeSeconds: 1_870 },
  };
  const reasons = ["received 5 times", "550 mailbox unavailable", "received 5 times", "template “welcome-2” is missing"];
  fake.dead.mail = Array.from({ length: 20 }, (_, n) => ({
    id: `3f0c9a5be1d24c77${(n + 16).toString(16)}`, diedAt: iso((20 - n) * 171_000), attempts: n % 4 === 1 ? 1 : 5, reason: reasons[n % 4],
    payload: { to: `user${n * 37}@example.com`, template: n % 4 === 3 ? "welcome-2" : "invoice", locale: "en" },
  }));
  fake.campaigns.spring = { processed: 61_400, remaining: 38_600, responses: 61_122, total: 100_000, expiresAt: iso(-20 * HOUR) };
  fake.pushes.spring = { state: "running", total: 100_000, remaining: 38_600, sent: 59_210, failed: 41, invalid: 903, skipped: 1_246, retrying: 12, perSecond: 248.5, etaSeconds: 155 };
  fake.cache = [
    { resource: "all_blogs", tags: ["blogs"], hits: 184_201, stale: 912, misses: 31, fetches: 940, failures: 0, fetchMs: { mean: 42.3, worst: 310 } },
    { resource: "profile/{userId}", tags: ["user:{userId}"], hits: 96_410, stale: 8_230, misses: 4_112, fetches: 12_210, failures: 17, fetchMs: { mean: 8.1, worst: 1_204 } },
    { resource: "settings", tags: [], hits: 51_003, stale: 402, misses: 88, fetches: 489, failures: 0, fetchMs: { mean: 3.4, worst: 61 } },
  ];
  const moving = setInterval(() => {
    const roll = Math.sin(Date.now() / 900);
    fake.queues.mail.ready = Math.max(0, fake.queues.mail.ready + Math.round(roll * 30) - 12);
    fake.queues.mail.inFlight = 120 + Math.round(roll * 20);
    const { spring } = fake.campaigns;
    spring.processed += 250;
    spring.remaining -= 250;
  }, 1000);
  moving.unref();
}
