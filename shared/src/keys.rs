//! Every Redis key and channel name, built in one place.
//!
//! Names without `bw:` are fixed: other services read and write them too. The companion of key K
//! is `bw:<kind>:{K}` with literal braces, so that both hash to one slot.

use crate::{CampaignId, UserId};

/// Channel of published notifications; existing gateways subscribe to it as well.
pub const NOTIFICATIONS_CHANNEL: &str = "notifications";
/// Channel of everything that is not a notification: read marks, probes.
pub const EVENTS_CHANNEL: &str = "bw:events";
/// Set of the ids of users with at least one live socket.
pub const ONLINE_USERS: &str = "online_users";

/// Sorted set beside [`ONLINE_USERS`]: until when each hub counts as alive.
pub const PRESENCE_LEASES: &str = "bw:leases:{online_users}";
/// Hash beside [`ONLINE_USERS`]: the last call of each hub that was carried out.
pub const PRESENCE_REVS: &str = "bw:revs:{online_users}";
/// Sets of the users whom each hub holds; the id of the hub's incarnation follows.
pub const PRESENCE_HUB_PREFIX: &str = "bw:hub:{online_users}:";

/// List of a user's notifications, newest first.
pub fn feed(user: &UserId) -> String {
    format!("notifications:{user}")
}

/// Hash beside a feed: epoch, head, length after our last write, read marks.
pub fn feed_companion(user: &UserId) -> String {
    format!("bw:feed:{{notifications:{user}}}")
}

/// A user's FCM token.
pub fn push_token(user: &UserId) -> String {
    format!("user:{user}:token")
}

/// Whether a key belongs to a capability of its own: no queue or resource may be named so.
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

/// Remembers the dedup id of a send.
pub fn queue_dedup(name: &str, dedup_id: &str) -> String {
    format!("bw:dedup:{{{name}}}:{dedup_id}")
}

/// What was decided about a cached value: freshness, cost, validators, versions of its tags.
pub fn cache_companion(key: &str) -> String {
    format!("bw:meta:{{{key}}}")
}

/// Who is fetching a cached value at the moment.
pub fn cache_lease(key: &str) -> String {
    format!("bw:lease:{{{key}}}")
}

/// Version and last invalidations of a tag of cached values.
pub fn cache_tag(tag: &str) -> String {
    format!("bw:tag:{{{tag}}}")
}

/// String beside a push token: the revision of the record that Redis has, and until when it is
/// known that there is none.
pub fn push_token_companion(user: &UserId) -> String {
    format!("bw:token:{{user:{user}:token}}")
}

/// List of the users that a campaign has still to reach, oldest first.
pub fn campaign(id: &CampaignId) -> String {
    format!("campaign:{id}")
}

/// List of what came back from a campaign, oldest first.
pub fn campaign_responses(id: &CampaignId) -> String {
    format!("campaign:{id}:responses")
}

/// Hash beside a campaign: how many users were taken, length after our last look.
pub fn campaign_companion(id: &CampaignId) -> String {
    format!("bw:campaign:{{campaign:{id}}}")
}

/// Remembers that a request on `key` was carried out, by the request's random `nonce`: its connection
/// may break, and it is made again then.
pub fn once(key: &str, nonce: &str) -> String {
    format!("bw:once:{{{key}}}:{nonce}")
}

/// What a one-time ticket stands for: the claims of the token that it was given for.
pub fn ticket(ticket: &str) -> String {
    format!("bw:ticket:{ticket}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

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
            push_token(&user),
            push_token_companion(&user),
            queue_dedup("QUEUE", "DEDUP"),
            cache_companion("KEY"),
            cache_lease("KEY"),
            cache_tag("TAG"),
            campaign(&id),
            campaign_responses(&id),
            campaign_companion(&id),
            once("QUEUE", "NONCE"),
            once(&campaign(&id), "NONCE"),
            ticket("TICKET"),
        ];
        all.extend(queue("QUEUE"));
        for key in all {
            let key = key.replace("DEDUP", "<dedup id>").replace("CAMPAIGN", "<id>");
            let words = ["USER", "QUEUE", "KEY", "TAG", "NONCE", "TICKET"];
            let shown = words
                .iter()
                .fold(key, |key, word| key.replace(word, &format!("<{}>", word.to_lowercase())));
            assert!(text.contains(&format!("`{shown}`")), "docs/redis-keys.md has no `{shown}`");
        }
    }
}
