//! Stale-while-revalidate on Redis, as a library: [`Cache::get_or_refresh`].
//!
//! A cache belongs to a store (any [`Redis`]) and a host (clock, sleep, randomness, background
//! work), so that the same code runs in a component and natively in tests. Keep it between calls: it
//! knows which values it has just seen fresh, and those are read without a script (`hot.rs`). Else
//! one script decides what a reader has to do (`shared/lua/cache_read.lua`), one
//! writes what a lease holder fetched unless something happened that must win
//! (`cache_write.lua`): single flight, fencing and freshness hold across instances and hosts.
//!
//! Refuses to know HTTP or SQL: where a value comes from is a future that the caller gives.

mod answer;
mod entry;
mod fetched;
mod host;
mod hot;
mod invalidate;
mod limits;
mod lookup;
mod policy;
mod reader;
mod refresh;

pub use answer::{Answer, Content, How, etag_of};
pub use entry::Entry;
pub use fetched::{FetchError, Fetched, Known, Validators, Value};
pub use host::{Host, Work};
pub use hot::{Fresh, Verdict, judge};
pub use invalidate::Mode;
pub use limits::{Limits, Word};
pub use policy::{Policy, Windows};

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::ports::redis::{Arg, Redis, RedisError};
use hot::Hot;
use lookup::{Decision, Lookup, lookup};
use reader::Reader;
use refresh::Led;

/// Followers ask again after about so long, first soon, then less often.
const POLLS: [Duration; 3] =
    [Duration::from_millis(25), Duration::from_millis(50), Duration::from_millis(100)];
/// Values of other services that are no JSON and follow each other while one reader looks.
const REJECTIONS_MAX: usize = 3;

/// A cache in `store`. Clones share what it has seen.
#[derive(Clone)]
pub struct Cache<S, H> {
    store: S,
    host: H,
    hot: Rc<Hot>,
}

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    pub fn new(store: S, host: H) -> Self {
        Self { store, host, hot: Rc::default() }
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
        policy: &Policy,
        fetch: F,
    ) -> Result<Answer, RedisError>
    where
        F: FnOnce(Known) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let reader = Reader::new(self.store.clone(), self.host.clone(), entry, policy);
        match self.still_fresh(entry, &reader).await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(error) => return Ok(reader.bypass_for(&error, fetch).await),
        }
        let mut search = Search::default();
        loop {
            let found = lookup(&reader, entry.if_none_match, &search.reject).await;
            let found = match found {
                Ok(found) => found,
                Err(RedisError::WrongType) => return Err(RedisError::WrongType),
                Err(error) => return Ok(reader.bypass_for(&error, fetch).await),
            };
            if found.is_replaced {
                reader.warn("companion_replaced", "a key of ours held something else");
            }
            if found.is_garbage() {
                if found.decision.is_lead() {
                    // It would wait for its own lease.
                    let led = reader.lead(fetch, Known::default()).await;
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
                        self.hot.note(entry.key, found.fresh_ms, now_ms, self.host.now_ms());
                    }
                    search.done(found.serve())
                }
                Decision::StaleFollow => search.done(found.serve()),
                Decision::EarlyLead | Decision::StaleLead => {
                    let known = found.known.clone();
                    let work = reader.lead(fetch, known);
                    self.host.spawn(Box::pin(async move { drop(work.await) }));
                    search.done(found.serve())
                }
                Decision::Absent | Decision::Cooldown => search.done(found.without_value()),
                Decision::Bypass => reader.bypass(fetch, None).await,
                Decision::ErrorBypass => reader.bypass(fetch, Some(found)).await,
                Decision::MissLead => {
                    search.done(reader.lead(fetch, Known::default()).await.answer())
                }
                Decision::ErrorLead => self.lead_or_serve(&reader, fetch, found).await,
                Decision::MissWait if waited >= policy.wait() => reader.bypass(fetch, None).await,
                Decision::ErrorWait if waited >= policy.soft_wait() => search.done(found.serve()),
                Decision::MissWait | Decision::ErrorWait => {
                    self.host.sleep(search.pause(&self.host)).await;
                    continue;
                }
            });
        }
    }

    /// The value, where it was fresh a moment ago and is so still. What Redis says of a reader's
    /// `If-None-Match` may leave out the body: that is the script's.
    async fn still_fresh(
        &self,
        entry: Entry<'_>,
        reader: &Reader<S, H>,
    ) -> Result<Option<Answer>, RedisError> {
        let is_asked = entry.if_none_match.is_empty();
        let expected = self.hot.expect(entry.key, || self.host.now_ms()).filter(|_| is_asked);
        let Some((now_ms, fresh_ms)) = expected else { return Ok(None) };
        let keys: Vec<Arg<'_>> = reader.keys_less_lease().map(|key| Arg::Text(key)).collect();
        let reply = self.store.command("MGET", &keys).await?;
        Ok(match judge(reply, now_ms, fresh_ms, reader.chance) {
            Verdict::Fresh(Fresh { content, age_ms, ttl_ms, limits }) => {
                Some(Answer { age_ms, ttl_ms, limits, ..Answer::fetched(content, How::Hit) })
            }
            Verdict::Early => None,
            Verdict::Unsure => {
                self.hot.refuse(entry.key);
                None
            }
        })
    }

    /// Refreshes a value that is past its stale time, and serves it where that fails or takes
    /// longer than the soft timeout; the refresh goes on then.
    async fn lead_or_serve<F, Fut>(&self, reader: &Reader<S, H>, fetch: F, found: Lookup) -> Answer
    where
        F: FnOnce(Known) -> Fut + 'static,
        Fut: Future<Output = Result<Fetched, FetchError>> + 'static,
    {
        let work = Box::pin(reader.lead(fetch, found.known.clone()));
        let soft = Box::pin(self.host.sleep(reader.policy.soft_wait()));
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
