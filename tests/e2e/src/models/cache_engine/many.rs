//! Many reads at once: whatever state the values are in, each gets the answer of a read alone, and
//! nothing is fetched twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

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

/// Values that are stored, read by an instance that has not seen them.
async fn stored(redis: &RedisServer, count: usize) -> (Place, Vec<(String, Policy)>) {
    let policy = policy(windows(LONG, LONG, LONG));
    let reader = Place::new(redis, u64::from(redis.pid()) << 20 | 1).await;
    let other = reader.other(redis, u64::from(redis.pid()) << 20 | 2).await;
    let wanted: Vec<_> = (0..count).map(|at| (format!("v:{at}"), policy.clone())).collect();
    for (key, policy) in &wanted {
        other.alone(key, policy).await.unwrap();
    }
    (reader, wanted)
}

#[tokio::test]
async fn fresh_values_cost_one_command_and_the_time_once() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 40).await;
        let _: String = redis.run("CONFIG RESETSTAT").await;
        for round in 1..=5 {
            for found in reader.together(&wanted, LIMITS).await {
                assert_eq!(found.unwrap().how, How::Hit);
            }
            assert_eq!((redis.calls("mget").await, redis.calls("time").await), (round, 1));
        }
        assert_eq!(redis.calls("evalsha").await, 0);
        // A read alone needs no script for what a page has seen.
        assert_eq!(reader.alone("v:7", &wanted[7].1).await.unwrap().how, How::Hit);
        assert_eq!((redis.calls("mget").await, redis.calls("evalsha").await), (6, 0));
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_before_the_read_is_never_missed() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 8).await;
        let mut served_stale = 0;
        for round in 0..60 {
            // Seen and not seen, by key and by tag, soft and hard.
            let at = round % 8;
            let (key, policy) = &wanted[at];
            let tags = tags(key);
            let mode = if round % 3 == 0 { Mode::Soft } else { Mode::Hard };
            if round % 2 == 0 {
                let read = CacheRead { key, tags: &tags, if_none_match: "" };
                reader.cache.invalidate(read, policy, mode).await.unwrap();
            } else {
                reader.cache.invalidate_tags(&tags[..1], mode).await.unwrap();
            }
            let reader = match round % 5 {
                0 => reader.other(&redis, 1_000 + round as u64).await,
                _ => reader.clone(),
            };
            let found = reader.together(&wanted, LIMITS).await;
            let answer = found[at].clone().unwrap();
            let is_stale = answer.how == How::Hit && answer.ttl_ms <= 0;
            // A value made in the millisecond of a hard invalidation is not told from an older one.
            let is_refetched = answer.how == How::Miss;
            let is_right = is_refetched || (is_stale && mode == Mode::Soft);
            assert!(is_right, "{round}, {mode:?}: {answer:?}");
            served_stale += usize::from(is_stale);
            support::eventually("it is refreshed", async || {
                (reader.alone(key, policy).await.unwrap().ttl_ms > 0).then_some(())
            })
            .await;
        }
        assert!(served_stale > 0, "a soft invalidation removed every value");
    })
    .await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_answered_and_goes_on() {
    let redis = RedisServer::start().await;
    local(async {
        let reader = Place::new(&redis, u64::from(redis.pid()) << 20 | 1).await;
        let policy = policy(windows(LONG, LONG, LONG));
        reader.source("v:1", Source::Takes(500));
        let wanted: Vec<_> = (0..3).map(|at| (format!("v:{at}"), policy.clone())).collect();
        let limits = Limits { wait: Duration::from_millis(100), ..LIMITS };
        let begun = Instant::now();
        let found = reader.together(&wanted, limits).await;
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        let late = found[1].clone().unwrap();
        assert_eq!(late.content, Content::Failed(FetchError::TimedOut));
        assert!(found[0].as_ref().unwrap().stored && found[2].as_ref().unwrap().stored);
        support::eventually("it is stored all the same", async || {
            (redis.run::<i64>("EXISTS v:1").await == 1).then_some(())
        })
        .await;
        let found = reader.together(&wanted, limits).await;
        assert!(found.iter().all(|it| it.as_ref().unwrap().how == How::Hit), "{found:?}");
        assert_eq!(reader.fetches_of("v:1"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_source_that_hangs_holds_up_nobody_beyond_its_timeout() {
    let redis = RedisServer::start().await;
    local(async {
        let reader = Place::new(&redis, u64::from(redis.pid()) << 20 | 1).await;
        let policy = policy(windows(LONG, LONG, LONG));
        let wanted: Vec<_> = (0..40).map(|at| (format!("v:{at}"), policy.clone())).collect();
        reader.source("v:0", Source::Hangs);
        reader.source("v:1", Source::Fails);
        let begun = Instant::now();
        let found = reader.together(&wanted, LIMITS).await;
        // Its timeout is 600 ms.
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
        let failed = |at: usize| match &found[at].as_ref().unwrap().content {
            Content::Failed(error) => error.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(0), FetchError::TimedOut);
        assert!(matches!(failed(1), FetchError::Failed(_)));
        assert!(found[2..].iter().all(|it| it.as_ref().unwrap().stored));
    })
    .await;
}

#[tokio::test]
async fn values_beyond_the_limit_are_left_out() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 4).await;
        let bytes = reader.alone("v:0", &wanted[0].1).await.unwrap();
        let Content::Json { body, .. } = bytes.content else { panic!("no value") };
        let limits = Limits { bytes_max: 2 * body.len() + 1, ..LIMITS };
        let found = reader.together(&wanted, limits).await;
        assert!(found[..2].iter().all(Result::is_ok), "{found:?}");
        assert!(found[2..].iter().all(|it| *it == Err(Unanswered::TooLarge)), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn without_redis_each_source_is_asked_once() {
    let redis = RedisServer::start().await;
    local(async {
        let (reader, wanted) = stored(&redis, 20).await;
        redis.kill();
        let found = reader.together(&wanted, LIMITS).await;
        assert!(found.iter().all(|it| it.as_ref().unwrap().how == How::Bypass), "{found:?}");
        assert!(wanted.iter().all(|(key, _)| reader.fetches_of(key) == 2));
    })
    .await;
}
