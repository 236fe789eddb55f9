//! The Lua scripts: one file per operation, its contract in the file's header.

use std::sync::OnceLock;

/// A script with its SHA-1, which is computed on first use and kept.
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

    /// Lower-case hex SHA-1 of the source, as EVALSHA takes it.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| sha1_smol::Sha1::from(self.source).digest().to_string())
    }
}

/// Each script with the parts that stand in front of it.
macro_rules! scripts {
    ($($(#[$doc:meta])* $constant:ident = $($part:literal)* / $name:literal;)*) => {
        $($(#[$doc])* pub static $constant: Script = Script::new(
            $name,
            concat!(
                $(include_str!(concat!("../lua/", $part, ".lua")),)*
                include_str!(concat!("../lua/", $name, ".lua"))
            ),
        );)*
        /// Every script, for tests that load or lint them all.
        pub static ALL: &[&Script] = &[$(&$constant),*];
    };
}

scripts! {
    /// Invalidates one cached value.
    CACHE_INVALIDATE = "cache" / "cache_invalidate";
    /// Reads a cached value, and decides what its reader has to do.
    CACHE_READ = "cache" / "cache_read";
    /// Invalidates everything with a tag.
    CACHE_TAGS = / "cache_tags";
    /// Ends a lease with what was fetched.
    CACHE_WRITE = "cache" / "cache_write";
    /// Adds users to a campaign, or replaces them.
    CAMPAIGN_ADD = "guard" "campaign" / "campaign_add";
    /// Removes a campaign with its responses.
    CAMPAIGN_DELETE = "campaign" / "campaign_delete";
    /// Takes users from a campaign.
    CAMPAIGN_NEXT = "guard" "campaign" / "campaign_next";
    /// Reads a page of responses.
    CAMPAIGN_PAGE = / "campaign_page";
    /// How far a campaign has come.
    CAMPAIGN_PROGRESS = "campaign" / "campaign_progress";
    /// Adds responses.
    CAMPAIGN_RESPOND = "guard" "campaign" / "campaign_respond";
    /// Takes a deleted entry out of a feed, or erases the feed.
    FEED_DELETE = "guard" "feed" / "feed_delete";
    /// Finds one entry of a feed.
    FEED_ENTRY = "feed" / "feed_entry";
    /// Heads of many feeds, for the relay.
    FEED_HEADS = "feed" / "feed_heads";
    /// Brings read marks to a feed.
    FEED_MARK = "guard" "feed" / "feed_mark";
    /// Push new entries in order, or load a cold feed from the record.
    FEED_PUSH = "guard" "feed" / "feed_push";
    /// Read a page of a feed.
    FEED_READ = "feed" / "feed_read";
    /// Tells what a Redis user may not do.
    PERMISSIONS = / "permissions";
    /// Takes a hub that ends out of presence.
    PRESENCE_RELEASE = "allow_oom" "guard" "presence" / "presence_release";
    /// Tells what changed at a hub, and keeps presence true.
    PRESENCE_SYNC = "allow_oom" "guard" "presence" / "presence_sync";
    /// Forgets messages that were dealt with.
    QUEUE_ACK = "guard" "queue" / "queue_ack";
    /// A page of dead letters.
    QUEUE_DEAD = "queue" / "queue_dead";
    /// Gives messages in flight more time.
    QUEUE_EXTEND = "queue" / "queue_extend";
    /// Gives messages back, or to the dead letters.
    QUEUE_NACK = "guard" "queue" / "queue_nack";
    /// Hands out messages.
    QUEUE_RECEIVE = "guard" "queue" / "queue_receive";
    /// Puts dead letters back.
    QUEUE_REDRIVE = "guard" "queue" / "queue_redrive";
    /// Appends messages.
    QUEUE_SEND = "guard" "queue" / "queue_send";
    /// What a queue holds.
    QUEUE_STATS = "queue" / "queue_stats";
    /// Reads a push token.
    TOKEN_READ = "token" / "token_read";
    /// Brings back from the record what Redis does not have.
    TOKEN_REFILL = "token" / "token_refill";
    /// Brings changes of many push tokens to Redis.
    TOKEN_WRITE = "token" / "token_write";
}
