// What codes and reasons mean, and what to do. From docs/hub-protocol.md and docs/operations.md.

/** A line for each code: code, meaning, what to do. A dash in place of what to do: ordinary, no trouble. */
const glossary = (lines) =>
  Object.fromEntries(lines.trim().split("\n").map((line) => {
    const [code, means, todo] = line.split("|");
    return [code, todo === "-" ? { means, ordinary: true } : { means, todo }];
  }));

export const CLOSES = glossary(`
none|no close frame: a broken network, a closed tab|-
other|closed by the client, with its own code|-
1000|closed by the client|-
1001|the page was left|-
1002|a frame that violates RFC 6455|A proxy or library alters frames.
1007|text that is not UTF-8|A client sends bytes as text.
1011|internal error of the hub|Read the hub's log.
1012|the hub restarts|-
4400|an unknown frame|A client does not follow docs/hub-protocol.md.
4401|the token expired|-
4403|renewed with another user's token|A page mixes up two users' tokens.
4408|too slow, or pings unanswered|Clients resume. If there are many, check the network.
4410|the entries after the cursor are gone|Clients read the feed by themselves.
4413|a frame above the size limit|Clients may send only ping and auth.
4429|too many messages from a client|A client loops.`);

export const REFUSALS = glossary(`
address_connections|too many connections from one address|A proxy is missing in --trusted-proxies, or a client loops.
address_rate|one address connects too often|A proxy is missing in --trusted-proxies, or a client loops.
connections|the hub's connection limit is reached|Add a hub, or raise --connections-max.
draining|the hub shuts down|-
handshake_rate|too many handshakes a second from all clients|Clients retry by themselves. If it lasts, raise --handshakes-per-s.
head_malformed|not an HTTP request|A scanner, or TLS.
head_timeout|the request came too late
head_too_large|the request head is too long|Often large cookies.
internal|internal error of the hub|Read the hub's log.
method|not a GET request, or one with a body
no_key|the hub has no key to verify tokens|Set --auth-hs256-key-file or --auth-jwks-file.
provider|no keys from the identity provider yet|See Health.
no_token|token and ticket are missing|A page connects before it has a token.
origin|the page's origin is not allowed|The log names it. If it is yours, add it to --allowed-origins.
protocol|no known subprotocol|Clients must offer bellwire.v1 or bellwire.raw.
query|an invalid query or cursor|A client sends a cursor that no hub gave it.
redis|tickets need Redis, which does not answer|See Health.
sockets|the hub's socket limit is reached|Add a hub, or raise --sockets-max.
subject|the token's sub is not a valid user id|Check the service that issues tokens.
ticket|an unknown, used or expired ticket|A ticket works once, within 30 s.
ticket_rate|too many tickets for one user
token|an invalid token|The log names the failed check.
token_expired|an expired token|-
upgrade|not a WebSocket handshake|A proxy does not forward upgrades.
user_sockets|the user's socket limit is reached|A page does not close its sockets.`);

export const RESUMES = glossary(`
replayed|resumed, and received what they had missed|-
nothing|resumed, and had missed nothing|-
gap|came back too late, and were told to read the feed`);

export const UNDELIVERED = glossary(`
not_here|the user has no socket on this hub|-
shed|dropped: the hub could not keep up; the feeds have them|Add a hub, or find the sender of the load.
unreadable|not a JSON object with a userId|Another service uses the channel.`);

/** Of the relay, and of presence and Redis' events. */
export const JOBS = glossary(`
ok|relay calls that succeeded|-
failed|relay calls that failed|The log says why: functions unreachable, or the relay's token expired.
presence|presence could not be written to Redis|See Health. Until it succeeds, who is online is wrong.
invalid|events from Redis that could not be read|Another service, or another version, publishes on bw:events.`);

/** What a code or reason means, also one that this page does not know. */
export const meaning = (table, name) => (Object.hasOwn(table, name) ? table[name] : { means: "unknown to this page" });

/** The reason of "code/reason". */
export const reasonOf = (label) => label.slice(label.indexOf("/") + 1);
