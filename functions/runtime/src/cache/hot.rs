//! Values that were fresh a moment ago, read again with one plain command.
//!
//! The script that decides takes Redis three times as long as handing out the value does, and Redis
//! is what a whole fleet shares. Of a value that this instance has just seen fresh it would nearly
//! always say the same again. `MGET` gives value, companion and tags as they are in one moment, and
//! [`judge`] sees from them that the value is the one that was written, that nothing of it was
//! invalidated, and until when it is fresh. Whatever is not so plain is the script's to decide.
//!
//! Nothing is kept but until when a value is fresh, as the script said. What invalidates a value softly
//! or renews it changes that time in the companion, which has to be the one that was noted: then it
//! does not matter that the clock of Redis is only counted on from what the script said, late by the
//! way of that answer. And what leaves no trace in the three (another service's `EXPIRE`, a jump of
//! Redis' clock) is seen by the script, which is asked again after some seconds in any case.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::answer::{Content, etag_of};
use super::limits::Limits;
use crate::ports::redis::Reply;

/// Values that are remembered. An instance of Spin serves 128 requests.
const KEYS_MAX: usize = 128;

/// The script is asked again after this.
const HOT_MS_MAX: i64 = 5_000;

/// What this instance has seen.
#[derive(Debug, Default)]
pub(super) struct Hot {
    seen: RefCell<BTreeMap<String, Seen>>,
    /// Redis' clock less ours.
    ahead_ms: Cell<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Until when it is fresh, ms of Redis' clock.
    fresh_ms: i64,
    /// When the script said so, ms of ours.
    own_ms: i64,
    /// What [`judge`] cannot judge is left to the script until the value is another.
    is_refused: bool,
}

impl Hot {
    /// The script said at `now_ms` of Redis' clock, `own_ms` of ours, that a value is fresh so long.
    pub(super) fn note(&self, key: &str, fresh_ms: i64, now_ms: i64, own_ms: i64) {
        self.ahead_ms.set(now_ms - own_ms);
        let mut seen = self.seen.borrow_mut();
        let known = seen.get(key).copied();
        if known.is_none() && seen.len() >= KEYS_MAX {
            seen.retain(|_, seen| own_ms - seen.own_ms <= HOT_MS_MAX);
        }
        if known.is_some() || seen.len() < KEYS_MAX {
            let is_refused = known.is_some_and(|it| it.is_refused && it.fresh_ms == fresh_ms);
            seen.insert(key.to_owned(), Seen { fresh_ms, own_ms, is_refused });
        }
    }

    /// The time of Redis' clock at `own_ms` of ours, and until when the value was fresh, where it
    /// should be so still.
    pub(super) fn expect(&self, key: &str, own_ms: impl FnOnce() -> i64) -> Option<(i64, i64)> {
        let seen = *self.seen.borrow().get(key)?;
        let own_ms = own_ms();
        let now_ms = own_ms + self.ahead_ms.get();
        let is_recent = (0..=HOT_MS_MAX).contains(&(own_ms - seen.own_ms));
        let is_hot = is_recent && !seen.is_refused && now_ms < seen.fresh_ms;
        is_hot.then_some((now_ms, seen.fresh_ms))
    }

    /// The value is not what it was.
    pub(super) fn refuse(&self, key: &str) {
        if let Some(seen) = self.seen.borrow_mut().get_mut(key) {
            seen.is_refused = true;
        }
    }
}

/// A value that is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// JSON text.
    pub content: Content,
    pub age_ms: i64,
    pub ttl_ms: i64,
    pub limits: Limits,
}

/// What `MGET` tells of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The script would find the same.
    Fresh(Fresh),
    /// It is fresh, but this reader may have to refresh it early.
    Early,
    /// Not that it is ours, fresh and the same as before beyond doubt.
    Unsure,
}

/// Judges what `MGET` of a value, its companion and its tags gave, at a time of Redis' clock. The value
/// was known to be fresh until `fresh_ms`; `chance` is that of an early refresh, in thousandths
/// (`shared/lua/cache_read.lua`).
pub fn judge(reply: Vec<Reply>, now_ms: i64, fresh_ms: i64, chance: i64) -> Verdict {
    judged(reply, now_ms, fresh_ms, chance).unwrap_or(Verdict::Unsure)
}

