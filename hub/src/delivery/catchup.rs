//! Reads the feeds of users who may have missed something: the head when a user connects, the feed
//! after a jump in `seq`, and every user's head once the subscription is back.
//!
//! Reads share round trips and run a few at a time; a slow one delays only the users it is for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use native::limits::{REDIS_ANSWER_DEADLINE, REDIS_BACKOFF_MAX};
use native::redis::Commands;
use redis::RedisError;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::limits::{
    FEEDS_PAGE_USERS, HEADS_PAGE_USERS, PAGES_IN_FLIGHT_MAX, POSITION_CHECK_INTERVAL, SWEEP_PAUSE,
};
use crate::metrics::CatchUp;
use crate::redis::feed_reader;
use crate::users::sequencer::FeedQuery;
use crate::users::{FeedRequest, Registry};

/// Answers the registry's requests; ends only by being dropped, or when a read panics. Users whose
/// read failed are left to the sweep, which `behind` wakes.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    redis: Arc<Commands>,
    mut requests: mpsc::UnboundedReceiver<FeedRequest>,
    behind: Arc<Notify>,
) {
    let slots = Arc::new(Semaphore::new(PAGES_IN_FLIGHT_MAX));
    let mut waiting = Vec::new();
    let mut reads = JoinSet::new();
    loop {
        tokio::select! {
            count = requests.recv_many(&mut waiting, HEADS_PAGE_USERS) => if count == 0 { return },
            Some(done) = reads.join_next() => match done {
                Ok(()) => continue,
                // Its users would wait for ever: the task ends, and with it the hub.
                Err(_) => return,
            },
        }
        let (heads, feeds): (Vec<_>, Vec<_>) =
            waiting.drain(..).partition(|request| request.query == FeedQuery::Head);
        let mut pages: Vec<Vec<FeedRequest>> = vec![heads];
        let mut feeds = feeds.into_iter().peekable();
        while feeds.peek().is_some() {
            pages.push(feeds.by_ref().take(FEEDS_PAGE_USERS).collect());
        }
        for page in pages.into_iter().filter(|page| !page.is_empty()) {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (registry, redis, behind) = (registry.clone(), redis.clone(), behind.clone());
            reads.spawn(async move {
                let is_answered = read(&registry, &redis, page).await;
                drop(slot);
                if !is_answered {
                    // A feed that can never be read (its entries are huge, or the hub lacks the
                    // permission) would otherwise be requested again as fast as Redis rejects it.
                    sleep(REDIS_BACKOFF_MAX).await;
                    behind.notify_one();
                }
            });
        }
    }
}

/// What wakes the sweep.
pub(crate) struct Wanted {
    /// The subscription is back, or a read failed.
    pub(crate) behind: Arc<Notify>,
    /// Every user is to be compared with their feed once more.
    pub(crate) again: Arc<Notify>,
}

/// Brings every user up to date each time it is woken, and every `POSITION_CHECK_INTERVAL`, in case
/// a publication was lost unnoticed. After the subscription came back, notifies `done` after the
/// first round, even if that round could not read every feed: one unreadable feed must not keep the
/// other users from what the relay has for them. Ends only by being dropped.
pub(crate) async fn sweep(
    registry: Arc<Registry>,
    redis: Arc<Commands>,
    wanted: Wanted,
    done: Arc<Notify>,
) {
    let (mut is_complete, mut check_at) = (true, next_check());
    loop {
        let is_back = tokio::select! {
            () = wanted.behind.notified() => true,
            () = wanted.again.notified() => false,
            () = sleep(REDIS_BACKOFF_MAX), if !is_complete => false,
            () = sleep_until(check_at) => {
                check_at = next_check();
                registry.recheck();
                false
            }
        };
        is_complete = sweep_once(&registry, &redis).await;
        if is_back {
            done.notify_one();
        }
    }
}

/// With jitter, so that a fleet of hubs does not read at the same time.
fn next_check() -> Instant {
    Instant::now() + POSITION_CHECK_INTERVAL.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// Whether Redis answered every read.
async fn sweep_once(registry: &Registry, redis: &Commands) -> bool {
    let mut is_complete = true;
    let mut heads = Vec::with_capacity(HEADS_PAGE_USERS);
    let mut feeds = Vec::new();
    let mut shards = registry.behind();
    loop {
        let shard = shards.next();
        let is_last = shard.is_none();
        for request in shard.unwrap_or_default() {
            let (page, users_max) = match request.query {
                FeedQuery::Head => (&mut heads, HEADS_PAGE_USERS),
                FeedQuery::Feed => (&mut feeds, FEEDS_PAGE_USERS),
            };
            page.push(request);
            if page.len() == users_max {
                is_complete &= read(registry, redis, std::mem::take(page)).await;
                sleep(SWEEP_PAUSE).await;
            }
        }
        if is_last {
            break;
        }
    }
    for page in [heads, feeds].into_iter().filter(|page| !page.is_empty()) {
        is_complete &= read(registry, redis, page).await;
    }
    is_complete
}

/// Reads one page of one kind and passes the results to the registry; whether Redis answered.
async fn read(registry: &Registry, redis: &Commands, page: Vec<FeedRequest>) -> bool {
    // Time to connect, if necessary, and to answer.
    let deadline = REDIS_ANSWER_DEADLINE * 2;
    let outcome = match timeout(deadline, read_page(registry, redis, &page)).await {
        Ok(outcome) => outcome,
        Err(_) => Err((redis::ErrorKind::Io, "no answer in time").into()),
    };
    let is_heads = page.iter().all(|request| request.query == FeedQuery::Head);
    let what = if is_heads { CatchUp::Heads } else { CatchUp::Feeds };
    registry.metrics.caught_up(what, page.len(), outcome.is_ok());
    if let Err(error) = &outcome {
        tracing::debug!(%error, users = page.len(), "cannot read feeds");
        page.iter().for_each(|request| registry.query_failed(request));
    }
    outcome.is_ok()
}

async fn read_page(
    registry: &Registry,
    redis: &Commands,
    page: &[FeedRequest],
) -> Result<(), RedisError> {
    let users: Vec<_> = page.iter().map(|request| &request.user).collect();
    // Taken before the read: a notification created during the read counts as new.
    let now = now();
    if page.iter().all(|request| request.query == FeedQuery::Head) {
        let heads = if page.iter().any(|request| request.wants_unread) {
            feed_reader::heads(redis, &users, now).await?
        } else {
            feed_reader::plain_heads(redis, &users).await?
        };
        for (request, head) in page.iter().zip(heads) {
            registry.head_received(request, head, now);
        }
    } else {
        let feeds = feed_reader::feeds(redis, &users, now).await?;
        for (request, feed) in page.iter().zip(feeds) {
            registry.feed_received(request, feed, now);
        }
    }
    Ok(())
}

/// Time since the Unix epoch, as in the ids of notifications.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
