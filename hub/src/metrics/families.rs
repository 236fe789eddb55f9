//! The families of `/metrics`: names, labels and help. Both formats add `_total` to the names of
//! counters, and the library a full stop to every help.

use native::metrics::{Families, Histogram, by};

use crate::http::refusal_reason::Reason;
use crate::metrics::{CLOSES, Metrics};
use crate::protocol::Protocol;

/// Buckets for the time from a message's receipt to its last byte in the kernel, in nanoseconds:
/// from 50 µs, as on an idle machine, to 2.5 s, which is no longer live.
pub(crate) const DELIVERY_NS: [u64; 15] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
];
/// Buckets for the entries of a replay: a feed has 100, and those of other services.
const REPLAY_ENTRIES: [u64; 7] = [0, 1, 3, 10, 30, 100, 300];

const NS_PER_S: f64 = 1e9;

/// Label values, in the order of the counters.
pub(crate) const PROTOCOLS: [&str; Protocol::COUNT] = ["raw", "v1", "sse"];
pub(crate) const UNDELIVERED: [&str; 3] = ["unreadable", "not_here", "shed"];
pub(crate) const RESUMES: [&str; 3] = ["replayed", "gap", "nothing"];
pub(crate) const CAUSES: [&str; 3] = ["first", "moved", "closed"];
pub(crate) const BRIDGED: [&str; 6] = ["forwarded", "ours", "unreadable", "late", "failed", "shed"];
pub(crate) const CALLS: [&str; 2] = ["ok", "failed"];

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Families::default();
        all.process(["bellwire_hub_build", "The version of the hub"]);
        Self {
            sockets: all
                .family(["bellwire_hub_sockets", "Open sockets"], by("protocol", PROTOCOLS)),
            users: all.one("bellwire_hub_users", "Users with a socket on this hub"),
            connects: all.one("bellwire_hub_connects", "Accepted TCP connections"),
            refusals: all.family(
                ["bellwire_hub_refused", "Rejected connections, handshakes and ticket requests"],
                Reason::ALL.map(|why| [("code", why.code()), ("reason", why.as_str())]),
            ),
            closes: all.family(
                [
                    "bellwire_hub_closed",
                    "Closed sockets, by close code; `none` if the connection ended without one",
                ],
                std::array::from_fn(|at| [("code", close_code(at))]),
            ),
            messages: all.family(
                ["bellwire_hub_messages", "Messages from Redis"],
                by("channel", ["notifications", "events"]),
            ),
            undelivered: all.family(
                ["bellwire_hub_undelivered", "Messages that were not sent to any socket"],
                by("reason", UNDELIVERED),
            ),
            invalid_events: all.one("bellwire_hub_odd_events", "Invalid events"),
            delivered: all.one("bellwire_hub_delivered", "Frames passed to the kernel"),
            delivery: all.add(
                "bellwire_hub_delivery_seconds",
                "Time from receipt on the subscription to the write to a socket",
                Histogram::new(&DELIVERY_NS, NS_PER_S),
            ),
            resumes: all.family(
                ["bellwire_hub_resumes", "Sockets that sent a cursor"],
                by("outcome", RESUMES),
            ),
            replays: all.add(
                "bellwire_hub_replay_entries",
                "Entries replayed to a resuming socket",
                Histogram::new(&REPLAY_ENTRIES, 1.0),
            ),
            gaps: all.one("bellwire_hub_gaps", "Gaps sent to sockets"),
            catch_ups: all.family(
                ["bellwire_hub_reads", "Users whose head or feed was read"],
                by("of", ["heads", "feeds"]),
            ),
            catch_up_failures: all.family(
                ["bellwire_hub_read_failures", "Users whose head or feed could not be read"],
                by("of", ["heads", "feeds"]),
            ),
            connections_lost: all.family(
                ["bellwire_hub_redis_lost", "Lost connections"],
                by("of", ["subscription", "commands"]),
            ),
            commands_connected: all.one(
                "bellwire_hub_redis_connected",
                "Established connections for commands, one to each master",
            ),
            channel_joins: all.family(
                ["bellwire_hub_channel_joins", "Subscriptions of users' own channels, by cause"],
                by("cause", CAUSES),
            ),
            channel_join: all.add(
                "bellwire_hub_channel_join_seconds",
                "Time until Redis confirmed the subscription of a user's own channel",
                Histogram::new(&DELIVERY_NS, NS_PER_S),
            ),
            bridge: all.one(
                "bellwire_hub_bridge",
                "Whether this hub forwards what other services publish",
            ),
            bridged: all.family(
                ["bellwire_hub_bridged", "Messages that this hub received to forward them"],
                by("outcome", BRIDGED),
            ),
            presence_failures: all
                .one("bellwire_hub_presence_failures", "Failed writes of presence"),
            relay_calls: all
                .family(["bellwire_hub_relay_calls", "Calls to the relay"], by("outcome", CALLS)),
            tickets_issued: all.one("bellwire_hub_tickets_issued", "One-time tickets issued"),
            tickets_redeemed: all
                .one("bellwire_hub_tickets_redeemed", "One-time tickets redeemed on this hub"),
            families: all.0,
        }
    }
}

/// The label of the counter of closes at this place.
pub(crate) fn close_code(at: usize) -> String {
    match CLOSES.get(at) {
        Some(code) => code.to_string(),
        None if at == CLOSES.len() => "none".to_owned(),
        None => "other".to_owned(),
    }
}
