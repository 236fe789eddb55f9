//! Many reads at once: whatever state the values are in, each gets the answer of a read alone, and
//! nothing is fetched twice.

mod bounds;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use runtime::cache::{
    Answer, Cache, CacheRead, Content, FetchError, Fetched, How, Limits, Mode, Policy, Previous,
    Unanswered, Wanted,
};
use runtime::ports::redis::RedisError;
use support::RedisServer;

use super::{LONG, NONE, TokioHost, local, policy, windows};
use crate::models::record_model::redis::FaultyRedis;
use crate::models::record_model::seed::{cases, config, seed};

const LIMITS: Limits = Limits { bytes_max: 1024 * 1024, wait: Duration::from_secs(9) };

/// A state of a value when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Fresh,
    /// Fresh, and read before by the instance that reads it.
    Seen,
    Stale,
    /// Past its stale time.
    Expired,
    /// The same, and its source fails now.
    Failing,
    Absent,
    /// It failed a moment ago.
    Cooling,
    Foreign,
    Garbage,
    /// Another service replaced it and kept the expiry.
    Replaced,
    Retyped,
    SoftlyInvalidated,
    HardInvalidated,
    InvalidatedByTag(Mode),
}

const STATES: [State; 16] = [
    State::Missing,
    State::Fresh,
    State::Seen,
    State::Stale,
    State::Expired,
    State::Failing,
    State::Absent,
    State::Cooling,
    State::Foreign,
    State::Garbage,
    State::Replaced,
    State::Retyped,
    State::SoftlyInvalidated,
    State::HardInvalidated,
    State::InvalidatedByTag(Mode::Soft),
    State::InvalidatedByTag(Mode::Hard),
];

/// What a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Value,
    Absent,
    Fails,
    Hangs,
    Takes(u64),
}

type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>>>>;

/// A cache, sources by key, and how often each was asked.
#[derive(Clone)]
struct Place {
    cache: Cache<Rc<FaultyRedis>, TokioHost>,
    sources: Rc<RefCell<BTreeMap<String, Source>>>,
    fetches: Rc<RefCell<BTreeMap<String, u32>>>,
}

impl Place {
    async fn new(redis: &RedisServer, seed: u64) -> Self {
        let (delay, fate) = (Box::new(|| Duration::ZERO), Box::new(|| None));
        let store = Rc::new(FaultyRedis::new(redis.connection().await, delay, fate));
        let cache = Cache::new(store, TokioHost::new(seed));
        Self { cache, sources: Rc::default(), fetches: Rc::default() }
    }

    /// Another instance with the same sources.
    async fn other(&self, redis: &RedisServer, seed: u64) -> Self {
        Self { cache: Self::new(redis, seed).await.cache, ..self.clone() }
    }

    fn source(&self, key: &str, source: Source) {
        self.sources.borrow_mut().insert(key.to_owned(), source);
    }

    fn fetches_of(&self, key: &str) -> u32 {
        self.fetches.borrow().get(key).copied().unwrap_or(0)
    }

