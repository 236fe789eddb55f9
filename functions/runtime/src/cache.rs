//! Stale-while-revalidate on Redis, as a library: [`Cache::get_or_refresh`].
//!
//! A cache belongs to a store (any [`Redis`]) and a host (clock, sleep, randomness, background
//! work), so that the same code runs in a component and natively in tests. It keeps nothing
//! between calls. One script decides what a reader has to do (`shared/lua/cache_read.lua`), one
//! writes what a lease holder fetched unless something happened that must win
//! (`cache_write.lua`): single flight, fencing and freshness hold across instances and hosts.
//!
//! Refuses to know HTTP or SQL: where a value comes from is a future that the caller gives.

mod answer;
mod fetched;
mod host;
mod invalidate;
mod lookup;
mod policy;
mod refresh;

pub use answer::{Answer, Content, How, etag_of};
pub use fetched::{FetchError, Fetched, Known, Validators, Value};
pub use host::{Host, Work};
pub use invalidate::Mode;
pub use policy::{Policy, Windows};

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::redis::{Redis, RedisError};
use lookup::{Decision, Lookup, lookup};
use refresh::{Led, Refresh};

/// Followers ask again after about so long, first soon, then less often.
const POLLS: [Duration; 3] =
    [Duration::from_millis(25), Duration::from_millis(50), Duration::from_millis(100)];
/// Values of other services that are no JSON and follow each other while one reader looks.
const REJECTIONS_MAX: usize = 3;

/// What is read: a key, its tags, and what the reader has already.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The value's own key.
    pub key: &'a str,
    pub tags: &'a [String],
    /// `If-None-Match` of the reader, or empty.
    pub if_none_match: &'a str,
}

/// A cache in `store`.
#[derive(Clone)]
pub struct Cache<S, H> {
    store: S,
    host: H,
}

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    pub fn new(store: S, host: H) -> Self {
        Self { store, host }
    }

    /// The value of `entry`, from the store where `policy` allows it, else from `fetch`.
    ///
    /// Fresh values cost one call of the store; stale ones too, and then at most one caller
    /// anywhere runs `fetch` in the background. Without a usable value one caller runs `fetch` and
    /// the others wait, for a bounded time. Where the store cannot help, `fetch` is run directly.
    /// `fetch` is told what validates the stored value; it may take `policy.timeout` and is
    /// dropped then.
    ///
    /// # Errors
    /// Only [`RedisError::WrongType`]: the key holds something that is no string. That the source
    /// failed is an [`Answer`].
    pub async fn get_or_refresh<F, Fut>(
        &self,
        entry: Entry<'_>,
        policy: &Rc<Policy>,
        fetch: F,
    ) -> Result<Answer, RedisError>
    where
        F: FnOnce(Known) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let refresh = Refresh::new(self.store.clone(), self.host.clone(), entry, policy);
        let mut search = Search::default();
        loop {
            let found = lookup(&refresh, entry.if_none_match, &search.reject).await;
            let found = match found {
                Ok(found) => found,
                Err(RedisError::WrongType) => return Err(RedisError::WrongType),
                Err(error) => {
                    refresh.warn("cache_bypassed", &error.to_string());
                    return Ok(refresh.bypass(fetch, None).await);
                }
            };
            if found.is_replaced {
                refresh.warn("companion_replaced", "a key of ours held something else");
            }
            if found.is_garbage() {
                if found.decision.is_lead() {
                    // It would wait for its own lease.
                    let led = refresh.lead(fetch, Known::default()).await;
                    return Ok(search.done(led.answer()));
                }
                if search.rejections == REJECTIONS_MAX {
                    return Ok(refresh.bypass(fetch, None).await);
                }
                search.rejections += 1;
                search.reject = found.exp;
                continue;
            }
            let waited = search.waited(&self.host);
            return Ok(match found.decision {
                Decision::Fresh | Decision::StaleFollow => search.done(found.serve()),
                Decision::EarlyLead | Decision::StaleLead => {
                    let known = found.known.clone();
                    let work = refresh.lead(fetch, known);
                    self.host.spawn(Box::pin(async move { drop(work.await) }));
                    search.done(found.serve())
                }
                Decision::Absent | Decision::Cooldown => search.done(found.without_value()),
                Decision::Bypass => refresh.bypass(fetch, None).await,
                Decision::ErrorBypass => refresh.bypass(fetch, Some(found)).await,
                Decision::MissLead => {
                    search.done(refresh.lead(fetch, Known::default()).await.answer())
                }
                Decision::ErrorLead => self.lead_or_serve(&refresh, fetch, found).await,
                Decision::MissWait if waited >= policy.wait() => refresh.bypass(fetch, None).await,
                Decision::ErrorWait if waited >= policy.soft_timeout => search.done(found.serve()),
                Decision::MissWait | Decision::ErrorWait => {
                    self.host.sleep(search.pause(&self.host)).await;
                    continue;
                }
            });
        }
    }

    /// Refreshes a value that is past its stale time, and serves it where that fails or takes
    /// longer than the soft timeout; the refresh goes on then.
    async fn lead_or_serve<F, Fut>(
        &self,
        refresh: &Refresh<S, H>,
        fetch: F,
        found: Lookup,
    ) -> Answer
    where
        F: FnOnce(Known) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let work = Box::pin(refresh.lead(fetch, found.known.clone()));
        let soft = Box::pin(self.host.sleep(refresh.policy.soft_timeout));
        match select(work, soft).await {
            Either::Left((Led::Failed(_), _)) => found.serve(),
            Either::Left((Led::Same(times), _)) => found.renewed(times),
            Either::Left((led, _)) => Answer { how: How::Expired, ..led.answer() },
            Either::Right(((), work)) => {
                self.host.spawn(Box::pin(async move { drop(work.await) }));
                found.serve()
            }
        }
    }
}

/// How long one reader has been looking.
#[derive(Default)]
struct Search {
    /// When it began to wait; a reader that need not wait asks for no time.
    begun_ms: Option<i64>,
    polls: usize,
    /// PEXPIRETIME of a value that is no JSON.
    reject: String,
    rejections: usize,
}

impl Search {
    fn waited(&self, host: &impl Host) -> Duration {
        let ms = self.begun_ms.map_or(0, |begun_ms| host.now_ms() - begun_ms);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// The next pause: from half to the whole of its step, so that followers spread out.
    fn pause(&mut self, host: &impl Host) -> Duration {
        self.begun_ms.get_or_insert_with(|| host.now_ms());
        let step = POLLS.get(self.polls).or(POLLS.last()).copied().unwrap_or_default();
        self.polls += 1;
        step / 2 + (step / 2).mul_f64(host::unit(host.random()))
    }

    /// A follower was served by somebody else's fetch.
    fn done(&self, answer: Answer) -> Answer {
        if self.polls == 0 || answer.stored {
            return answer;
        }
        let how = if answer.how == How::Hit { How::Miss } else { answer.how };
        Answer { collapsed: true, how, ..answer }
    }
}
