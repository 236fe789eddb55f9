//! Counts the reads and fetches of the resources whose policy is [`Policy::counted`], and adds them
//! to those of the whole fleet in Redis.
//!
//! A read never waits for a write of counts, and a read from Redis does not cause one of its own. An
//! instance counts in memory, and writes all that it has counted at once:
//!
//! - soon after a read that had to wait for the source, which cost several calls of Redis anyway;
//! - otherwise after a second, or after four if there is little to write. The host keeps an instance
//!   that still has work, so nothing is lost unless it ends the instance all the same.
//!
//! The first request of an instance is an exception: the host may use an instance for a single request,
//! which must neither cost a write each time nor leave an instance behind that waits. One in
//! [`LONE_READS`] such reads is written, at once, and counts as so many: the sum is right on average,
//! whatever the lives of instances.
//!
//! [`Policy::counted`]: super::Policy::counted

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shared::limits::CACHE_COUNTS_TTL_S;
use shared::{keys, script};

use super::answer::{Answer, Content, How};
use super::host::Host;
use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError};

/// The interval of writes of an instance that counts at least [`BUSY_READS`] in it.
const WAIT: Duration = Duration::from_secs(1);
const BUSY_READS: u64 = 8;
/// The rest of the interval of other instances.
const WAIT_MORE: Duration = Duration::from_secs(3);
/// One in so many first reads of an instance is written.
const LONE_READS: u64 = 8;
/// Pause after a failed write. An outage must not double the calls that wait for Redis.
const PAUSE_MS: i64 = 5_000;
/// Resources counted at a time.
const NAMES_MAX: usize = 256;

/// What happened to one resource since the last write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    hits: u64,
    stale: u64,
    misses: u64,
    fetches: u64,
    failures: u64,
    fetch_ms: u64,
    worst_ms: u64,
}

/// When an instance writes its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Now,
    Later,
    /// There is nothing to write, or it is going to be written.
    Never,
}

/// The counts of one instance.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pending: RefCell<BTreeMap<String, Tally>>,
    /// Whether `pending` contains a fetch.
    has_fetched: Cell<bool>,
    has_read: Cell<bool>,
    is_waiting: Cell<bool>,
    is_writing: Cell<bool>,
    /// End of the pause after a failed write, on the host's clock.
    paused_ms: Cell<i64>,
}

impl Counts {
    /// Counts the reads of one request. `draw` returns random bits.
    pub(super) fn read<'a>(
        &self,
        reads: impl Iterator<Item = (&'a str, &'a Answer)> + Clone,
        draw: impl FnOnce() -> u64,
    ) -> When {
        let is_first = !self.has_read.replace(true);
        let is_hit = reads.clone().all(|(_, answer)| answer.how == How::Hit);
        let is_lone = is_first && is_hit;
        let weight = if !is_lone {
            1
        } else if draw().is_multiple_of(LONE_READS) {
            LONE_READS
        } else {
            0
        };
        for (name, answer) in reads {
            self.add(name, |tally| *field(tally, answer) += weight);
        }
        let is_urgent = is_lone || !is_hit || self.has_fetched.get();
        match is_urgent && !self.is_writing.get() {
            true if weight == 0 && !self.has_fetched.get() => When::Never,
            true => When::Now,
            false if self.is_waiting.get() => When::Never,
            false => When::Later,
        }
    }

    /// Counts a fetch.
    pub(super) fn fetched(&self, name: &str, ms: i64, is_failure: bool) {
        let ms = u64::try_from(ms).unwrap_or(0);
        self.has_fetched.set(true);
        self.add(name, |tally| {
            tally.fetches += 1;
            tally.failures += u64::from(is_failure);
            tally.fetch_ms += ms;
            tally.worst_ms = tally.worst_ms.max(ms);
        });
    }

    fn add(&self, name: &str, change: impl FnOnce(&mut Tally)) {
        let mut pending = self.pending.borrow_mut();
        if let Some(tally) = pending.get_mut(name) {
            change(tally);
        } else if pending.len() < NAMES_MAX {
            change(pending.entry(name.to_owned()).or_default());
        }
    }

    fn reads(&self) -> u64 {
        self.pending.borrow().values().map(|tally| tally.hits + tally.stale + tally.misses).sum()
    }

    /// Waits, then writes. The caller spawns it.
    pub(super) fn write_later(
        self: Rc<Self>,
        store: impl Redis + 'static,
        host: impl Host,
    ) -> impl Future<Output = ()> + 'static {
        // From now on, so that no second one is spawned; until it ends, however it does.
        let waiting = Flag::raise(&self, |counts| &counts.is_waiting);
        async move {
            host.sleep(WAIT).await;
            if self.reads() < BUSY_READS {
                host.sleep(WAIT_MORE).await;
            }
            drop(waiting);
            self.write(&store, &host).await;
        }
    }

    /// Writes what was counted so far. If that fails, it is lost.
    pub(super) async fn write(self: &Rc<Self>, store: &impl Redis, host: &impl Host) {
        if self.is_writing.get() || host.now_ms() < self.paused_ms.get() {
            return;
        }
        let _writing = Flag::raise(self, |counts| &counts.is_writing);
        let counted = self.pending.take();
        self.has_fetched.set(false);
        if let Err(error) = add_up(store, &counted).await {
            self.paused_ms.set(host.now_ms() + PAUSE_MS);
            log::warn("cache_counts_not_written", &[("error", &error.to_string())]);
        }
    }
}

