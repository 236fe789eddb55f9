// What a token permits, read from its claims without a check: only to say beforehand what the hub and the
// functions would refuse.

/** Scopes that the console uses, and for what. */
export const USES = {
  "ops:read": "data of the hub, the cache and Redis",
  "feed:read": "a user's feed",
  "queues:read": "the list of queues, dead letters",
  "campaigns:read": "the progress of a campaign",
  "push:read": "the progress of a push",
  "push:write": "pausing, resuming, cancelling, redriving a push",
  "notifications:write": "sending a test notification, marking as read",
  "queues:write": "putting dead letters back",
  "cache:write": "invalidating a tag",
};

/** `{sub, scopes, expiresAt}` of a JWT, or null if the text is none. `expiresAt` in Unix milliseconds, or null. */
export function readGrant(token) {
  try {
    const parts = token.split(".");
    if (parts.length !== 3) return null;
    const binary = atob(parts[1].replace(/-/g, "+").replace(/_/g, "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0))));
    if (!claims || typeof claims !== "object") return null;
    const { sub, scope, exp } = claims;
    return {
      sub: typeof sub === "string" ? sub : "",
      scopes: new Set(typeof scope === "string" ? scope.split(" ").filter(Boolean) : []),
      expiresAt: typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : null,
    };
  } catch {
    return null;
  }
}

/** The scope that is missing for this, or null. `user`: whose own token needs none. */
export function lacking(grant, scope, user) {
  if (!grant) return scope;
  const { scopes, sub } = grant;
  if (user !== undefined && sub === user) return null;
  return scopes.has(scope) || scopes.has(scope.replace(/:read$/, ":write")) && /^(queues|campaigns|push):read$/.test(scope) ? null : scope;
}

/** A token as people copy it: with "Bearer", quotes, spaces, line ends. */
export const cleanToken = (text) => text.replace(/^\s*(authorization:)?\s*bearer\s+/i, "").replace(/[\s"']/g, "");
