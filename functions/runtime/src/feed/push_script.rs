//! One call of `feed_push.lua`, whose header explains arguments and replies.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::Notification;
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
}

impl Call<'_> {
    pub(super) async fn run(
        &self,
        redis: &impl Redis,
        user: &UserId,
        entries: &[Notification],
    ) -> Result<Pushed, RedisError> {
        let jsons: Vec<String> = entries.iter().map(Notification::to_json).collect();
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
            Arg::Text(keys::NOTIFICATIONS_CHANNEL),
        ];
        for (entry, json) in entries.iter().zip(&jsons) {
            args.push(Arg::Int(entry.seq));
            args.push(Arg::Text(json));
            args.push(Arg::Int(entry.draft.expires_at_ms.map_or(0, |ms| ms.max(1))));
        }
        let keys = [keys::feed(user), keys::feed_companion(user)];
        parse(&redis.eval(&script::FEED_PUSH, &keys, &args).await?)
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
