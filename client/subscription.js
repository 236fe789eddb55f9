// A service worker of the site and its push subscription, as the browser has them; whose they are, push.js knows.
/** @import { PushRecord } from "#types" */

/** For a browser that gets no answer from its push service, or does not start the worker. */
const LIMIT_MS = 30_000;

/** @template T @param {Promise<T>} promise @returns {Promise<T>} */
function limited(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((/** @type {(value: never) => void} */ _, no) => {
    timer = setTimeout(no, LIMIT_MS, new DOMException("no answer from the browser's push service", "TimeoutError"));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** @param {ArrayBuffer | null} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes ?? []))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** @param {string | URL} worker */
export const addressOf = (worker) => new URL(worker, document.baseURI);

/** The registration of a worker, whatever its scope. @param {string} worker */
async function registered(worker) {
  const all = await navigator.serviceWorker.getRegistrations();
  return all.find(({ active, waiting, installing }) => [active, waiting, installing].some((one) => one?.scriptURL === worker));
}

/** @type {any} */
let policy;

/** For a page that demands Trusted Types: by a policy that it may allow. @param {string} url */
function trusted(url) {
  try {
    policy ??= /** @type {any} */ (globalThis).trustedTypes?.createPolicy("bellwire", {
      // Browsers demand the page's origin in any case.
      createScriptURL: (/** @type {string} */ url) => (new URL(url).origin === location.origin ? url : ""),
    });
  } catch {}
  return policy ? policy.createScriptURL(url) : url;
}

/** A worker's registration, once it is active. @param {string} worker */
async function register(worker) {
  // A scope of its own, which has no pages: the site's own service worker stays where it is.
  const scope = addressOf(worker).pathname;
  const made = (await registered(worker)) ?? (await navigator.serviceWorker.register(trusted(worker), { scope, updateViaCache: "none" }));
  const starting = made.installing ?? made.waiting;
  await new Promise((/** @type {(value?: undefined) => void} */ done, fail) => {
    const look = () => {
      if (made.active) done();
      else if (starting?.state === "redundant") fail(new DOMException(`${worker} could not be installed`, "AbortError"));
    };
    starting?.addEventListener("statechange", look);
    look();
  });
  return made;
}

/** @param {PushManager} manager @param {string} key */
async function subscriptionFor(manager, key) {
  const old = await manager.getSubscription();
  if (old && base64url(old.options.applicationServerKey) === key) return old;
  await old?.unsubscribe();
  return manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** A worker's subscription under this VAPID key; one under another key is useless. @param {string} worker @param {string} key */
export const subscribed = (worker, key) => limited(register(worker).then(({ pushManager }) => subscriptionFor(pushManager, key)));

/** What a worker was subscribed to, if it still is. @param {PushRecord} record */
export const subscriptionOf = async (record) => (await registered(record.worker))?.pushManager.getSubscription();

/** @param {PushRecord} record */
export const unsubscribed = (record) => limited(subscriptionOf(record).then((subscription) => subscription?.unsubscribe()));
