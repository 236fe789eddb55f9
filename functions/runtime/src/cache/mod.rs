//! Stale-while-revalidate on Redis, as a library: [`Cache::get_or_refresh`].
//!
//! A cache is generic over a store (any [`Redis`]) and a [`Host`] (clock, sleep, randomness,
//! background work), so that the same code runs in components and in native tests. Keep one between
//! calls: it remembers which values it has just seen fresh and reads those without a script
//! (`hot.rs`). All other reads run one script that decides for the reader
//! (`shared/lua/cache_read.lua`); another script (`cache_write.lua`) writes the value that a cache
//! lease holder fetched, unless an invalidation or a foreign write came first. So single flight,
//! fencing and freshness hold across instances and hosts.
//!
//! It knows neither HTTP nor SQL: the caller passes a function that fetches the value. Over HTTP,
//! see [`crate::http::cached`].

mod answer;
mod copies;
mod counts;
mod demands;
mod fetched;
mod host;
mod hot;
mod invalidate;
mod lookup;
mod many;
mod peek;
mod plain;
mod policy;
mod read;
mod reader;
mod refresh;
mod totals;

pub use answer::{Answer, Content, How, etag_of};
pub use demands::{Demands, Word};
pub use fetched::{FetchError, Fetched, Previous, Validators, Value};
pub use host::{Host, Work};
pub use hot::{Fresh, Verdict, judge};
pub use invalidate::Mode;
pub use many::{Limits, Unanswered, Wanted};
pub use policy::{Policy, Windows};
pub use read::CacheRead;
pub use totals::Totals;

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::ports::redis::{Redis, RedisError};
use copies::Copies;
use counts::{Counts, When};
use hot::Hot;
use lookup::{Decision, Lookup, lookup};
use reader::Reader;
use refresh::Led;

/// Pauses of a reader that waits for another reader's fetch; the last one repeats.
const POLLS: [Duration; 3] =
    [Duration::from_millis(25), Duration::from_millis(50), Duration::from_millis(100)];
/// Invalid values of other services that one read ignores before it fetches without the store.
const REJECTIONS_MAX: usize = 3;