    fn fetch_of(&self, key: &str) -> impl FnOnce(Previous) -> Fetching + use<> {
        let (this, key) = (self.clone(), key.to_owned());
        move |_| {
            Box::pin(async move {
                *this.fetches.borrow_mut().entry(key.clone()).or_default() += 1;
                let source = this.sources.borrow().get(&key).copied().unwrap_or(Source::Value);
                match source {
                    Source::Value => {}
                    Source::Absent => return Ok(Fetched::Absent),
                    Source::Fails => return Err(FetchError::Failed("as planned".to_owned())),
                    Source::Hangs => std::future::pending().await,
                    Source::Takes(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                }
                let fetches = this.fetches_of(&key);
                let number = key.rsplit(':').next().unwrap_or_default();
                Ok(Fetched::json(format!("{{\"of\":\"{number}\",\"n\":{fetches}}}")))
            })
        }
    }

    async fn alone(&self, key: &str, policy: &Policy) -> Result<Answer, RedisError> {
        let tags = tags(key);
        let read = CacheRead { key, tags: &tags, if_none_match: "" };
        self.cache.get_or_refresh(read, policy, self.fetch_of(key)).await
    }

    async fn together(
        &self,
        wanted: &[(String, Policy)],
        limits: Limits,
    ) -> Vec<Result<Answer, Unanswered>> {
        let tags: Vec<Vec<String>> = wanted.iter().map(|(key, _)| tags(key)).collect();
        let wanted = wanted.iter().zip(&tags).map(|((key, policy), tags)| Wanted {
            read: CacheRead { key, tags, if_none_match: "" },
            policy,
            fetch: self.fetch_of(key),
        });
        self.cache.get_many(wanted.collect(), limits).await
    }
}

/// One of its own, and one that all values of a test share.
fn tags(key: &str) -> Vec<String> {
    let shared = key.rsplit_once(':').map_or("", |(start, _)| start);
    vec![key.to_owned(), shared.to_owned()]
}

fn policy_of(state: State) -> Policy {
    policy(match state {
        State::Stale => windows(NONE, LONG, LONG),
        State::Expired | State::Failing => windows(NONE, NONE, LONG),
        _ => windows(LONG, LONG, LONG),
    })
}

/// Brings a value into its state, by another instance unless the reader has to have seen it.
async fn prepare(redis: &RedisServer, key: &str, state: State, reader: &Place, other: &Place) {
    let policy = policy_of(state);
    match state {
        State::Absent => reader.source(key, Source::Absent),
        State::Cooling => reader.source(key, Source::Fails),
        _ => {}
    }
    if state == State::Missing {
        return;
    }
    other.alone(key, &policy).await.unwrap();
    let tags = tags(key);
    let read = CacheRead { key, tags: &tags, if_none_match: "" };
    let invalidate = async |mode| other.cache.invalidate(read, &policy, mode).await.unwrap();
    match state {
        State::Seen => assert_eq!(reader.alone(key, &policy).await.unwrap().how, How::Hit),
        State::Failing => reader.source(key, Source::Fails),
        State::Foreign => redis.run_words(&["SET", key, "[\"theirs\"]", "EX", "50"]).await,
        State::Garbage => redis.run_words(&["SET", key, "garbage", "KEEPTTL"]).await,
        State::Replaced => redis.run_words(&["SET", key, "[1]", "KEEPTTL"]).await,
        State::Retyped => {
            let _: i64 = redis.run_words(&["DEL", key]).await;
            let _: i64 = redis.run_words(&["RPUSH", key, "x"]).await;
        }
        State::SoftlyInvalidated => invalidate(Mode::Soft).await,
        State::HardInvalidated => invalidate(Mode::Hard).await,
        State::InvalidatedByTag(mode) => {
            other.cache.invalidate_tags(&tags[..1], mode).await.unwrap();
        }
        _ => {}
    }
}

/// An answer without its times.
fn told(answer: Result<Answer, Unanswered>) -> Result<(Content, How, bool, bool), Unanswered> {
    answer.map(|it| (it.content, it.how, it.stored, it.ttl_ms > 0))
}

#[tokio::test]
async fn any_set_of_values_is_answered_as_each_is_alone() {
    let redis = RedisServer::start().await;
    let seed = seed();
    let mut runner = TestRunner::new(config(60, seed));
    let states = prop::collection::vec(prop::sample::select(&STATES[..]), 1..24);
    local(async {
        for case in 0..cases(60) {
            let states = states.new_tree(&mut runner).unwrap().current();
            let own_seed = seed ^ u64::from(case) << 32;
            let reader = Place::new(&redis, own_seed | 1).await;
            let other = reader.other(&redis, own_seed | 2).await;
            let mut wanted = Vec::new();
            for (at, state) in states.iter().enumerate() {
                for side in ["page", "alone"] {
                    let key = format!("{side}{case}:{at}");
                    prepare(&redis, &key, *state, &reader, &other).await;
                    if side == "page" {
                        wanted.push((key, policy_of(*state)));
                    }
                }
            }
            let page = reader.together(&wanted, LIMITS).await;
            assert_eq!(page.len(), states.len());
            for (at, (state, found)) in states.iter().zip(page).enumerate() {
                let key = format!("alone{case}:{at}");
                let alone = reader.alone(&key, &policy_of(*state)).await;
                let alone = told(alone.map_err(Unanswered::Redis));
                assert_eq!(
                    told(found),
                    alone,
                    "BELLWIRE_MODEL_SEED={seed}, {state:?} in {states:?}"
                );
            }
            support::eventually("the refreshes end", async || {
                let counts = |side: &str| {
                    let keys = (0..states.len()).map(|at| format!("{side}{case}:{at}"));
                    keys.map(|key| reader.fetches_of(&key)).collect::<Vec<_>>()
                };
                (counts("page") == counts("alone")).then_some(())
            })
            .await;
        }
        let _: String = redis.run("FLUSHALL").await;
    })
    .await;
}
