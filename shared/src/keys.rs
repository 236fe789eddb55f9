//! Every Redis key and channel name, built in one place.
//!
//! Names without `bw:` are fixed: other services use them, too. The companion of key K is
//! `bw:<kind>:{K}` with literal braces, so that both are in one hash slot.

use crate::{CampaignId, UserId, digest};

/// Channel of published notifications; existing gateways subscribe to it, too.
pub const NOTIFICATIONS_CHANNEL: &str = "notifications";
/// Channel of other events: read marks and probes.
pub const EVENTS_CHANNEL: &str = "bw:events";
/// Set of the ids of users with at least one live socket.
pub const ONLINE_USERS: &str = "online_users";

/// Sorted set: the time until which each hub counts as alive.
pub const PRESENCE_LEASES: &str = "bw:leases:{online_users}";
/// Hash: the number of each hub's last executed call.
pub const PRESENCE_REVS: &str = "bw:revs:{online_users}";
/// Prefix of the sets of each hub's users; the id of the hub's incarnation follows.
pub const PRESENCE_HUB_PREFIX: &str = "bw:hub:{online_users}:";

/// List of a user's notifications, newest first.
pub fn feed(user: &UserId) -> String {
    format!("notifications:{user}")
}

/// Hash of a feed: epoch, head, length after Bellwire's last write, read marks.
pub fn feed_companion(user: &UserId) -> String {
    format!("bw:feed:{{notifications:{user}}}")
}

/// The user's own channel, a shard channel in the slot of the feed: a script that appends to the feed
/// may publish on it.
pub fn live_channel(user: &UserId) -> String {
    format!("bw:live:{{notifications:{user}}}")
}

/// The id of the user whose own channel this is, unchecked; `None` for another channel.
pub fn user_of_live_channel(channel: &[u8]) -> Option<&str> {
    let id = channel.strip_prefix(b"bw:live:{notifications:")?.strip_suffix(b"}")?;
    std::str::from_utf8(id).ok()
}

/// A shard channel on which hubs publish probes. Its number places it on a certain master.
pub fn probe_channel(n: u32) -> String {
    format!("bw:probe:{n}")
}

/// String: the hub that forwards other services' messages, as long as it exists.
pub const BRIDGE: &str = "bw:bridge";

/// String: the last message of another service that was forwarded to the user's own channel.
pub fn bridged(user: &UserId) -> String {
    format!("bw:bridged:{{notifications:{user}}}")
}

/// A user's FCM token.
pub fn push_token(user: &UserId) -> String {
    format!("user:{user}:token")
}