/// A cache of JSON values in a store. Clones share the memory of fresh values.
#[derive(Clone)]
pub struct Cache<S, H> {
    store: S,
    host: H,
    hot: Rc<Hot>,
    copies: Rc<Copies>,
    counts: Rc<Counts>,
}

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    /// A cache in `store`. Components use [`App::cache`](crate::App::cache).
    pub fn new(store: S, host: H) -> Self {
        Self { store, host, hot: Rc::default(), copies: Rc::default(), counts: Rc::default() }
    }

    /// The value of `entry`: from the store if `policy` allows it, else from `fetch`.
    ///
    /// A fresh value costs one call of the store. So does a stale one, and at most one caller in
    /// the whole fleet runs `fetch` in the background. Without a usable value, one caller runs
    /// `fetch` and the others wait for a bounded time. If the store cannot be used, `fetch` runs
    /// directly. `fetch` receives the validators of the stored value, and is dropped after
    /// [`Policy::timeout`].
    ///
    /// # Errors
    /// Only [`RedisError::WrongType`]: the key holds another type than a string. A failed source is
    /// an [`Answer`] with [`Content::Failed`].
    pub async fn get_or_refresh<F, Fut>(
        &self,
        read: CacheRead<'_>,
        policy: &Policy,
        fetch: F,
    ) -> Result<Answer, RedisError>
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let reader = self.reader(read, policy);
        let answer = match self.still_fresh(&reader, read.if_none_match).await {
            Ok(Some(answer)) => answer,
            Ok(None) => self.search(&reader, read.if_none_match, fetch).await?,
            Err(error) => reader.bypass_for(&error, fetch).await,
        };
        if policy.is_counted() {
            self.count(std::iter::once((policy.name(), &answer)));
        }
        Ok(answer)
    }

    /// Counts the reads of one request, and sees to it that they are written.
    fn count<'a>(&self, reads: impl Iterator<Item = (&'a str, &'a Answer)> + Clone) {
        match self.counts.read(reads, || self.host.random()) {
            When::Now => {
                let this = self.clone();
                self.host.spawn(Box::pin(async move { this.write_counts().await }));
            }
            When::Later => {
                let (store, host) = (self.store.clone(), self.host.clone());
                let writing = Rc::clone(&self.counts).write_later(store, host);
                self.host.spawn(Box::pin(writing));
            }
            When::Never => {}
        }
    }

    /// Lets the script decide, as often as this reader has to wait.
    async fn search<F, Fut>(
        &self,
        reader: &Reader<S, H>,
        if_none_match: &str,
        fetch: F,
    ) -> Result<Answer, RedisError>
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let policy = &reader.policy;
        let mut search = Search::default();
        loop {
            let asked_ms = self.copies_since(reader);
            let found = lookup(reader, if_none_match, &search.reject).await;
            let found = match found {
                Ok(found) => found,
                Err(RedisError::WrongType) => return Err(RedisError::WrongType),
                Err(error) => return Ok(reader.bypass_for(&error, fetch).await),
            };
            if found.is_replaced {
                reader.warn("companion_replaced", "one of our keys held another type");
            }
            if found.is_garbage() {
                if found.decision.is_lead() {
                    // Looking again would wait for this reader's own cache lease.
                    let led = reader.lead(fetch, Previous::default()).await;
                    return Ok(search.done(led.answer()));
                }
                if search.rejections == REJECTIONS_MAX {
                    return Ok(reader.bypass(fetch, None).await);
                }
                search.rejections += 1;
                search.reject = found.exp;
                continue;
            }
            let waited = search.waited(&self.host);
            return Ok(match found.decision {
                Decision::Fresh => {
                    if !found.is_foreign {
                        let now_ms = found.fresh_ms - found.ttl_ms;
                        self.hot.note(reader.key(), found.fresh_ms, now_ms, self.host.now_ms());
                    }
                    let answer = found.serve();
                    self.keep_copy(reader, &answer, asked_ms);
                    search.done(answer)
                }
                Decision::StaleFollow => search.done(found.serve()),
                Decision::EarlyLead | Decision::StaleLead => {
                    let previous = found.previous.clone();
                    self.finish(reader.lead(fetch, previous));
                    search.done(found.serve())
                }
                Decision::Absent | Decision::Cooldown => search.done(found.without_value()),
                Decision::Bypass => reader.bypass(fetch, None).await,
                Decision::ErrorBypass => reader.bypass(fetch, Some(found)).await,
                Decision::MissLead => {
                    search.done(reader.lead(fetch, Previous::default()).await.answer())
                }
                Decision::ErrorLead => self.lead_or_serve(reader, fetch, found).await,
                Decision::MissWait if waited >= policy.wait() => reader.bypass(fetch, None).await,
                Decision::ErrorWait if waited >= policy.soft_wait() => search.done(found.serve()),
                Decision::MissWait | Decision::ErrorWait => {
                    self.host.sleep(search.pause(&self.host)).await;
                    continue;
                }
            });
        }
    }

    fn reader(&self, read: CacheRead<'_>, policy: &Policy) -> Reader<S, H> {
        let counts = policy.is_counted().then(|| Rc::clone(&self.counts));
        Reader::new(self.store.clone(), self.host.clone(), read, policy, counts)
    }

    /// Runs a fetch in the background.
    fn finish(&self, work: impl Future<Output = Led> + 'static) {
        let this = self.clone();
        self.host.spawn(Box::pin(async move {
            drop(work.await);
            this.write_counts().await;
        }));
    }

    async fn write_counts(&self) {
        self.counts.write(&self.store, &self.host).await;
    }

    /// Refreshes a value past its stale time, and serves the old value if that fails or takes
    /// longer than the soft timeout; the refresh then continues in the background.
    async fn lead_or_serve<F, Fut>(&self, reader: &Reader<S, H>, fetch: F, found: Lookup) -> Answer
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let work = Box::pin(reader.lead(fetch, found.previous.clone()));
        let soft = Box::pin(self.host.sleep(reader.policy.soft_wait()));
        match select(work, soft).await {
            Either::Left((Led::Failed(_), _)) => found.serve(),
            Either::Left((Led::Same(times), _)) => found.renewed(times),
            Either::Left((led, _)) => Answer { how: How::Expired, ..led.answer() },
            Either::Right(((), work)) => {
                self.finish(work);
                found.serve()
            }
        }
    }
}

/// The progress of one read that may take several lookups.
#[derive(Default)]
struct Search {
    /// Start of the wait. A reader that need not wait never reads the clock.
    begun_ms: Option<i64>,
    polls: usize,
    /// PEXPIRETIME of the last value that is not JSON, or empty.
    reject: String,
    rejections: usize,
}

impl Search {
    fn waited(&self, host: &impl Host) -> Duration {
        let ms = self.begun_ms.map_or(0, |begun_ms| host.now_ms() - begun_ms);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// The next pause: from half to the whole of its step, so that waiting readers spread out.
    fn pause(&mut self, host: &impl Host) -> Duration {
        self.begun_ms.get_or_insert_with(|| host.now_ms());
        let step = POLLS.get(self.polls).or(POLLS.last()).copied().unwrap_or_default();
        self.polls += 1;
        step / 2 + (step / 2).mul_f64(host::unit(host.random()))
    }

    /// Marks the answer of a reader that waited as served by another reader's fetch.
    fn done(&self, answer: Answer) -> Answer {
        if self.polls == 0 || answer.stored {
            return answer;
        }
        let how = if answer.how == How::Hit { How::Miss } else { answer.how };
        Answer { collapsed: true, how, ..answer }
    }
}
