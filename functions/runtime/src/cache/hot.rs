//! Values that were fresh a moment ago, read again with one plain command.
//!
//! The script costs Redis, which the whole fleet shares, three times as much as returning the
//! value. For a value that this instance has just seen fresh, it would nearly always decide the
//! same again. `MGET` reads value, companion and tags in one moment, and [`judge`] checks that the
//! value is the one that was written, that it was not invalidated, and that it is still fresh.
//! Ambiguous cases fall back to the script.
//!
//! An instance remembers only the time until which a value is fresh, as the script returned it. A
//! soft invalidation or a renewal changes that time in the companion, and a value counts as fresh
//! only if both times are equal. So it does no harm that the local estimate of Redis' clock lags
//! by the latency of the script's reply. Changes that leave no trace in the three keys (another
//! service's `EXPIRE`, a jump of Redis' clock) are seen by the script, which runs again after
//! [`HOT_MS_MAX`] in any case.
//!
//! A read of many values also asks for the time of Redis if one of them was not seen before. That
//! time is from within the read, so no earlier invalidation is later than it, and nothing need have
//! been seen: only the companion decides.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::answer::{Content, etag_of};
use super::demands::Demands;
use crate::ports::redis::Reply;

/// Values that an instance remembers. By default an instance of Spin serves 128 requests.
const KEYS_MAX: usize = 128;

/// The script is run again for a value after this.
const HOT_MS_MAX: i64 = 5_000;

/// The values that this instance has just seen fresh.
#[derive(Debug, Default)]
pub(super) struct Hot {
    seen: RefCell<BTreeMap<String, Seen>>,
    /// Redis' clock minus the host's.
    ahead_ms: Cell<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// End of the freshness, on Redis' clock.
    fresh_ms: i64,
    /// Time of the script's reply, on the host's clock.
    own_ms: i64,
    /// [`judge`] was unsure about this value: the script decides until the value changes.
    is_refused: bool,
}

impl Hot {
    /// Notes that the script, at `now_ms` on Redis' clock and `own_ms` on the host's, found a value
    /// fresh until `fresh_ms`.
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

    /// The time on Redis' clock at `own_ms` on the host's, and the noted end of the freshness;
    /// `None` unless the value should still be fresh.
    pub(super) fn expect(&self, key: &str, own_ms: impl FnOnce() -> i64) -> Option<(i64, i64)> {
        let seen = *self.seen.borrow().get(key)?;
        let own_ms = own_ms();
        let now_ms = own_ms + self.ahead_ms.get();
        let is_recent = (0..=HOT_MS_MAX).contains(&(own_ms - seen.own_ms));
        let is_hot = is_recent && !seen.is_refused && now_ms < seen.fresh_ms;
        is_hot.then_some((now_ms, seen.fresh_ms))
    }

    /// Leaves the value to the script until it changes.
    pub(super) fn refuse(&self, key: &str) {
        if let Some(seen) = self.seen.borrow_mut().get_mut(key) {
            seen.is_refused = true;
        }
    }
}

/// A fresh value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The value, as [`Content::Json`].
    pub content: Content,
    /// Milliseconds since the source made the value.
    pub age_ms: i64,
    /// Milliseconds for which the value remains fresh.
    pub ttl_ms: i64,
    /// The source's demands for caches that store the value.
    pub demands: Demands,
}

/// The result of [`judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The value is fresh; the script would return the same.
    Fresh(Fresh),
    /// The value is fresh, but this reader may have to refresh it early.
    Early,
    /// It is not certain that the value is ours, fresh and the one that was seen before.
    Unsure,
}

/// Judges the reply to `MGET` of a value, its companion and its tags, at `now_ms` on Redis' clock.
/// The value was known to be fresh until `fresh_ms`. `chance` is the reader's draw for an early
/// refresh, in thousandths (`shared/lua/cache_read.lua`; XFetch: Vattani, Chierichetti, Lowenstein,
/// "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
pub fn judge(reply: Vec<Reply>, now_ms: i64, fresh_ms: i64, chance: i64) -> Verdict {
    let mut parts = reply.into_iter();
    let (Some(value), Some(companion)) = (parts.next(), parts.next()) else {
        return Verdict::Unsure;
    };
    let at = At { now_ms, noted_ms: Some(fresh_ms) };
    judge_parts(value, &companion, parts.as_slice().iter(), at, chance).0
}

