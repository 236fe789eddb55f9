// What push.js needs of a browser, in Node: storage, permission, locks, service workers and a push service whose
// subscriptions can be looked at. `profile` outlives pages; `page()` is another one in it.
const url = (key) => Buffer.from(key, "base64url");

class FakeSubscription {
  static count = 0;
  constructor(manager, key) {
    this.manager = manager;
    this.endpoint = `https://push.example/${++FakeSubscription.count}`;
    const bytes = url(key);
    this.options = { userVisibleOnly: true, applicationServerKey: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) };
  }
  toJSON() {
    return { endpoint: this.endpoint, expirationTime: null, keys: { p256dh: `p${this.endpoint.slice(-1)}`, auth: "a" } };
  }
  async unsubscribe() {
    if (this.manager.held === this) this.manager.held = null;
    this.manager.profile.ended.push(this.endpoint);
    return true;
  }
}

class FakeManager {
  held = null;
  constructor(profile) {
    this.profile = profile;
  }
  async getSubscription() {
    return this.held;
  }
  async subscribe({ applicationServerKey, userVisibleOnly }) {
    if (this.profile.fails) throw this.profile.fails;
    if (!userVisibleOnly || this.profile.permission !== "granted") throw new DOMException("no", "NotAllowedError");
    if (this.held) throw new DOMException("another key", "InvalidStateError");
    return (this.held = new FakeSubscription(this, applicationServerKey));
  }
}

/** A browser profile at one site. `answer`: what the user says when asked. */
export class FakeProfile {
  origin = "https://site.example";
  permission = "default";
  answer = "granted";
  asked = 0;
  registrations = [];
  /** Endpoints that were unsubscribed. */
  ended = [];
  fails = null;
  store = new Map();
  #line = Promise.resolve();

  /** The subscription of the first worker. */
  get subscription() {
    return this.registrations[0]?.pushManager.held ?? null;
  }
  record() {
    return JSON.parse(this.store.get("bellwire:push") ?? "null");
  }
  /** A worker with a scope, as a page registers one. */
  register(script, scope) {
    const known = this.registrations.find((one) => one.scope === scope);
    if (known) return known;
    const made = { scope, active: { scriptURL: script }, waiting: null, installing: null, pushManager: new FakeManager(this) };
    this.registrations.push(made);
    return made;
  }

  /** Makes it the one that this process is. Returns what restores the process. */
  enter() {
    const profile = this;
    const storage = {
      getItem: (name) => profile.store.get(name) ?? null,
      setItem: (name, value) => void profile.store.set(name, String(value)),
      removeItem: (name) => void profile.store.delete(name),
    };
    const values = {
      isSecureContext: true,
      location: new URL(this.origin),
      document: { baseURI: `${this.origin}/page`, documentElement: { lang: "de" }, addEventListener() {} },
      localStorage: new Proxy(storage, { get: (target, name) => target[name] ?? profile.store.get(name) }),
      PushManager: FakeManager,
      Notification: {
        get permission() { return profile.permission; },
        async requestPermission() {
          profile.asked++;
          return (profile.permission = profile.answer);
        },
      },
      navigator: {
        language: "en-GB",
        locks: { request: (_name, run) => (profile.#line = profile.#line.then(run, run)) },
        serviceWorker: {
          getRegistrations: async () => profile.registrations,
          register: async (script, { scope }) => profile.register(String(script), new URL(scope, profile.origin).href),
        },
      },
    };
    const before = Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
    for (const [name, value] of Object.entries(values)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    return () => {
      for (const [name, old] of before) if (old) Object.defineProperty(globalThis, name, old); else delete globalThis[name];
    };
  }
}