/// Whether the key belongs to a capability: no queue or resource may have this name.
pub fn is_reserved(key: &str) -> bool {
    const PREFIXES: [&str; 4] = ["bw:", "user:", "campaign:", "notifications:"];
    key == ONLINE_USERS || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// A queue's list and its companions, in the order of `queue.lua`.
pub fn queue(name: &str) -> [String; 9] {
    let companion = |kind: &str| format!("bw:{kind}:{{{name}}}");
    [
        name.to_owned(),
        companion("queue"),
        companion("retry"),
        companion("inflight"),
        companion("delayed"),
        companion("dead"),
        companion("since"),
        companion("payloads"),
        companion("states"),
    ]
}

/// String that marks a dedup id as used.
pub fn queue_dedup(name: &str, dedup_id: &str) -> String {
    format!("bw:dedup:{{{name}}}:{dedup_id}")
}

/// Sorted set of the names of queues, in alphabetical order: all scores are 0.
pub const QUEUES: &str = "bw:queues";
/// Sorted set of the same names by the time of their last use, in seconds.
pub const QUEUES_TOUCHED: &str = "bw:touched:{bw:queues}";

/// String: the keys of an identity provider as JSON, by the URL that is asked first.
pub fn provider_keys(url: &str) -> String {
    format!("bw:jwks:{}", short_digest(url))
}

/// String: an instance is fetching the provider's keys.
pub fn provider_lease(url: &str) -> String {
    format!("bw:jwks:{}:lease", short_digest(url))
}

/// String: the provider was asked for an unknown key.
pub fn provider_lookup(url: &str) -> String {
    format!("bw:jwks:{}:lookup", short_digest(url))
}

/// A name of fixed length that two URLs do not share by accident.
fn short_digest(url: &str) -> String {
    digest::of_text(url).chars().take(32).collect()
}

/// Metadata of a cached value: freshness, cost, validators, versions of its tags.
pub fn cache_companion(key: &str) -> String {
    format!("bw:meta:{{{key}}}")
}

/// The cache lease of the reader that is fetching a cached value.
pub fn cache_lease(key: &str) -> String {
    format!("bw:lease:{{{key}}}")
}

/// Version and last invalidations of a tag of cached values.
pub fn cache_tag(tag: &str) -> String {
    format!("bw:tag:{{{tag}}}")
}

/// Hash of the reads and fetches of the cache in one hour, counted since the Unix epoch. All hours
/// are in one hash slot.
pub fn cache_counts(hour: i64) -> String {
    format!("bw:counts:{{cache}}:{hour}")
}

/// Queue of the push services' responses.
pub const NOTIFICATION_RESPONSES: &str = "notification:responses";
/// Channel on which creates tell the push workers that a push is due.
pub const PUSH_CHANNEL: &str = "bw:push";
/// List of test pushes that wait for a push worker, oldest first.
pub const PUSH_TESTS: &str = "bw:push:tests";

/// The results of a test push, by its random `nonce`.
pub fn push_test(nonce: &str) -> String {
    format!("bw:push:test:{nonce}")
}

/// String about a push token: the record's revision in Redis, and the time until which its absence
/// is known.
pub fn push_token_companion(user: &UserId) -> String {
    format!("bw:token:{{user:{user}:token}}")
}

/// List of the users still to be reached by a campaign, oldest first.
pub fn campaign(id: &CampaignId) -> String {
    format!("campaign:{id}")
}

/// List of a campaign's responses, oldest first.
pub fn campaign_responses(id: &CampaignId) -> String {
    format!("campaign:{id}:responses")
}

/// Hash of a campaign: the number of users taken, and the length after the last call.
pub fn campaign_companion(id: &CampaignId) -> String {
    format!("bw:campaign:{{campaign:{id}}}")
}

/// A campaign's keys for its push, in the order of `push.lua`: its list and companion; the push
/// itself; blocks by the end of their block lease; users who wait for another attempt, by its time;
/// dead letters; and the prefix of the blocks' keys, which `:` and the block's id complete.
pub fn campaign_push(id: &CampaignId) -> [String; 7] {
    let companion = |kind: &str| format!("bw:{kind}:{{campaign:{id}}}");
    [
        campaign(id),
        campaign_companion(id),
        companion("push"),
        companion("pushblocks"),
        companion("pushretry"),
        companion("pushdead"),
        companion("pushblock"),
    ]
}

/// Sorted set of the campaigns whose pushes are under way, by the time of the last touch, in
/// milliseconds.
pub const PUSHING: &str = "bw:pushing";

/// Marks a request on `key` as executed, by its random `nonce`, since a request is repeated after
/// its connection broke.
pub fn once(key: &str, nonce: &str) -> String {
    format!("bw:once:{{{key}}}:{nonce}")
}

/// The claims of the token that a one-time ticket was issued for.
pub fn ticket(ticket: &str) -> String {
    format!("bw:ticket:{ticket}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_its_user() {
        let user = UserId::parse("a.b").unwrap();
        assert_eq!(user_of_live_channel(live_channel(&user).as_bytes()), Some("a.b"));
        for other in ["", "bw:probe:1", "bw:live:{notifications:a", "bw:live:{other:a}"] {
            assert_eq!(user_of_live_channel(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_name_is_in_docs_redis_keys() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/redis-keys.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (user, id) = (UserId::parse("USER").unwrap(), CampaignId::parse("CAMPAIGN").unwrap());
        let mut all = vec![
            NOTIFICATIONS_CHANNEL.to_owned(),
            EVENTS_CHANNEL.to_owned(),
            ONLINE_USERS.to_owned(),
            PRESENCE_LEASES.to_owned(),
            PRESENCE_REVS.to_owned(),
            format!("{PRESENCE_HUB_PREFIX}<incarnation>"),
            feed(&user),
            feed_companion(&user),
            live_channel(&user),
            probe_channel(0).replace('0', "N"),
            BRIDGE.to_owned(),
            bridged(&user),
            push_token(&user),
            push_token_companion(&user),
            queue_dedup("QUEUE", "DEDUP"),
            cache_companion("KEY"),
            cache_lease("KEY"),
            cache_tag("TAG"),
            cache_counts(0).replace('0', "HOUR"),
            NOTIFICATION_RESPONSES.to_owned(),
            PUSH_CHANNEL.to_owned(),
            PUSH_TESTS.to_owned(),
            push_test("NONCE"),
            QUEUES.to_owned(),
            QUEUES_TOUCHED.to_owned(),
            campaign(&id),
            campaign_responses(&id),
            campaign_companion(&id),
            once("QUEUE", "NONCE"),
            once(&campaign(&id), "NONCE"),
            ticket("TICKET"),
            once(&campaign_responses(&id), "NONCE"),
            PUSHING.to_owned(),
            format!("{}:BLOCK", campaign_push(&id)[6]),
        ];
        all.extend(queue("QUEUE"));
        all.extend(campaign_push(&id).into_iter().take(6));
        for key in all {
            let key = key.replace("DEDUP", "<dedup id>").replace("CAMPAIGN", "<id>");
            let words = ["USER", "QUEUE", "KEY", "TAG", "HOUR", "NONCE", "TICKET", "BLOCK", "N"];
            let shown = words
                .iter()
                .fold(key, |key, word| key.replace(word, &format!("<{}>", word.to_lowercase())));
            assert!(text.contains(&format!("`{shown}`")), "docs/redis-keys.md has no `{shown}`");
        }
    }
}
