// What codes and reasons mean, and what to do. From docs/hub-protocol.md and docs/operations.md.

/** Code: meaning, what to do; `ordinary` ones are no trouble. */
export const CLOSES = {
  none: { means: "no close frame: a broken network, a closed tab", ordinary: true },
  other: { means: "closed by the client, with a code of its own", ordinary: true },
  1000: { means: "closed by the client", ordinary: true },
  1001: { means: "the page went away", ordinary: true },
  1002: { means: "a frame that breaks RFC 6455", todo: "A proxy or library alters frames." },
  1007: { means: "text that is not UTF-8", todo: "A client sends bytes as text." },
  1011: { means: "internal error of the hub", todo: "Read the hub's log." },
  1012: { means: "the hub restarts", ordinary: true },
  4400: { means: "an unknown frame", todo: "A client does not follow docs/hub-protocol.md." },
  4401: { means: "the token expired", ordinary: true },
  4403: { means: "renewed with another user's token", todo: "A page mixes up two users' tokens." },
  4408: { means: "too slow, or pings unanswered", todo: "They resume. Many at once: look at the network." },
  4410: { means: "the entries after the cursor are gone", todo: "They read the feed; nothing to do." },
  4413: { means: "a frame above the size limit", todo: "Clients send only ping and auth." },
  4429: { means: "too many messages from a client", todo: "A client in a loop." },
};

export const REFUSALS = {
  address_connections: { means: "too many connections from one address", todo: "A proxy that is missing in --trusted-proxies, or a client in a loop." },
  address_rate: { means: "one address connects too often", todo: "A proxy that is missing in --trusted-proxies, or a client in a loop." },
  connections: { means: "the hub has all connections that it may have", todo: "Add a hub, or raise --connections-max." },
  draining: { means: "the hub is shutting down", ordinary: true },
  handshake_rate: { means: "all clients together connect too fast: a herd", todo: "They come back. If it does not end: raise --handshakes-per-s." },
  head_malformed: { means: "not an HTTP request", todo: "A scanner, or TLS." },
  head_timeout: { means: "the request came too late" },
  head_too_large: { means: "the request's head is too long", todo: "Large cookies." },
  internal: { means: "internal error of the hub", todo: "Read the hub's log." },
  method: { means: "not a GET, or with a body" },
  no_key: { means: "the hub has no key to verify tokens", todo: "Set --auth-hs256-key-file or --auth-jwks-file." },
  no_token: { means: "no token, no ticket", todo: "A page connects before it has a token." },
  origin: { means: "a page of an origin that is not allowed", todo: "The log names it. Yours? Add it to --allowed-origins." },
  protocol: { means: "none of the subprotocols is known", todo: "The client must offer bellwire.v1 or bellwire.raw." },
  query: { means: "an invalid query or cursor", todo: "A client makes up its cursor." },
  redis: { means: "tickets need Redis, which is away", todo: "See Health." },
  sockets: { means: "the hub has all sockets that it may have", todo: "Add a hub, or raise --sockets-max." },
  subject: { means: "the token's `sub` is no user id", todo: "Look at the service that makes tokens." },
  ticket: { means: "an unknown, used or expired ticket", todo: "A ticket is good once, within 30 s." },
  ticket_rate: { means: "too many tickets for a user" },
  token: { means: "an invalid token", todo: "The log names the check." },
  token_expired: { means: "an expired token", ordinary: true },
  upgrade: { means: "not a WebSocket handshake", todo: "A proxy does not pass upgrades on." },
  user_sockets: { means: "a user has too many sockets", todo: "A page does not close its sockets." },
};

export const RESUMES = {
  replayed: { means: "came back, and got what they had missed", ordinary: true },
  nothing: { means: "came back, and had missed nothing", ordinary: true },
  gap: { means: "came back too late: told to read the feed" },
};

export const UNDELIVERED = {
  not_here: { means: "the user has no socket on this hub", ordinary: true },
  shed: { means: "dropped: the hub could not keep up; the feeds make up for it", todo: "Add a hub, or find who sends so much." },
  unreadable: { means: "no JSON object with a userId", todo: "Another service uses the channel." },
};

export const RELAYS = {
  ok: { means: "calls of the relay that succeeded", ordinary: true },
  failed: { means: "calls of the relay that failed", todo: "The log says why: functions away, or the relay's token expired." },
};

/** What a code or reason means, also one that this page does not know. */
export const meaning = (table, name) => (Object.hasOwn(table, name) ? table[name] : { means: "unknown to this page" });

/** The reason of "code/reason". */
export const reasonOf = (label) => label.slice(label.indexOf("/") + 1);
