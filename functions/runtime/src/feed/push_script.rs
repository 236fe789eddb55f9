//! Calls of `feed_push.lua` and `feed_push_many.lua`; the header of `feed_append.lua` explains arguments
//! and replies.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::{Notification, Quiet};
use shared::{UserId, keys, script};

use crate::many_users::{ManyUsers, UserReply};
use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// What became of an append; each number is a seq or a revision.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The feed is complete up to this seq.
    Ok(i64),
    /// The feed must be loaded first.
    Cold,
    /// The feed ends at this seq, and entries are missing before the given ones.
    Gap(i64),
    /// The feed does not have the entry with this seq in its place.
    Conflict(i64),
    /// The feed is ahead of this call, at this seq.
    Old(i64),
    /// The feed has seen this later revision of the record.
    Outdated(i64),
}

/// The arguments before the entries.
#[derive(Default)]
pub(super) struct Call<'a> {
    pub(super) mode: &'a str,
    pub(super) epoch: &'a str,
    pub(super) after: i64,
    pub(super) publish_after: i64,
    pub(super) head: i64,
    pub(super) rev: i64,
    pub(super) reads: String,
    /// The caller's `traceparent`, if its entries are published with it.
    pub(super) trace: Option<&'a str>,
    /// All entries from this seq to the oldest given one are imported, if that one is.
    pub(super) imported_from: Option<i64>,
}

impl Call<'_> {
    pub(super) async fn run(
        &self,
        redis: &impl Redis,
        user: &UserId,
        entries: &[Notification],
    ) -> Result<Pushed, RedisError> {
        let channels = redis.live().channels(keys::NOTIFICATIONS_CHANNEL, user);
        let jsons: Vec<String> = entries.iter().map(Notification::to_json).collect();
        let mut imported_from = self.imported_from;
        let expiries: Vec<i64> =
            entries.iter().map(|entry| expiry(entry, imported_from.take())).collect();
        let traced: Vec<Option<String>> =
            expiries.iter().map(|expiry| traced(*expiry, self.trace)).collect();
        let mut args = vec![
            Arg::Text(self.mode),
            Arg::Text(self.epoch),
            Arg::Int(self.after),
            Arg::Int(self.publish_after),
            Arg::Int(FEED_ENTRIES_MAX as i64),
            Arg::Int(FEED_TTL_S as i64),
            Arg::Int(self.head),
            Arg::Int(self.rev),
            Arg::Text(&self.reads),
            Arg::Text(&channels),
        ];
        let texts = jsons.iter().zip(&expiries).zip(&traced);
        for (entry, ((json, expiry), traced)) in entries.iter().zip(texts) {
            args.push(Arg::Int(entry.seq));
            args.push(Arg::Text(json));
            args.push(traced.as_deref().map_or(Arg::Int(*expiry), Arg::Text));
        }
        let keys = [keys::feed(user), keys::feed_companion(user)];
        parse(&redis.eval(&script::FEED_PUSH, &keys, &args).await?)
    }
}

/// Appends one entry to each of many feeds, as a [`Call`] for each would: a user's first entry loads
/// the feed. Returns for each what became of it; `None` if only a call for this user alone can tell.
pub(super) async fn push_many(
    redis: &impl Redis,
    epoch: &str,
    entries: &[Notification],
    trace: Option<&str>,
) -> Vec<Result<Option<Pushed>, RedisError>> {
    let live = redis.live();
    let one = |entry: &Notification| {
        let channels = live.channels(keys::NOTIFICATIONS_CHANNEL, &entry.draft.user_id);
        let (json, expiry) = (entry.to_json(), expiry(entry, None));
        (channels, json, expiry, traced(expiry, trace))
    };
    let texts: Vec<_> = entries.iter().map(one).collect();
    let each = entries.iter().zip(&texts).flat_map(|(entry, (channels, json, expiry, traced))| {
        let is_first = entry.seq == 1;
        [
            Arg::Text(if is_first { "load" } else { "push" }),
            Arg::Int(entry.seq - 1),
            Arg::Int(if is_first { 1 } else { 0 }),
            Arg::Text(channels),
            Arg::Int(entry.seq),
            Arg::Text(json),
            traced.as_deref().map_or(Arg::Int(*expiry), Arg::Text),
        ]
    });
    let feed = |entry: &Notification| {
        let user = &entry.draft.user_id;
        [keys::feed(user), keys::feed_companion(user)]
    };
    let call = ManyUsers {
        script: &script::FEED_PUSH_MANY,
        keys: entries.iter().map(feed).collect(),
        fixed: vec![
            Arg::Text(epoch),
            Arg::Int(FEED_ENTRIES_MAX as i64),
            Arg::Int(FEED_TTL_S as i64),
        ],
        each: each.collect(),
        replies_each: 2,
    };
    let of_one = |reply: UserReply| match reply {
        Ok(reply) => Ok(pushed(&reply)),
        // Redis may refuse the whole call for one of its keys.
        Err(RedisError::Refused(_) | RedisError::WrongType) => Ok(None),
        Err(error) => Err(error),
    };
    call.run(redis).await.into_iter().map(of_one).collect()
}

/// The last argument of an entry that is published with the caller's `traceparent`.
fn traced(expiry: i64, trace: Option<&str>) -> Option<String> {
    trace.map(|trace| format!("{expiry} {trace}"))
}

/// The last argument of an entry: its expiry in milliseconds since the Unix epoch, 0 for never, -1
/// for a muted one, or -1 - `imported_from` for an imported one, whose own seq is the default.
fn expiry(entry: &Notification, imported_from: Option<i64>) -> i64 {
    match entry.quiet {
        Some(Quiet::Muted) => -1,
        Some(Quiet::Imported) => -1 - imported_from.unwrap_or(entry.seq),
        None => entry.draft.expires_at_ms.map_or(0, |ms| ms.max(1)),
    }
}

fn parse(reply: &[Reply]) -> Result<Pushed, RedisError> {
    match (pushed(reply), reply.first().and_then(Reply::text)) {
        (Some(pushed), _) => Ok(pushed),
        // In the feed, but not published: the relay continues from there.
        (None, Some("untold")) => {
            let why = reply.get(2).and_then(Reply::text).unwrap_or("PUBLISH failed");
            Err(RedisError::Refused(why.to_owned()))
        }
        _ => Err(RedisError::Malformed(script::FEED_PUSH.name)),
    }
}

fn pushed(reply: &[Reply]) -> Option<Pushed> {
    let number = reply.get(1).and_then(Reply::int)?;
    match reply.first().and_then(Reply::text)? {
        "ok" => Some(Pushed::Ok(number)),
        "cold" => Some(Pushed::Cold),
        "gap" => Some(Pushed::Gap(number)),
        "conflict" => Some(Pushed::Conflict(number)),
        "old" => Some(Pushed::Old(number)),
        "outdated" => Some(Pushed::Outdated(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_replies_are_errors() {
        let text = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        assert_eq!(parse(&[text("gap"), Reply::Int(7)]), Ok(Pushed::Gap(7)));
        let untold = [text("untold"), Reply::Int(7), text("NOPERM")];
        assert_eq!(parse(&untold), Err(RedisError::Refused("NOPERM".to_owned())));
        for bad in [&[][..], &[Reply::Int(7)], &[text("ok")], &[text("other"), Reply::Int(7)]] {
            assert_eq!(parse(bad), Err(RedisError::Malformed("feed_push")), "{bad:?}");
        }
    }
}
