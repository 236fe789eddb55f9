//! The cache as a library, natively on a real Redis: single flight, fencing, cache windows, faults.

mod adoption;
mod copies;
mod counts;
mod faults;
mod flight;
mod hot;
mod many;
mod races;
mod traceless;
mod windows;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use runtime::cache::{
    Answer, Cache, CacheRead, Content, FetchError, Fetched, Host, Policy, Previous, Windows, Work,
};
use runtime::ports::redis::RedisError;
use support::RedisServer;
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::models::record_model::redis::FaultyRedis;

pub const KEY: &str = "profile:7";
pub const TAG: &str = "user:7";

/// Tokio as a host. Clones share the randomness, so that no token is given twice.
#[derive(Clone)]
pub struct TokioHost {
    begun: Instant,
    random: Rc<Cell<u64>>,
}

impl TokioHost {
    /// A host whose randomness begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { begun: Instant::now(), random: Rc::new(Cell::new(seed)) }
    }
}

impl Host for TokioHost {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(duration)
    }

    fn random(&self) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(next);
        next.rotate_left(32)
    }

    fn spawn(&self, work: Work) {
        tokio::task::spawn_local(work);
    }
}

/// What the source does next.
#[derive(Clone)]
pub enum Plan {
    /// A value that says how many fetches there were.
    Count,
    Raw(&'static str),
    Answer(Fetched),
    Fail,
    Hang,
    /// A value as by `Count`, once the test says so.
    Gate(Rc<Notify>),
}

/// A cache with one reader's key, and a source that counts.
#[derive(Clone)]
pub struct World {
    pub cache: Cache<Rc<FaultyRedis>, TokioHost>,
    pub host: TokioHost,
    pub policy: Policy,
    tags: Rc<Vec<String>>,
    pub fetches: Rc<Cell<u32>>,
    plan: Rc<RefCell<Plan>>,
    pub takes: Rc<Cell<Duration>>,
    /// Of the last fetch.
    pub known: Rc<RefCell<Previous>>,
}

pub const LONG: Duration = Duration::from_secs(100);
pub const NONE: Duration = Duration::ZERO;

pub fn windows(fresh: Duration, stale: Duration, error: Duration) -> Windows {
    Windows { fresh, stale, error, absent: LONG, cool_down: LONG }
}

/// Long cache windows, short timeouts.
pub fn policy(windows: Windows) -> Policy {
    let soft = Duration::from_millis(150);
    Policy::new("test").with_windows(windows).soft_timeout(soft).timeout(Duration::from_millis(600))
}

impl World {
    pub async fn new(redis: &RedisServer, policy: Policy) -> Self {
        let store = FaultyRedis::new(
            redis.connection().await,
            Box::new(|| Duration::ZERO),
            Box::new(|| None),
        );
        let seed = u64::from(redis.pid()) << 20 | 1;
        let host = TokioHost::new(seed);
        Self {
            cache: Cache::new(Rc::new(store), host.clone()),
            host,
            policy,
            tags: Rc::new(vec![TAG.to_owned()]),
            fetches: Rc::default(),
            plan: Rc::new(RefCell::new(Plan::Count)),
            takes: Rc::default(),
            known: Rc::default(),
        }
    }

    /// The same cache under another policy.
    pub fn with(&self, policy: Policy) -> Self {
        Self { policy, ..self.clone() }
    }

    pub fn plan(&self, plan: Plan) {
        *self.plan.borrow_mut() = plan;
    }

    pub fn entry(&self) -> CacheRead<'_> {
        CacheRead { key: KEY, tags: &self.tags, if_none_match: "" }
    }

    pub async fn try_read(&self, if_none_match: &str) -> Result<Answer, RedisError> {
        let this = self.clone();
        let fetch = move |known| async move { this.fetch(known).await };
        let entry = CacheRead { if_none_match, ..self.entry() };
        self.cache.get_or_refresh(entry, &self.policy, fetch).await
    }

    pub async fn read(&self) -> Answer {
        self.try_read("").await.unwrap()
    }

    async fn fetch(&self, known: Previous) -> Result<Fetched, FetchError> {
        self.fetches.set(self.fetches.get() + 1);
        *self.known.borrow_mut() = known;
        let (count, plan) = (self.fetches.get(), self.plan.borrow().clone());
        if !self.takes.get().is_zero() {
            tokio::time::sleep(self.takes.get()).await;
        }
        match plan {
            Plan::Count => Ok(Fetched::json(format!("{{\"n\":{count}}}"))),
            Plan::Raw(text) => Ok(Fetched::json(text)),
            Plan::Answer(fetched) => Ok(fetched),
            Plan::Fail => Err(FetchError::Failed("as planned".to_owned())),
            Plan::Hang => std::future::pending().await,
            Plan::Gate(gate) => {
                gate.notified().await;
                Ok(Fetched::json(format!("{{\"n\":{count}}}")))
            }
        }
    }

    /// Waits until the source has been asked so often and nobody asks it any more.
    pub async fn fetched(&self, redis: &RedisServer, fetches: u32) {
        support::eventually("the refresh ends", async || {
            let lease: i64 = redis.run_words(&["EXISTS", &lease()]).await;
            (self.fetches.get() >= fetches && lease == 0).then_some(())
        })
        .await;
        assert_eq!(self.fetches.get(), fetches);
    }
}

pub fn companion() -> String {
    shared::keys::cache_companion(KEY)
}

pub fn lease() -> String {
    shared::keys::cache_lease(KEY)
}

pub fn tag() -> String {
    shared::keys::cache_tag(TAG)
}

/// The text of an answer that must have one.
#[track_caller]
pub fn text(answer: &Answer) -> &str {
    match &answer.content {
        Content::Json { body, .. } => std::str::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn is_failure(answer: &Answer) {
    assert!(matches!(answer.content, Content::Failed(_)), "{answer:?}");
}

/// Runs a test where background work may be spawned.
pub async fn local<T>(work: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(work).await
}

/// `count` readers at once.
pub async fn crowd(world: &World, count: usize) -> Vec<Answer> {
    let readers: Vec<_> = (0..count)
        .map(|_| {
            let world = world.clone();
            tokio::task::spawn_local(async move { world.read().await })
        })
        .collect();
    let mut answers = Vec::new();
    for reader in readers {
        answers.push(reader.await.unwrap());
    }
    answers
}
