// Web Push of one user in one browser profile: permission, service worker, subscription, and the device under
// which the functions know it. Asks for permission in `subscribe` only, which a page calls on a click.
/** @import { Options, Push, PushRecord, PushState, Status } from "#types" */
import { localStore } from "./store.js";
import { addressOf, subscribed, subscriptionOf, unsubscribed } from "./subscription.js";

/** One for the profile: a service worker has one subscription, for any user who is logged in. */
const KEY = "bellwire:push";
const DECLINED = "bellwire:push:declined";
const DECLINED_MAX = 20;
/** How often a page's start asks for the VAPID key, and writes a device that is as it was. */
const CHECK_MS = 3_600_000;
const WRITE_MS = 86_400_000;

/** @typedef {(path: string, init?: RequestInit) => Promise<Response>} Call to a path below the user's */

/** Tabs take turns. @template T @param {() => Promise<T>} run @returns {Promise<T>} */
const alone = (run) => /** @type {any} */ (navigator.locks.request(KEY, run));

/** @param {string} key @returns {any} */
function kept(key) {
  try {
    return JSON.parse(localStore()?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} [value] */
function keep(key, value) {
  if (value) localStore()?.setItem(key, JSON.stringify(value));
  else localStore()?.removeItem(key);
}

/** Why this page can have no push. @returns {PushState | undefined} */
function hindrance() {
  const { isSecureContext, navigator, PushManager, Notification } = globalThis;
  if (isSecureContext === false) return "blocked-insecure";
  if (!(navigator?.serviceWorker && navigator.locks && PushManager && Notification && localStore())) return "unsupported";
  return Notification.permission === "denied" ? "denied" : undefined;
}

const timeZoneNow = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** One for each client. @type {WeakMap<Options, Push>} */
const opened = new WeakMap();

/** @param {Options} options @param {Call} call @param {{ wake: () => void }} client @returns {Push} */
export function openPush(options, call, client) {
  const push = opened.get(options) ?? make(options, call, client);
  opened.set(options, push);
  return push;
}

/** @param {Options} options @param {Call} call @param {{ wake: () => void }} client @returns {Push} */
function make({ functions: url, user }, call, client) {
  const functions = String(url).replace(/\/$/, "");
  const owner = `${user} ${functions}`;
  /** The VAPID key, once it is known. @type {string | null} */
  let known = null;
  /** @type {BroadcastChannel | null} */
  let channel = null;

  /** @returns {PushRecord | null} */
  const record = () => kept(KEY);
  const isOurs = (/** @type {PushRecord | null} */ one) => one?.user === user && one?.functions === functions;
  const deviceAt = (/** @type {string} */ device) => `/devices/${encodeURIComponent(device)}`;

  /** Null: no push worker is configured. */
  async function vapidKey() {
    try {
      const answer = await call("/../../push/key");
      known = (await answer.json()).key ?? null;
    } catch (/** @type {any} */ error) {
      if (error.status !== 404) throw error;
      known = null;
    }
    return known;
  }

  /** @param {PushRecord} one @param {PushSubscriptionJSON} subscription */
  async function write({ device, locale, timeZone }, { endpoint, keys }) {
    /** @type {Record<string, unknown>} */
    const body = { kind: "webpush", subscription: { endpoint, keys: { p256dh: keys?.p256dh, auth: keys?.auth } }, locale, timeZone };
    for (;;) {
      try {
        return await call(deviceAt(device), { method: "PUT", body: JSON.stringify(body) });
      } catch (/** @type {any} */ error) {
        // A browser may know a time zone that the functions do not.
        if (error.status !== 400 || !/^(locale|timeZone)$/.test(error.field) || !body[error.field]) throw error;
        body[error.field] = undefined;
      }
    }
  }

  /** Subscribes, and writes the device where it is due. @param {PushRecord} one */
  async function renew(one) {
    const key = await vapidKey();
    if (!key) return;
    // Before there is a subscription: it has an owner from its beginning.
    keep(KEY, one);
    const subscription = await subscribed(one.worker, key);
    const now = Date.now();
    const next = { ...one, endpoint: subscription.endpoint, timeZone: timeZoneNow(), checkedAt: now };
    if (now - one.writtenAt > WRITE_MS || next.endpoint !== one.endpoint || next.timeZone !== one.timeZone) {
      keep(KEY, { ...next, writtenAt: 0 });
      await write(next, subscription.toJSON());
      next.writtenAt = now;
    }
    keep(KEY, next);
  }

  /** @param {PushRecord | null} old */
  async function end(old) {
    if (!old) return;
    // If the page goes away meanwhile: the next one ends it.
    keep(KEY, { ...old, user: "" });
    // Only its owner may delete it. The push service then says that the other's is gone.
    const told = isOurs(old) && call(deviceAt(old.device), { method: "DELETE", keepalive: true }).catch(() => {});
    await unsubscribed(old);
    await told;
    keep(KEY);
  }

  /** Who has said no. @returns {string[]} */
  const declined = () => [kept(DECLINED) ?? []].flat();

  function decline(is = true) {
    const others = declined().filter((one) => one !== owner);
    keep(DECLINED, [...(is ? [owner] : []), ...others].slice(0, DECLINED_MAX));
  }

  /** @returns {Promise<PushState>} */
  async function state() {
    const blocked = user === undefined ? "unsupported" : hindrance();
    if (blocked) return blocked;
    const one = record();
    if (one?.writtenAt && isOurs(one) && Notification.permission === "granted") {
      const subscription = await subscriptionOf(one);
      if (subscription?.endpoint === one.endpoint) return "subscribed";
    }
    if (!(known ?? (await vapidKey()))) return "unconfigured";
    return declined().includes(owner) ? "declined" : "default";
  }

  /** @param {{ worker?: string | URL, device?: string, locale?: string }} [how] @returns {Promise<PushState>} */
  async function subscribe({ worker = "/push-worker.js", device, locale } = {}) {
    if (user === undefined) throw new TypeError("push needs the client's option `user`");
    const blocked = hindrance();
    if (blocked) return blocked;
    // First of all: a browser asks only right after a click.
    if (Notification.permission !== "granted") {
      const answer = await Notification.requestPermission();
      if (answer !== "granted") return answer;
    }
    await alone(async () => {
      let old = record();
      if (!isOurs(old)) {
        await end(old);
        old = null;
      }
      if (old && device && old.device !== device) await call(deviceAt(old.device), { method: "DELETE" });
      const one = {
        user,
        functions,
        device: device ?? old?.device ?? `web-${crypto.randomUUID()}`,
        worker: addressOf(worker).href,
        locale: locale || document.documentElement.lang || navigator.language,
        endpoint: "",
        checkedAt: 0,
        writtenAt: 0,
      };
      await renew(one).catch((error) => {
        // This browser gives none: the next start need not try.
        if (!record()?.endpoint) keep(KEY);
        throw error;
      });
    });
    decline(false);
    listen();
    return state();
  }

  async function unsubscribe() {
    decline();
    await alone(async () => {
      const old = record();
      if (isOurs(old)) await end(old);
    });
    return state();
  }

  /** What this profile has is brought up to date, if it is ours, and ends if it is another user's. */
  async function check(anew = false) {
    if (user === undefined || /^(unsupported|blocked)/.test(hindrance() ?? "")) return;
    await alone(async () => {
      const old = record();
      if (!old) return;
      // Another installation's is none of our business.
      if (!isOurs(old)) return !old.user || old.functions === functions ? end(old) : undefined;
      // Permission was withdrawn.
      if (Notification.permission !== "granted") return end(old);
      const isDue = anew || !old.writtenAt || Date.now() - old.checkedAt > CHECK_MS || old.timeZone !== timeZoneNow();
      if (isDue || (await subscriptionOf(old))?.endpoint !== old.endpoint) await renew(old);
    });
  }

  /** To the service worker. */
  function listen() {
    if (channel) return;
    const mine = (channel = new BroadcastChannel(KEY));
    // A page in the history has none: browsers keep no page with an open one. When it is back, the client connects.
    globalThis.addEventListener?.("pagehide", () => (mine.close(), (channel = null)), { once: true });
    channel.onmessage = ({ data }) => {
      // This tab may have missed what was pushed.
      if (data?.type === "push") client.wake();
      if (data?.type === "change") check(true).catch(() => {});
    };
  }

  /** What fails is done at the next start. @param {Status} status of the client */
  async function follow(status) {
    if (status.state !== "closed") {
      if (channel) return;
      listen();
      return check();
    }
    channel?.close();
    channel = null;
    if (status.reason !== "logged out") return;
    await alone(async () => {
      const old = record();
      if (isOurs(old)) await end(old);
    });
  }

  return {
    state,
    subscribe,
    unsubscribe,
    follow,
    decline: async () => decline(),
    preferences: async () => (await call("/preferences")).json(),
    async setPreferences(preferences) {
      await call("/preferences", { method: "PUT", body: JSON.stringify(preferences) });
    },
  };
}
