//! The Lua scripts: one file per operation, with its contract in the header.

use std::sync::OnceLock;

/// A script with its SHA-1, which is computed on first use.
pub struct Script {
    /// File name without `.lua`, for logs.
    pub name: &'static str,
    pub source: &'static str,
    sha1: OnceLock<String>,
    /// `None` if a cluster gets the same script.
    on_cluster: OnceLock<Option<Box<Script>>>,
}

/// A line of `guard.lua`, as one Redis and as a cluster get it.
const ON_ONE: &str = "local is_on_cluster = false";
const ON_CLUSTER: &str = "local is_on_cluster = true";

impl Script {
    /// A script for a `static`. `name` appears in logs.
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, source, sha1: OnceLock::new(), on_cluster: OnceLock::new() }
    }

    /// The script for a Redis Cluster, which also watches for a hash slot that moves (`guard.lua`).
    pub fn on_cluster(&self) -> &Script {
        // Once per script and process: a search through the source took a fifth of the component's
        // time of a feed read.
        let on_cluster = self.on_cluster.get_or_init(|| {
            let is_guarded = self.source.contains(ON_ONE);
            let source = || self.source.replacen(ON_ONE, ON_CLUSTER, 1).leak();
            is_guarded.then(|| Box::new(Script::new(self.name, source())))
        });
        on_cluster.as_deref().unwrap_or(self)
    }

    /// Lower-case hex SHA-1 of the source, for EVALSHA.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| sha1_smol::Sha1::from(self.source).digest().to_string())
    }
}