fn judged(reply: Vec<Reply>, now_ms: i64, noted_ms: i64, chance: i64) -> Option<Verdict> {
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
    let mut number = || words.next()?.parse::<i64>().ok().filter(|number| *number >= 0);
    let (_exp, fresh_ms, at_ms, age_ms, delta_ms) =
        (number()?, number()?, number()?, number()?, number()?);
    let mut known = versions.split(' ').filter(|version| !version.is_empty());
    for tag in parts {
        if version(tag.text()?)? != known.next()? {
            return None;
        }
    }
    // By its bytes, which also tells what another service put there without another trace.
    let etag = etag_of(&body);
    if known.next().is_some() || fresh_ms != noted_ms || words.next()? != etag {
        return None;
    }
    let limits = words.next().map_or(Some(Limits::default()), Limits::parse)?;
    // Redis' clock is behind by what its last answer took: a value may seem to be of the future.
    let age_ms = now_ms.checked_sub(at_ms)?.max(0).checked_add(age_ms)?;
    let ttl_ms = fresh_ms.checked_sub(now_ms).filter(|ttl_ms| *ttl_ms > 0)?;
    if delta_ms.checked_mul(chance)? / 1000 >= ttl_ms {
        return Some(Verdict::Early);
    }
    let content = Content::Json { body, etag };
    Some(Verdict::Fresh(Fresh { content, age_ms, ttl_ms, limits }))
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

    const FRESH: i64 = 10_500;

    fn verdict(value: Reply, companion: &str, tags: &[&str], chance: i64) -> Verdict {
        let tags = tags.iter().map(|tag| bytes(tag));
        let reply = [value, bytes(companion)].into_iter().chain(tags).collect();
        judge(reply, NOW, FRESH, chance)
    }

    #[test]
    fn what_is_fresh_and_ours_is_served() {
        let tags = ["v/1 0 0", "v/2 5 6"];
        let fresh = companion("v 99999 10500 9000 200 100");
        let content = Content::json("{}");
        let limits = Limits::default();
        let mut expected = Fresh { content, age_ms: 1200, ttl_ms: 500, limits };
        let read = |companion: &str| verdict(bytes("{}"), companion, &tags, 4999);
        assert_eq!(read(&fresh), Verdict::Fresh(expected.clone()));
        // And what its source demands.
        let demanded = |text: &str| fresh.replacen('\n', &format!(" {text}\n"), 1);
        expected.limits = Limits::parse("s0,w8").expect("limits");
        assert_eq!(read(&demanded("s0,w8")), Verdict::Fresh(expected));
        assert_eq!(read(&demanded("?")), Verdict::Unsure);
        // The cost of a fetch, five times: somebody has to refresh it early.
        assert_eq!(verdict(bytes("{}"), &fresh, &tags, 5000), Verdict::Early);
        let unsure = |value, companion: &str, tags: &[&str]| {
            assert_eq!(
                verdict(value, companion, tags, 0),
                Verdict::Unsure,
                "{companion:?} {tags:?}"
            );
        };
        for words in [
            // Invalidated softly, renewed, of another kind, impossible.
            "v 99999 10000 9000 200 0",
            "v 99999 10499 9000 200 0",
            "v 99999 10501 9000 200 0",
            "n 9 10500 9 0 0",
            "v 1 10500 -9223372036854775808 5 0",
            "v 1 10500 9000 9223372036854775807 0",
        ] {
            unsure(bytes("{}"), &companion(words), &tags);
        }
        for companion in ["", "v", "v 1 10500 1 0 0 -", &fresh[..40]] {
            unsure(bytes("{}"), companion, &tags);
        }
        for value in [bytes("[]"), bytes(""), Reply::Nil] {
            unsure(value, &fresh, &tags);
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
            unsure(bytes("{}"), &fresh, tags);
        }
    }

    #[test]
    fn time_goes_on_by_the_clock_of_redis() {
        let hot = Hot::default();
        assert_eq!(hot.expect("k", || 7), None);
        hot.note("k", 1_000, 900, 5);
        assert_eq!(hot.expect("k", || 50), Some((945, 1_000)));
        assert_eq!(hot.expect("k", || 105), None);
        assert_eq!(hot.expect("other", || 50), None);
        hot.note("long", 100_000, 900, 5);
        assert_eq!(hot.expect("long", || 5 + HOT_MS_MAX), Some((900 + HOT_MS_MAX, 100_000)));
        assert_eq!(hot.expect("long", || 6 + HOT_MS_MAX), None);
    }

    #[test]
    fn what_was_refused_is_the_scripts_until_it_is_another() {
        let hot = Hot::default();
        hot.note("k", 1_000, 900, 5);
        hot.refuse("k");
        hot.note("k", 1_000, 901, 6);
        assert_eq!(hot.expect("k", || 7), None);
        hot.note("k", 2_000, 902, 7);
        assert_eq!(hot.expect("k", || 8), Some((903, 2_000)));
    }

    #[test]
    fn remembers_so_many_and_no_more() {
        let hot = Hot::default();
        for at in 0..2 * KEYS_MAX {
            hot.note(&at.to_string(), 1_000, 0, 0);
        }
        assert_eq!(hot.seen.borrow().len(), KEYS_MAX);
        hot.note("new", 20_000, 10_000, 10_000);
        assert_eq!(hot.seen.borrow().len(), 1);
    }
}
