//! One call of `feed_push.lua`, whose header explains arguments and replies.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::{Notification, Quiet};
use shared::{UserId, keys, script};

use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// The reply of `feed_push.lua`; each number is a seq or a revision.
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

/// The arguments of `feed_push.lua` before the entries; its header explains them.
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
        let traced = |trace: &str| -> Vec<String> {
            expiries.iter().map(|expiry| format!("{expiry} {trace}")).collect()
        };
        let traced = self.trace.map(traced).unwrap_or_default();
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
        for (at, ((entry, json), expiry)) in entries.iter().zip(&jsons).zip(&expiries).enumerate() {
            args.push(Arg::Int(entry.seq));
            args.push(Arg::Text(json));
            args.push(traced.get(at).map_or(Arg::Int(*expiry), |traced| Arg::Text(traced)));
        }
        let keys = [keys::feed(user), keys::feed_companion(user)];
        parse(&redis.eval(&script::FEED_PUSH, &keys, &args).await?)
    }
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
    let head = reply.get(1).and_then(Reply::int);
    match (reply.first().and_then(Reply::text), head) {
        (Some("ok"), Some(head)) => Ok(Pushed::Ok(head)),
        (Some("cold"), _) => Ok(Pushed::Cold),
        (Some("gap"), Some(head)) => Ok(Pushed::Gap(head)),
        (Some("conflict"), Some(seq)) => Ok(Pushed::Conflict(seq)),
        (Some("old"), Some(head)) => Ok(Pushed::Old(head)),
        (Some("outdated"), Some(rev)) => Ok(Pushed::Outdated(rev)),
        // In the feed, but not published: the relay continues from there.
        (Some("untold"), Some(_)) => {
            let why = reply.get(2).and_then(Reply::text).unwrap_or("PUBLISH failed");
            Err(RedisError::Refused(why.to_owned()))
        }
        _ => Err(RedisError::Malformed(script::FEED_PUSH.name)),
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