/// Defines each script as its preludes, then its own file. The file names the same preludes in its
/// first line (`-- @include guard feed`), for readers.
macro_rules! scripts {
    ($($(#[$doc:meta])* $constant:ident = $($part:literal)* / $name:literal;)*) => {
        $($(#[$doc])* pub static $constant: Script = Script::new(
            $name,
            concat!(
                $(include_str!(concat!("../lua/", $part, ".lua")),)*
                include_str!(concat!("../lua/", $name, ".lua"))
            ),
        );)*
        /// Every script, for tests that load or check all of them.
        pub static ALL: &[&Script] = &[$(&$constant),*];

        /// Each script's name, declared preludes and own file.
        #[cfg(test)]
        const DECLARED: &[(&str, &[&str], &str)] = &[$(
            ($name, &[$($part),*], include_str!(concat!("../lua/", $name, ".lua")))
        ),*];
    };
}

scripts! {
    /// Publishes another service's message on its user's own channel, once.
    BRIDGE_FORWARD = "guard" / "bridge_forward";
    /// Takes, renews or hands back the lease of the bridge.
    BRIDGE_LEASE = / "bridge_lease";
    /// Adds an instance's reads and fetches of the cache to those of the fleet.
    CACHE_COUNT = / "cache_count";
    /// Invalidates one cached value.
    CACHE_INVALIDATE = "guard" "cache" / "cache_invalidate";
    /// Reads many cached values of one server, on a cluster.
    CACHE_PEEK = / "cache_peek";
    /// Reads a cached value, and decides what the reader has to do.
    CACHE_READ = "cache" / "cache_read";
    /// Adds up the fleet's reads and fetches of the cache.
    CACHE_SUM = / "cache_sum";
    /// Invalidates all values with a tag.
    CACHE_TAGS = / "cache_tags";
    /// Reads the versions of tags, on a cluster.
    CACHE_VERSIONS = / "cache_versions";
    /// Ends a cache lease with the fetched value.
    CACHE_WRITE = "guard" "cache" / "cache_write";
    /// Adds users to a campaign, or replaces them.
    CAMPAIGN_ADD = "guard" "campaign" / "campaign_add";
    /// Removes a campaign's responses, on a cluster.
    CAMPAIGN_CLEAR = "guard" "campaign" / "campaign_clear";
    /// Removes a campaign with its responses.
    CAMPAIGN_DELETE = "guard" "campaign" / "campaign_delete";
    /// Takes users from a campaign.
    CAMPAIGN_NEXT = "guard" "campaign" / "campaign_next";
    /// Reads a page of responses.
    CAMPAIGN_PAGE = / "campaign_page";
    /// Reports a campaign's progress.
    CAMPAIGN_PROGRESS = "guard" "campaign" / "campaign_progress";
    /// Adds responses.
    CAMPAIGN_RESPOND = "guard" "campaign" / "campaign_respond";
    /// Counts a campaign's responses, on a cluster.
    CAMPAIGN_RESPONSES = / "campaign_responses";
    /// Removes a deleted entry from a feed, or erases the feed.
    FEED_DELETE = "guard" "feed" "publish" / "feed_delete";
    /// Finds one entry of a feed.
    FEED_ENTRY = "feed" / "feed_entry";
    /// Returns the heads of many feeds, for the relay.
    FEED_HEADS = "feed" / "feed_heads";
    /// Applies read marks to a feed.
    FEED_MARK = "guard" "feed" "publish" / "feed_mark";
    /// Appends new entries in order, or loads a cold feed from the record.
    FEED_PUSH = "guard" "feed" "publish" "feed_append" / "feed_push";
    /// Appends one new entry to each of many feeds.
    FEED_PUSH_MANY = "guard" "users" "feed" "publish" "feed_append" / "feed_push_many";
    /// Reads a page of a feed.
    FEED_READ = "feed" / "feed_read";
    /// Removes elements of other services from a feed.
    FEED_REMOVE = "guard" "feed" "publish" / "feed_remove";
    /// Reads where a feed stands and how much of it is unread, for the hub.
    FEED_UNREAD = "feed" / "feed_unread";
    /// Lists the permissions that a Redis user lacks.
    PERMISSIONS = / "permissions";
    /// Removes the users of a stopping hub from presence.
    PRESENCE_RELEASE = "allow_oom" "guard" "presence" / "presence_release";
    /// Applies a hub's changes, and keeps presence correct.
    PRESENCE_SYNC = "allow_oom" "guard" "presence" / "presence_sync";
    /// Asks the push workers for a test push.
    PUSH_TEST = "guard" / "push_test";
    /// Removes processed messages.
    QUEUE_ACK = "guard" "queue" / "queue_ack";
    /// Reads a page of dead letters.
    QUEUE_DEAD = "guard" "queue" / "queue_dead";
    /// Extends the visibility timeout of messages in flight.
    QUEUE_EXTEND = "guard" "queue" / "queue_extend";
    /// Returns messages to the queue, or moves them to the dead letters.
    QUEUE_NACK = "guard" "queue" / "queue_nack";
    /// Receives messages.
    QUEUE_RECEIVE = "guard" "queue" / "queue_receive";
    /// Returns dead letters to the queue.
    QUEUE_REDRIVE = "guard" "queue" / "queue_redrive";
    /// Appends messages.
    QUEUE_SEND = "guard" "queue" / "queue_send";
    /// Counts a queue's messages by state.
    QUEUE_STATS = "guard" "queue" / "queue_stats";
    /// Reads a page of the index of queues.
    QUEUES_PAGE = "guard" / "queues_page";
    /// Notes in the index of queues that one was used.
    QUEUES_TOUCH = "guard" / "queues_touch";
    /// Gives users of a campaign to a push worker.
    PUSH_CLAIM = "guard" "campaign" "push" / "push_claim";
    /// Pauses, resumes or cancels a campaign's push.
    PUSH_CONTROL = "allow_oom" "guard" "campaign" "push" / "push_control";
    /// Reports the progress of a campaign's push.
    PUSH_PROGRESS = "guard" "campaign" "push" / "push_progress";
    /// Returns dead letters of a campaign's push to be attempted.
    PUSH_REDRIVE = "guard" "campaign" "push" / "push_redrive";
    /// Adds a push worker's responses to those of a campaign.
    PUSH_RESPOND = "guard" / "push_respond";
    /// Notes what became of users whom a push worker had.
    PUSH_SETTLE = "allow_oom" "guard" "campaign" "push" / "push_settle";
    /// Starts a campaign's push.
    PUSH_START = "guard" "campaign" "push" / "push_start";
    /// Keeps a campaign in the index of those under way, or removes it.
    PUSH_TOUCH = / "push_touch";
    /// Reads a push token.
    TOKEN_READ = "users" "token" / "token_read";
    /// Restores tokens that Redis lacks from the record.
    TOKEN_REFILL = "guard" "users" "token" / "token_refill";
    /// Writes changes of many push tokens.
    TOKEN_WRITE = "guard" "users" "token" / "token_write";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarded_scripts_differ_on_a_cluster() {
        for ((name, preludes, _), script) in DECLARED.iter().zip(ALL) {
            let on_cluster = script.on_cluster();
            let differs =
                on_cluster.source.contains(ON_CLUSTER) && !script.source.contains(ON_CLUSTER);
            assert_eq!(differs, preludes.contains(&"guard"), "{name}");
            assert_eq!(on_cluster.sha1() != script.sha1(), differs, "{name}");
        }
    }

    #[test]
    fn a_file_names_the_preludes_that_it_is_composed_with() {
        for (name, preludes, file) in DECLARED {
            let header = file.lines().next().and_then(|line| line.strip_prefix("-- @include "));
            let named: Vec<&str> = header.unwrap_or_default().split_whitespace().collect();
            assert_eq!(named, *preludes, "{name}.lua");
        }
    }
}