/// The count that an answer belongs to. A failure that Redis remembers is a miss, since it serves
/// nobody; "not found" is a hit.
fn field<'a>(tally: &'a mut Tally, answer: &Answer) -> &'a mut u64 {
    match (answer.how, &answer.content) {
        (How::Hit, Content::Failed(_)) => &mut tally.misses,
        (How::Hit, Content::Absent) => &mut tally.hits,
        (How::Hit, _) if answer.ttl_ms > 0 => &mut tally.hits,
        (How::Hit, _) => &mut tally.stale,
        _ => &mut tally.misses,
    }
}

/// A flag that is up until this is dropped, also if its task is cancelled.
struct Flag {
    counts: Rc<Counts>,
    flag: fn(&Counts) -> &Cell<bool>,
}

impl Flag {
    fn raise(counts: &Rc<Counts>, flag: fn(&Counts) -> &Cell<bool>) -> Self {
        flag(counts).set(true);
        Self { counts: Rc::clone(counts), flag }
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        (self.flag)(&self.counts).set(false);
    }
}

async fn add_up(store: &impl Redis, counted: &BTreeMap<String, Tally>) -> Result<(), RedisError> {
    let mut args = vec![Arg::Int(CACHE_COUNTS_TTL_S)];
    for (name, tally) in counted.iter().filter(|(_, tally)| **tally != Tally::default()) {
        let Tally { hits, stale, misses, fetches, failures, fetch_ms, worst_ms } = *tally;
        args.push(Arg::Text(name));
        let numbers = [hits, stale, misses, fetches, failures, fetch_ms, worst_ms];
        args.extend(numbers.map(|number| Arg::Int(i64::try_from(number).unwrap_or(i64::MAX))));
    }
    if args.len() == 1 {
        return Ok(());
    }
    let keys = [keys::cache_counts(this_hour())];
    store.eval(&script::CACHE_COUNT, &keys, &args).await.map(drop)
}

