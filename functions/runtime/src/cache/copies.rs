//! Copies of fresh values in an instance's own memory, for the time that a policy allows
//! ([`Policy::local`]): a value that is read without end costs Redis nothing but one read per
//! instance and time.
//!
//! Nobody tells an instance what happens to a value, so a copy ends by itself. Its time counts from
//! before the read of Redis that returned it: that read saw all invalidations until then, so each
//! later one takes effect within that time. A copy never outlives the value's freshness, so stale
//! values, and who refreshes them, are decided in Redis as ever.
//!
//! [`Policy::local`]: super::Policy::local

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use shared::etag;
use shared::limits::{CACHE_COPIES_BYTES_MAX, CACHE_COPY_BYTES_MAX};

use super::answer::{Answer, Content, How};
use super::demands::Demands;

/// What a copy costs beside its texts.
const OVERHEAD_BYTES: usize = 256;

/// The copies of one instance.
#[derive(Debug, Default)]
pub(super) struct Copies {
    kept: RefCell<BTreeMap<String, Kept>>,
    bytes: Cell<usize>,
}

#[derive(Debug)]
struct Kept {
    body: Vec<u8>,
    etag: String,
    demands: Demands,
    /// Age and remaining freshness at `read_ms`.
    age_ms: i64,
    ttl_ms: i64,
    /// Time before the read that returned the value, on the host's clock.
    read_ms: i64,
    /// The end of the copy, on the host's clock.
    end_ms: i64,
}

impl Copies {
    /// The answer from a copy, at `now_ms` on the host's clock; without the body if `if_none_match`
    /// names its entity tag.
    pub(super) fn get(&self, key: &str, if_none_match: &str, now_ms: i64) -> Option<Answer> {
        let kept = self.kept.borrow();
        let copy = kept.get(key).filter(|copy| (copy.read_ms..copy.end_ms).contains(&now_ms))?;
        let etag = copy.etag.clone();
        let content = match etag::names(if_none_match, &etag) {
            true => Content::Unchanged { etag },
            false => Content::Json { body: copy.body.clone(), etag },
        };
        let since_ms = now_ms - copy.read_ms;
        let (age_ms, ttl_ms) = (copy.age_ms.saturating_add(since_ms), copy.ttl_ms - since_ms);
        let demands = copy.demands;
        Some(Answer { age_ms, ttl_ms, demands, ..Answer::fetched(content, How::Hit) })
    }

    /// Keeps a copy of an answer from Redis for `time`, if it is a fresh value that is small enough.
    /// `read_ms` is the time before Redis was asked.
    pub(super) fn keep(&self, key: &str, answer: &Answer, read_ms: i64, time: Duration) {
        let Answer { content: Content::Json { body, etag }, how: How::Hit, .. } = answer else {
            return;
        };
        let bytes = bytes_of(key, body);
        if answer.ttl_ms <= 0 || body.len() > CACHE_COPY_BYTES_MAX {
            return;
        }
        let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(answer.ttl_ms);
        let copy = Kept {
            body: body.clone(),
            etag: etag.clone(),
            demands: answer.demands,
            age_ms: answer.age_ms,
            ttl_ms: answer.ttl_ms,
            read_ms,
            end_ms: read_ms.saturating_add(time_ms),
        };
        self.forget(key);
        if self.bytes.get() + bytes > CACHE_COPIES_BYTES_MAX {
            self.make_room(read_ms, bytes);
        }
        self.bytes.set(self.bytes.get() + bytes);
        self.kept.borrow_mut().insert(key.to_owned(), copy);
    }

