//! Values that were fresh a moment ago, read again with one plain command.
//!
//! The script that decides takes Redis three times as long as handing out the value does, and Redis
//! is what a whole fleet shares. Of a value that this instance has just seen fresh it would nearly
//! always say the same again. `MGET` gives value, companion and tags as they are in one moment, and
//! [`judge`] sees from them that the value is the one that was written, that nothing of it was
//! invalidated, and until when it is fresh. Whatever is not so plain is the script's to decide.
//!
//! Nothing is kept but until when a value is fresh. That is a time of Redis' clock, which is counted
//! on from what the script said last: it lags behind by the way of that answer, no more.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::answer::{Content, etag_of};
use crate::redis::Reply;

/// Values that are remembered. An instance of Spin serves 128 requests.
const KEYS_MAX: usize = 128;

/// What this instance has seen.
#[derive(Debug, Default)]
pub(super) struct Hot {
    /// Until when each is fresh, ms of Redis' clock.
    fresh_ms: RefCell<BTreeMap<String, i64>>,
    /// Redis' clock less ours.
    ahead_ms: Cell<i64>,
}

impl Hot {
    /// The script said at `now_ms` of Redis' clock, `own_ms` of ours, that a value is fresh so long.
    pub(super) fn note(&self, key: &str, fresh_ms: i64, now_ms: i64, own_ms: i64) {
        self.ahead_ms.set(now_ms - own_ms);
        let mut known = self.fresh_ms.borrow_mut();
        if let Some(known) = known.get_mut(key) {
            *known = fresh_ms;
            return;
        }
        if known.len() >= KEYS_MAX {
            known.retain(|_, fresh_ms| *fresh_ms > now_ms);
        }
        if known.len() < KEYS_MAX {
            known.insert(key.to_owned(), fresh_ms);
        }
    }

    /// The time of Redis' clock at `own_ms` of ours, where the value should be fresh still.
    pub(super) fn now_ms(&self, key: &str, own_ms: impl FnOnce() -> i64) -> Option<i64> {
        let fresh_ms = *self.fresh_ms.borrow().get(key)?;
        let now_ms = own_ms() + self.ahead_ms.get();
        (now_ms < fresh_ms).then_some(now_ms)
    }

    /// The value is not what it was.
    pub(super) fn forget(&self, key: &str) {
        self.fresh_ms.borrow_mut().remove(key);
    }
}

/// A value that is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// JSON text.
    pub content: Content,
    pub age_ms: i64,
    pub ttl_ms: i64,
}

/// What `MGET` of a value, its companion and its tags tells at a time of Redis' clock. `chance` is
/// that of an early refresh, in thousandths (`shared/lua/cache_read.lua`). `None`: not that it is
/// fresh and ours beyond doubt; the script would find the same where it says `Some`.
pub fn judge(reply: Vec<Reply>, now_ms: i64, chance: i64) -> Option<Fresh> {
    let mut parts = reply.into_iter();
    let Reply::Bytes(body) = parts.next()? else { return None };
    let companion = parts.next()?;
    let mut lines = companion.text()?.split('\n');
    let (mut words, versions) = (lines.next()?.split(' '), lines.next()?);
    // There are more: a companion that was cut short decides nothing.
    lines.next()?;
    if words.next()? != "v" {
        return None;
    }
    let mut number = || words.next()?.parse::<i64>().ok();
    let (_exp, fresh_ms, at_ms, age_ms, delta_ms) =
        (number()?, number()?, number()?, number()?, number()?);
    let mut known = versions.split(' ').filter(|version| !version.is_empty());
    for tag in parts {
        if version(tag.text()?)? != known.next()? {
            return None;
        }
    }
    if known.next().is_some() {
        return None;
    }
    let early_ms = delta_ms.checked_mul(chance)? / 1000;
    if now_ms.checked_add(early_ms)? >= fresh_ms {
        return None;
    }
    // By its bytes, which also tells what another service put there without another trace.
    let etag = etag_of(&body);
    if words.next()? != etag {
        return None;
    }
    let age_ms = now_ms.checked_sub(at_ms)?.checked_add(age_ms)?;
    Some(Fresh { content: Content::Json { body, etag }, age_ms, ttl_ms: fresh_ms - now_ms })
}