/// The current hour, counted since the Unix epoch.
pub(super) fn this_hour() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs() / 3600).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::fetched::FetchError;
    use super::*;

    fn answer(how: How, content: Content, ttl_ms: i64) -> Answer {
        Answer { ttl_ms, ..Answer::fetched(content, how) }
    }

    fn value(how: How, ttl_ms: i64) -> Answer {
        answer(how, Content::json("{}"), ttl_ms)
    }

    fn one(answer: &Answer) -> impl Iterator<Item = (&str, &Answer)> + Clone {
        std::iter::once(("x", answer))
    }

    fn tally(counts: &Counts) -> Tally {
        counts.pending.borrow()["x"]
    }

    #[test]
    fn answers_are_hits_stale_or_misses() {
        let failed = || Content::Failed(FetchError::TimedOut);
        for (answer, expected) in [
            (value(How::Hit, 5), (1, 0, 0)),
            (answer(How::Hit, Content::Unchanged { etag: String::new() }, 5), (1, 0, 0)),
            (answer(How::Hit, Content::Absent, 0), (1, 0, 0)),
            (value(How::Hit, 0), (0, 1, 0)),
            (value(How::Hit, -5), (0, 1, 0)),
            (answer(How::Hit, failed(), 5), (0, 0, 1)),
            (value(How::Miss, 5), (0, 0, 1)),
            (value(How::Expired, 5), (0, 0, 1)),
            (value(How::Bypass, 5), (0, 0, 1)),
            (answer(How::Miss, failed(), 0), (0, 0, 1)),
        ] {
            let counts = Counts { has_read: Cell::new(true), ..Counts::default() };
            counts.read(one(&answer), || 0);
            let Tally { hits, stale, misses, .. } = tally(&counts);
            assert_eq!((hits, stale, misses), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_first_read_counts_eightfold_or_not_at_all() {
        for (draw, hits, when) in [(0, 8, When::Now), (16, 8, When::Now), (7, 0, When::Never)] {
            let counts = Counts::default();
            assert_eq!(counts.read(one(&value(How::Hit, 5)), || draw), when);
            assert_eq!(tally(&counts).hits, hits);
            assert_eq!(counts.read(one(&value(How::Hit, 5)), || 7), When::Later);
            assert_eq!(tally(&counts).hits, hits + 1);
        }
        // A miss is written in any case.
        let counts = Counts::default();
        assert_eq!(counts.read(one(&value(How::Miss, 5)), || 7), When::Now);
        assert_eq!((tally(&counts).misses, tally(&counts).hits), (1, 0));
    }

    #[test]
    fn the_reads_of_one_request_are_drawn_together() {
        for (draw, each, when) in [(0, 8, When::Now), (7, 0, When::Never)] {
            let counts = Counts::default();
            let (x, y) = (value(How::Hit, 5), value(How::Hit, -5));
            assert_eq!(counts.read([("x", &x), ("x", &y), ("x", &x)].into_iter(), || draw), when);
            assert_eq!((tally(&counts).hits, tally(&counts).stale), (2 * each, each));
        }
        let counts = Counts::default();
        let (hit, miss) = (value(How::Hit, 5), value(How::Miss, 5));
        assert_eq!(counts.read([("x", &hit), ("x", &miss)].into_iter(), || 7), When::Now);
        assert_eq!((tally(&counts).hits, tally(&counts).misses), (1, 1));
    }

    #[test]
    fn a_fetch_is_written_with_the_read_that_waited_for_it() {
        let counts = Counts { has_read: Cell::new(true), ..Counts::default() };
        counts.fetched("x", 40, false);
        counts.fetched("x", 10, true);
        // The fetch failed, and the stale value was served.
        assert_eq!(counts.read(one(&value(How::Hit, -5)), || 0), When::Now);
        let expected = Tally {
            stale: 1,
            fetches: 2,
            failures: 1,
            fetch_ms: 50,
            worst_ms: 40,
            ..Tally::default()
        };
        assert_eq!(tally(&counts), expected);
    }

    #[test]
    fn one_task_waits_and_names_are_bounded() {
        let counts = Counts { has_read: Cell::new(true), ..Counts::default() };
        counts.is_waiting.set(true);
        assert_eq!(counts.read(one(&value(How::Hit, 5)), || 0), When::Never);
        counts.is_writing.set(true);
        assert_eq!(counts.read(one(&value(How::Miss, 5)), || 0), When::Never);
        counts.is_waiting.set(false);
        assert_eq!(counts.read(one(&value(How::Miss, 5)), || 0), When::Later);
        for at in 0..2 * NAMES_MAX {
            counts.fetched(&at.to_string(), 1, false);
        }
        assert_eq!(counts.pending.borrow().len(), NAMES_MAX);
    }
}