    /// Removes the copies that have ended, and all if that is not enough: hot values are back with
    /// their next read.
    fn make_room(&self, now_ms: i64, bytes: usize) {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|_, copy| now_ms < copy.end_ms);
        let left: usize = kept.iter().map(|(key, copy)| bytes_of(key, &copy.body)).sum();
        if left + bytes <= CACHE_COPIES_BYTES_MAX {
            self.bytes.set(left);
        } else {
            kept.clear();
            self.bytes.set(0);
        }
    }

    /// Removes one copy: this instance has invalidated the value.
    pub(super) fn forget(&self, key: &str) {
        if let Some(copy) = self.kept.borrow_mut().remove(key) {
            self.bytes.set(self.bytes.get().saturating_sub(bytes_of(key, &copy.body)));
        }
    }

    /// Removes all copies: this instance has invalidated tags, and a copy does not know its own.
    pub(super) fn clear(&self) {
        self.kept.borrow_mut().clear();
        self.bytes.set(0);
    }
}

fn bytes_of(key: &str, body: &[u8]) -> usize {
    key.len() + body.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(250);

    fn answer(body: &str, ttl_ms: i64) -> Answer {
        Answer { age_ms: 40, ttl_ms, ..Answer::fetched(Content::json(body), How::Hit) }
    }

    fn times(answer: &Answer) -> (i64, i64) {
        (answer.age_ms, answer.ttl_ms)
    }

    #[test]
    fn a_copy_lasts_for_its_time_and_not_beyond_the_freshness() {
        let copies = Copies::default();
        copies.keep("k", &answer("{}", 9_000), 1_000, TIME);
        let found = copies.get("k", "", 1_000).expect("a copy");
        assert_eq!((found.content.clone(), times(&found)), (Content::json("{}"), (40, 9_000)));
        let found = copies.get("k", "", 1_249).expect("a copy");
        assert_eq!((found.how, times(&found)), (How::Hit, (289, 8_751)));
        // At its end, after it, and on a clock that was set back.
        for now_ms in [1_250, 5_000, 999] {
            assert_eq!(copies.get("k", "", now_ms), None, "{now_ms}");
        }
        assert_eq!(copies.get("other", "", 1_000), None);
        copies.keep("k", &answer("{}", 100), 2_000, TIME);
        assert!(copies.get("k", "", 2_099).is_some());
        assert_eq!(copies.get("k", "", 2_100), None);
    }

    #[test]
    fn a_reader_that_has_it_gets_no_body() {
        let copies = Copies::default();
        copies.keep("k", &answer("{}", 9_000), 0, TIME);
        let Some(Answer { content: Content::Json { etag, .. }, .. }) = copies.get("k", "\"x\"", 0)
        else {
            panic!("a value")
        };
        let found = copies.get("k", &format!("\"{etag}\""), 0).expect("a copy");
        assert_eq!(found.content, Content::Unchanged { etag });
    }

    #[test]
    fn only_fresh_values_from_redis_are_kept() {
        let copies = Copies::default();
        let not_hit = Answer { how: How::Miss, ..answer("{}", 9_000) };
        let absent = Answer { content: Content::Absent, ..answer("", 9_000) };
        let large = answer(&"x".repeat(CACHE_COPY_BYTES_MAX + 1), 9_000);
        for other in [answer("{}", 0), answer("{}", -5), not_hit, absent, large] {
            copies.keep("k", &other, 0, TIME);
            assert_eq!(copies.get("k", "", 0), None, "{other:?}");
        }
    }

    #[test]
    fn their_bytes_are_bounded() {
        let copies = Copies::default();
        let large = answer(&"x".repeat(CACHE_COPY_BYTES_MAX), 9_000);
        for at in 0..200 {
            // The first ones have ended by then.
            copies.keep(&at.to_string(), &large, 10 * at, TIME);
            assert!(copies.get(&at.to_string(), "", 10 * at).is_some());
            let held: usize =
                copies.kept.borrow().iter().map(|(key, copy)| bytes_of(key, &copy.body)).sum();
            assert_eq!(held, copies.bytes.get());
            assert!(held <= CACHE_COPIES_BYTES_MAX);
        }
        copies.keep("199", &large, 2_000, TIME);
        copies.forget("199");
        assert_eq!(copies.get("199", "", 2_000), None);
        copies.clear();
        assert_eq!((copies.bytes.get(), copies.kept.borrow().len()), (0, 0));
    }
}