/// The version in a tag's key, as `versions_of` of `shared/lua/cache.lua` finds it.
fn version(tag: &str) -> Option<&str> {
    let mut words = tag.split(' ');
    let version = words.next()?;
    let is_time = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = is_time(words.next()?) && is_time(words.next()?) && words.next().is_none();
    let is_named = version.split_once('/').is_some_and(|(history, _)| !history.is_empty());
    (is_whole && is_named).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 10_000;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    fn companion(words: &str) -> String {
        format!("{words} {}\nv/1 v/2\n0 - sha\n\n", etag_of(b"{}"))
    }

    fn judged(value: Reply, companion: &str, tags: &[&str], chance: i64) -> Option<Fresh> {
        let tags = tags.iter().map(|tag| bytes(tag));
        judge([value, bytes(companion)].into_iter().chain(tags).collect(), NOW, chance)
    }

    #[test]
    fn what_is_fresh_and_ours_is_served() {
        let tags = ["v/1 0 0", "v/2 5 6"];
        let fresh = companion("v 99999 10500 9000 200 100");
        let found = judged(bytes("{}"), &fresh, &tags, 4999).unwrap();
        assert_eq!((found.age_ms, found.ttl_ms), (1200, 500));
        assert_eq!(found.content, Content::json("{}"));
        // The cost of a fetch, five times: somebody has to refresh it early.
        assert_eq!(judged(bytes("{}"), &fresh, &tags, 5000), None);
        let (stale, other) = (companion("v 99999 10000 9000 200 0"), companion("n 9 10500 9 0 0"));
        for companion in [stale.as_str(), &other, "", "v", "v 1 10500 1 0 0 -", &fresh[..40]] {
            assert_eq!(judged(bytes("{}"), companion, &tags, 0), None, "{companion:?}");
        }
        for value in [bytes("[]"), bytes(""), Reply::Nil] {
            assert_eq!(judged(value, &fresh, &tags, 0), None);
        }
        for tags in [
            &["v/1 0 0"][..],
            &["v/1 0 0", "v/2 5 6", "v/3 0 0"],
            &["v/2 0 0", "v/1 5 6"],
            &["v/1 0 0", "v/2"],
            &["v/1 0 0", "v/2 5 x"],
            &["v/1 0 0", "v/2 5 6 7"],
            &[],
        ] {
            assert_eq!(judged(bytes("{}"), &fresh, tags, 0), None, "{tags:?}");
        }
        let huge = companion("v 1 9223372036854775807 -9223372036854775808 5 9223372036854775807");
        assert_eq!(judged(bytes("{}"), &huge, &tags, 5000), None);
    }

    #[test]
    fn time_goes_on_by_the_clock_of_redis() {
        let hot = Hot::default();
        assert_eq!(hot.now_ms("k", || 7), None);
        hot.note("k", 1_000, 900, 5);
        assert_eq!(hot.now_ms("k", || 50), Some(945));
        assert_eq!(hot.now_ms("k", || 105), None);
        assert_eq!(hot.now_ms("other", || 50), None);
        hot.forget("k");
        assert_eq!(hot.now_ms("k", || 50), None);
    }

    #[test]
    fn remembers_so_many_and_no_more() {
        let hot = Hot::default();
        for at in 0..2 * KEYS_MAX {
            hot.note(&at.to_string(), 1_000, 0, 0);
        }
        assert_eq!(hot.fresh_ms.borrow().len(), KEYS_MAX);
        hot.note("new", 2_000, 1_500, 0);
        assert_eq!(hot.fresh_ms.borrow().len(), 1);
    }
}
