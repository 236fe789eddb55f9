// The functions' part in push, for a fake hub: VAPID key, devices, preferences. Every user of it is its owner alone.
import { createECDH } from "node:crypto";

/** A VAPID key pair, as `bellwire-push vapid-key` makes one. */
export function vapidKeys() {
  const pair = createECDH("prime256v1");
  return { publicKey: pair.generateKeys("base64url"), privateKey: pair.getPrivateKey("base64url") };
}

const subjectOf = (bearer) => JSON.parse(Buffer.from(bearer.split(".")[1], "base64url")).sub;

/** `devices`: `user/device` → body. `refuse(method, path, body)` may answer in its place. */
export function withPush(hub, key = vapidKeys().publicKey) {
  const push = { key, devices: new Map(), preferences: new Map(), calls: [], refuse: (_method, _path, _body) => undefined };
  hub.more = (method, path, text, bearer) => {
    const [, user, what, device] = /^\/users\/([^/]+)\/(devices|preferences)(?:\/(.+))?$/.exec(path) ?? [];
    if (path !== "/push/key" && !what) return;
    const body = text ? JSON.parse(text) : undefined;
    push.calls.push(`${method} ${path}`);
    const refused = push.refuse(method, path, body);
    if (refused) return refused;
    if (path === "/push/key") return push.key ? [200, { key: push.key }] : [404, { code: "not_found", status: 404 }];
    if (subjectOf(bearer) !== user) return [403, { code: "forbidden", status: 403 }];
    if (what === "preferences") {
      if (method === "GET") return [200, push.preferences.get(user) ?? {}];
      push.preferences.set(user, body);
      return [204];
    }
    if (method === "PUT") push.devices.set(`${user}/${device}`, body);
    else push.devices.delete(`${user}/${device}`);
    return [204];
  };
  return push;
}

/** For a page: permission, and subscriptions without a push service; both live as long as the profile. */
export function withoutService() {
  const profile = () => JSON.parse(localStorage.getItem("fake") ?? '{"permission":"default","answer":"granted","asked":0}');
  const change = (more) => localStorage.setItem("fake", JSON.stringify({ ...profile(), ...more }));
  globalThis.profile = profile;
  globalThis.change = change;
  Object.defineProperty(Notification, "permission", { get: () => profile().permission });
  Notification.requestPermission = async () => {
    const { answer, asked } = profile();
    change({ permission: answer, asked: asked + 1, active: navigator.userActivation.isActive });
    return answer;
  };
  const subscription = (held) => held && ({
    ...held,
    options: { applicationServerKey: Uint8Array.from(atob(held.key.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)).buffer },
    toJSON: () => ({ endpoint: held.endpoint, keys: { p256dh: "p", auth: "a" } }),
    unsubscribe: async () => (change({ held: null }), true),
  });
  PushManager.prototype.getSubscription = async () => subscription(profile().held ?? null);
  PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => {
    if (profile().fails) throw new DOMException("push service error", "AbortError");
    change({ held: { key, endpoint: `https://push.example/${Math.random()}` } });
    return subscription(profile().held);
  };
}