/// The moment of a judgement, on Redis' clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) now_ms: i64,
    /// The end of the freshness, as it was noted: the value must not have changed since. `None` if
    /// `now_ms` is Redis' own time.
    pub(super) noted_ms: Option<i64>,
}

/// As [`judge`], for a value, its companion and its tags. Also returns the end of the freshness of a
/// value that is fresh.
pub(super) fn judge_parts<'a>(
    value: Reply,
    companion: &Reply,
    tags: impl Iterator<Item = &'a Reply>,
    at: At,
    chance: i64,
) -> (Verdict, i64) {
    judged(value, companion, tags, at, chance).unwrap_or((Verdict::Unsure, 0))
}

fn judged<'a>(
    value: Reply,
    companion: &Reply,
    tags: impl Iterator<Item = &'a Reply>,
    At { now_ms, noted_ms }: At,
    chance: i64,
) -> Option<(Verdict, i64)> {
    let Reply::Bytes(body) = value else { return None };
    let mut lines = companion.text()?.split('\n');
    let (mut words, versions) = (lines.next()?.split(' '), lines.next()?);
    // A whole companion has further lines; a truncated one decides nothing.
    lines.next()?;
    if words.next()? != "v" {
        return None;
    }
    let mut number = || words.next()?.parse::<i64>().ok().filter(|number| *number >= 0);
    let (_exp, fresh_ms, at_ms, age_ms, delta_ms) =
        (number()?, number()?, number()?, number()?, number()?);
    let mut known = versions.split(' ').filter(|version| !version.is_empty());
    for tag in tags {
        if version(tag.text()?)? != known.next()? {
            return None;
        }
    }
    // A hash of the bytes: it also reveals a value that another service stored without any other
    // trace.
    let etag = etag_of(&body);
    let is_noted = noted_ms.is_none_or(|noted_ms| fresh_ms == noted_ms);
    if known.next().is_some() || !is_noted || words.next()? != etag {
        return None;
    }
    let demands = words.next().map_or(Some(Demands::default()), Demands::parse)?;
    // The estimate of Redis' clock lags by the latency of its last reply, so a value may seem to be
    // from the future.
    let age_ms = now_ms.checked_sub(at_ms)?.max(0).checked_add(age_ms)?;
    let ttl_ms = fresh_ms.checked_sub(now_ms).filter(|ttl_ms| *ttl_ms > 0)?;
    if delta_ms.checked_mul(chance)? / 1000 >= ttl_ms {
        return Some((Verdict::Early, fresh_ms));
    }
    let content = Content::Json { body, etag };
    Some((Verdict::Fresh(Fresh { content, age_ms, ttl_ms, demands }), fresh_ms))
}

/// The version in a tag's key, parsed as by `versions_of` in `shared/lua/cache.lua`; `None` if
/// malformed.
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
        let demands = Demands::default();
        let mut expected = Fresh { content, age_ms: 1200, ttl_ms: 500, demands };
        let read = |companion: &str| verdict(bytes("{}"), companion, &tags, 4999);
        assert_eq!(read(&fresh), Verdict::Fresh(expected.clone()));
        // With the demands of its source.
        let demanded = |text: &str| fresh.replacen('\n', &format!(" {text}\n"), 1);
        expected.demands = Demands::parse("s0,w8").expect("demands");
        assert_eq!(read(&demanded("s0,w8")), Verdict::Fresh(expected));
        assert_eq!(read(&demanded("?")), Verdict::Unsure);
        // Five times the cost of a fetch: the draw demands an early refresh.
        assert_eq!(verdict(bytes("{}"), &fresh, &tags, 5000), Verdict::Early);
        let unsure = |value, companion: &str, tags: &[&str]| {
            assert_eq!(
                verdict(value, companion, tags, 0),
                Verdict::Unsure,
                "{companion:?} {tags:?}"
            );
        };
        for words in [
            // Softly invalidated, renewed, of another kind, out of range.
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
