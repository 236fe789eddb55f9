//! Reads what sockets may have missed: the head when a user comes, the feed after a jump, and
//! everyone's head once the subscription stands again.
//!
//! Reads share round trips and are few at a time; whoever waits for one holds up only themselves.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::RedisError;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::limits::{
    FEEDS_PAGE_USERS, HEADS_PAGE_USERS, PAGES_IN_FLIGHT_MAX, POSITION_CHECK_INTERVAL,
    REDIS_ANSWER_DEADLINE, REDIS_BACKOFF_MAX, SWEEP_PAUSE,
};
use crate::metrics::CatchUp;
use crate::redis::commands::Commands;
use crate::redis::feed_reader;
use crate::users::sequencer::FeedQuery;
use crate::users::{ReadRequest, Registry};

/// Answers the registry's requests; ends only by being dropped, or when a read panics. Users whose read failed are left to
/// the sweep, which `behind` wakes.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    redis: Arc<Commands>,
    mut requests: mpsc::UnboundedReceiver<ReadRequest>,
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
                // Its users would wait for ever: the hub has to know.
                Err(_) => return,
            },
        }
        let (heads, feeds): (Vec<_>, Vec<_>) =
            waiting.drain(..).partition(|request| request.read == FeedQuery::Head);
        let mut pages: Vec<Vec<ReadRequest>> = vec![heads];
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
                    // A feed that can never be read (its entries are huge, the user may not) would
                    // otherwise be asked for again and again, as fast as Redis refuses.
                    sleep(REDIS_BACKOFF_MAX).await;
                    behind.notify_one();
                }
            });
        }
    }
}

/// Who asks for a sweep.
pub(crate) struct Wanted {
    /// The subscription stands again, or a read failed.
    pub(crate) behind: Arc<Notify>,
    /// Everyone is to be compared with their feed once more.
    pub(crate) again: Arc<Notify>,
}

/// Brings everyone up to date each time it is asked to. Where the subscription stands again, tells
/// `done` after the first round, even if that round could not read every feed: one that can never be
/// read must not keep the others from what the relay has for them. Now and then it looks after everyone
/// unasked: a publication may be lost on ways that nobody thought of. Ends only by being dropped.
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

/// With jitter, so that a fleet of hubs does not look at once.
fn next_check() -> Instant {
    Instant::now() + POSITION_CHECK_INTERVAL.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// Returns whether Redis answered every time.
async fn sweep_once(registry: &Registry, redis: &Commands) -> bool {
    let mut is_complete = true;
    let mut heads = Vec::with_capacity(HEADS_PAGE_USERS);
    let mut feeds = Vec::new();
    let mut shards = registry.behind();
    loop {
        let shard = shards.next();
        let is_last = shard.is_none();
        for request in shard.unwrap_or_default() {
            let (page, users_max) = match request.read {
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

/// Reads one page, of one kind, and hands the registry what it found. Returns whether Redis
/// answered.
async fn read(registry: &Registry, redis: &Commands, page: Vec<ReadRequest>) -> bool {
    // Time to connect, if need be, and to answer.
    let deadline = REDIS_ANSWER_DEADLINE * 2;
    let outcome = match timeout(deadline, read_page(registry, redis, &page)).await {
        Ok(outcome) => outcome,
        Err(_) => Err((redis::ErrorKind::Io, "no answer in time").into()),
    };
    let is_heads = page.iter().all(|request| request.read == FeedQuery::Head);
    let what = if is_heads { CatchUp::Heads } else { CatchUp::Feeds };
    registry.metrics.caught_up(what, page.len(), outcome.is_ok());
    if let Err(error) = &outcome {
        tracing::debug!(%error, users = page.len(), "cannot read feeds");
        page.iter().for_each(|request| registry.read_failed(request));
    }
    outcome.is_ok()
}

async fn read_page(
    registry: &Registry,
    redis: &Commands,
    page: &[ReadRequest],
) -> Result<(), RedisError> {
    let users: Vec<_> = page.iter().map(|request| &request.user).collect();
    // Taken before the read: what is created during it counts as new.
    let now = now();
    if page.iter().all(|request| request.read == FeedQuery::Head) {
        let heads = feed_reader::heads(redis, &users).await?;
        for (request, head) in page.iter().zip(heads) {
            registry.head_read(request, head, now);
        }
    } else {
        let feeds = feed_reader::feeds(redis, &users, now).await?;
        for (request, feed) in page.iter().zip(feeds) {
            registry.feed_read(request, feed, now);
        }
    }
    Ok(())
}

/// Since the Unix epoch, as the ids of notifications count it.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
