//! Many reads at once: the values that are fresh in one call of the store, all others at the same
//! time, each as a read alone.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use shared::limits::CACHE_READ_PATHS_MAX;

use super::Cache;
use super::answer::{Answer, Content, How};
use super::fetched::{FetchError, Fetched, Previous};
use super::host::Host;
use super::policy::Policy;
use super::read::CacheRead;
use super::reader::Reader;
use crate::ports::redis::{Redis, RedisError};

/// Reads that are under way at the same time after the first call: bounds the burst at sources and
/// Redis.
///
/// As many as a page may have: a slow source then keeps no other value of the page waiting.
const AT_ONCE: usize = CACHE_READ_PATHS_MAX;
/// Bytes of the values that are under way at the same time, by the limits of their policies: bounds
/// memory, and the reply of one call.
const BYTES_AT_ONCE: usize = 64 * 1024 * 1024;

/// One of many reads.
pub struct Wanted<'a, F> {
    /// Key and tags. `if_none_match` is ignored.
    pub read: CacheRead<'a>,
    /// How the value is cached.
    pub policy: &'a Policy,
    /// Fetches the value, as in [`Cache::get_or_refresh`].
    pub fetch: F,
}

/// The limits of many reads together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all values together.
    pub bytes_max: usize,
    /// The longest wait for sources and for other readers' fetches.
    pub wait: Duration,
}

/// Why one of many reads has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// As the error of [`Cache::get_or_refresh`].
    Redis(RedisError),
    /// The value would exceed [`Limits::bytes_max`] with those that are there already.
    TooLarge,
}

type Outcome = Result<Answer, Unanswered>;
/// A read under way, by its place and its bytes.
type Search = Pin<Box<dyn Future<Output = (usize, Result<Answer, RedisError>)>>>;

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    /// The values of all `wanted`, in their order, each as [`Cache::get_or_refresh`] returns it. No
    /// key should be among them twice.
    ///
    /// Values that are fresh cost one call of the store together, one of each server on a cluster.
    /// The others are read at the same time, so that a slow or failing source delays
    /// none of them by more than its own timeout. A read that is not done after [`Limits::wait`] is
    /// answered as [`FetchError::TimedOut`], and continues in the background.
    pub async fn get_many<F, Fut>(
        &self,
        wanted: Vec<Wanted<'_, F>>,
        limits: Limits,
    ) -> Vec<Result<Answer, Unanswered>>
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let pairs = wanted.into_iter().map(|Wanted { read, policy, fetch }| {
            (self.reader(CacheRead { if_none_match: "", ..read }, policy), fetch)
        });
        let (readers, fetches): (Vec<_>, Vec<_>) = pairs.unzip();
        let mut page = Page { outcomes: Vec::new(), bytes_left: limits.bytes_max };
        let mut rest = Vec::new();
        let mut fetches = fetches.into_iter();
        for some in chunks(&readers) {
            let found = self.fresh_ones(&some.iter().collect::<Vec<_>>()).await;
            for ((reader, fetch), found) in some.iter().zip(&mut fetches).zip(found) {
                let at = page.outcomes.len();
                page.outcomes.push(None);
                match found {
                    Ok(Some(answer)) => page.set(at, Ok(answer)),
                    Ok(None) => rest.push((at, reader.clone(), fetch, true)),
                    Err(error) => {
                        // Once: it is the same for all of them.
                        if rest.iter().all(|(.., has_store)| *has_store) {
                            reader.warn("cache_bypassed", &error.to_string());
                        }
                        rest.push((at, reader.clone(), fetch, false));
                    }
                }
            }
        }
        if !rest.is_empty() {
            self.search_all(rest, &mut page, limits.wait).await;
        }
        let outcomes: Vec<Outcome> = page
            .outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Ok(late())))
            .collect();
        let answered = readers.iter().zip(&outcomes).filter_map(|(reader, outcome)| {
            let is_counted = reader.policy.is_counted();
            outcome.as_ref().ok().filter(|_| is_counted).map(|it| (reader.policy.name(), it))
        });
        if answered.clone().next().is_some() {
            self.count(answered);
        }
        outcomes
    }

    /// Reads the rest, several at once; the last of each is whether the store can be used.
    async fn search_all<F, Fut>(
        &self,
        rest: Vec<(usize, Reader<S, H>, F, bool)>,
        page: &mut Page,
        wait: Duration,
    ) where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let largest = rest.iter().map(|(_, reader, ..)| reader.policy.value_bytes_max()).max();
        let at_once = BYTES_AT_ONCE.checked_div(largest.unwrap_or(0)).unwrap_or(AT_ONCE);
        let at_once = at_once.clamp(1, AT_ONCE);
        let mut rest = rest.into_iter();
        let mut under_way: FuturesUnordered<Search> = FuturesUnordered::new();
        let mut deadline = pin!(self.host.sleep(wait));
        loop {
            while under_way.len() < at_once
                && let Some(read) = rest.next()
            {
                under_way.push(self.clone().search_one(read));
            }
            match select(under_way.next(), &mut deadline).await {
                Either::Left((Some((at, found)), _)) => {
                    page.set(at, found.map_err(Unanswered::Redis));
                }
                Either::Left((None, _)) => return,
                Either::Right(_) => break,
            }
        }
        let this = self.clone();
        self.host.spawn(Box::pin(async move {
            while under_way.next().await.is_some() {}
            this.write_counts().await;
        }));
    }

    fn search_one<F, Fut>(self, read: (usize, Reader<S, H>, F, bool)) -> Search
    where
        F: FnOnce(Previous) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let (at, reader, fetch, has_store) = read;
        Box::pin(async move {
            let found = match has_store {
                true => self.search(&reader, "", fetch).await,
                false => Ok(reader.bypass(fetch, None).await),
            };
            (at, found)
        })
    }
}

/// The outcomes so far.
struct Page {
    outcomes: Vec<Option<Outcome>>,
    bytes_left: usize,
}

impl Page {
    fn set(&mut self, at: usize, outcome: Outcome) {
        let bytes = match &outcome {
            Ok(Answer { content: Content::Json { body, .. }, .. }) => body.len(),
            _ => 0,
        };
        let outcome = match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                outcome
            }
            None => Err(Unanswered::TooLarge),
        };
        if let Some(place) = self.outcomes.get_mut(at) {
            *place = Some(outcome);
        }
    }
}

/// The answer of a read that is not done in time.
fn late() -> Answer {
    Answer::fetched(Content::Failed(FetchError::TimedOut), How::Miss)
}

/// Splits the readers so that the values of a part can have [`BYTES_AT_ONCE`] together, and each part
/// has one at least.
fn chunks<S, H>(readers: &[Reader<S, H>]) -> impl Iterator<Item = &[Reader<S, H>]> {
    let mut rest = readers;
    std::iter::from_fn(move || {
        let mut bytes: usize = 0;
        let fits = |reader: &&Reader<S, H>| {
            bytes = bytes.saturating_add(reader.policy.value_bytes_max());
            bytes <= BYTES_AT_ONCE
        };
        let some = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (part, left) = rest.split_at(some);
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}
