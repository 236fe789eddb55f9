//! The Lua scripts: one file per operation, with its contract in the header.

use std::sync::OnceLock;

/// A script with its SHA-1, which is computed on first use.
pub struct Script {
    /// File name without `.lua`, for logs.
    pub name: &'static str,
    pub source: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    /// A script for a `static`. `name` appears in logs.
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, source, sha1: OnceLock::new() }
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
    /// Adds an instance's reads and fetches of the cache to those of the fleet.
    CACHE_COUNT = / "cache_count";
    /// Invalidates one cached value.
    CACHE_INVALIDATE = "cache" / "cache_invalidate";
    /// Reads a cached value, and decides what the reader has to do.
    CACHE_READ = "cache" / "cache_read";
    /// Adds up the fleet's reads and fetches of the cache.
    CACHE_SUM = / "cache_sum";
    /// Invalidates all values with a tag.
    CACHE_TAGS = / "cache_tags";
    /// Ends a cache lease with the fetched value.
    CACHE_WRITE = "cache" / "cache_write";
    /// Adds users to a campaign, or replaces them.
    CAMPAIGN_ADD = "guard" "campaign" / "campaign_add";
    /// Removes a campaign with its responses.
    CAMPAIGN_DELETE = "campaign" / "campaign_delete";
    /// Takes users from a campaign.
    CAMPAIGN_NEXT = "guard" "campaign" / "campaign_next";
    /// Reads a page of responses.
    CAMPAIGN_PAGE = / "campaign_page";
    /// Reports a campaign's progress.
    CAMPAIGN_PROGRESS = "campaign" / "campaign_progress";
    /// Adds responses.
    CAMPAIGN_RESPOND = "guard" "campaign" / "campaign_respond";
    /// Removes a deleted entry from a feed, or erases the feed.
    FEED_DELETE = "guard" "feed" / "feed_delete";
    /// Finds one entry of a feed.
    FEED_ENTRY = "feed" / "feed_entry";
    /// Returns the heads of many feeds, for the relay.
    FEED_HEADS = "feed" / "feed_heads";
    /// Applies read marks to a feed.
    FEED_MARK = "guard" "feed" / "feed_mark";
    /// Appends new entries in order, or loads a cold feed from the record.
    FEED_PUSH = "guard" "feed" / "feed_push";
    /// Reads a page of a feed.
    FEED_READ = "feed" / "feed_read";
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
    QUEUE_DEAD = "queue" / "queue_dead";
    /// Extends the visibility timeout of messages in flight.
    QUEUE_EXTEND = "queue" / "queue_extend";
    /// Returns messages to the queue, or moves them to the dead letters.
    QUEUE_NACK = "guard" "queue" / "queue_nack";
    /// Receives messages.
    QUEUE_RECEIVE = "guard" "queue" / "queue_receive";
    /// Returns dead letters to the queue.
    QUEUE_REDRIVE = "guard" "queue" / "queue_redrive";
    /// Appends messages.
    QUEUE_SEND = "guard" "queue" / "queue_send";
    /// Counts a queue's messages by state.
    QUEUE_STATS = "queue" / "queue_stats";
    /// Reads a page of the index of queues.
    QUEUES_PAGE = / "queues_page";
    /// Notes in the index of queues that one was used.
    QUEUES_TOUCH = / "queues_touch";
    /// Gives users of a campaign to a push worker.
    PUSH_CLAIM = "guard" "campaign" "push" / "push_claim";
    /// Pauses, resumes or cancels a campaign's push.
    PUSH_CONTROL = "allow_oom" "guard" "campaign" "push" / "push_control";
    /// Reports the progress of a campaign's push.
    PUSH_PROGRESS = "campaign" "push" / "push_progress";
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
    TOKEN_READ = "token" / "token_read";
    /// Restores tokens that Redis lacks from the record.
    TOKEN_REFILL = "token" / "token_refill";
    /// Writes changes of many push tokens.
    TOKEN_WRITE = "token" / "token_write";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_the_preludes_that_it_is_composed_with() {
        for (name, preludes, file) in DECLARED {
            let header = file.lines().next().and_then(|line| line.strip_prefix("-- @include "));
            let named: Vec<&str> = header.unwrap_or_default().split_whitespace().collect();
            assert_eq!(named, *preludes, "{name}.lua");
        }
    }
}
