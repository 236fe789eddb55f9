//! Reads the feeds of users who may have missed something: the head when a user connects, the feed
//! after a jump in `seq`, and every user's head once the subscription is back.
//!
//! Reads share round trips and run a few at a time; a slow one delays only the users it is for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use native::limits::{REDIS_ANSWER_DEADLINE, REDIS_BACKOFF_MAX};
use native::redis::Commands;
use redis::RedisResult;
use shared::keys;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::limits::{
    FEEDS_PAGE_USERS, HEADS_PAGE_USERS, PAGES_IN_FLIGHT_MAX, POSITION_CHECK_INTERVAL, SWEEP_PAUSE,
};
use crate::metrics::CatchUp;
use crate::redis::feed_reader::{self, Feed, FeedHead};
use crate::users::sequencer::FeedQuery;
use crate::users::{FeedRequest, Registry};

/// What is to be read from one master. Each has reads of its own under way: a silent one delays
/// only the users whose feeds it has.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<FeedRequest>,
    /// The next pages, each of one kind.
    pages: VecDeque<Vec<FeedRequest>>,
    in_flight: usize,
}

impl Lane {
    /// The next page, unless enough are being read.
    fn next_page(&mut self) -> Option<Vec<FeedRequest>> {
        if self.in_flight == PAGES_IN_FLIGHT_MAX {
            return None;
        }
        if self.pages.is_empty() {
            let next = self.waiting.len().min(HEADS_PAGE_USERS);
            let (heads, feeds): (Vec<_>, Vec<_>) =
                self.waiting.drain(..next).partition(|request| request.query == FeedQuery::Head);
            if !heads.is_empty() {
                self.pages.push_back(heads);
            }
            let mut feeds = feeds.into_iter().peekable();
            while feeds.peek().is_some() {
                self.pages.push_back(feeds.by_ref().take(FEEDS_PAGE_USERS).collect());
            }
        }
        let page = self.pages.pop_front()?;
        self.in_flight += 1;
        Some(page)
    }
}

/// Answers the registry's requests; ends only by being dropped, or when a read panics. Users whose
/// read failed are left to the sweep, which `behind` wakes.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    redis: Arc<Commands>,
    mut requests: mpsc::UnboundedReceiver<FeedRequest>,
    behind: Arc<Notify>,
) {
    let mut lanes: HashMap<Option<usize>, Lane> = HashMap::new();
    let mut arrived = Vec::new();
    let mut reads: JoinSet<(Option<usize>, bool)> = JoinSet::new();
    let mut pauses = JoinSet::new();
    loop {
        tokio::select! {
            count = requests.recv_many(&mut arrived, HEADS_PAGE_USERS) => if count == 0 { return },
            Some(read) = reads.join_next() => {
                // Its users would wait for ever: the task ends, and with it the hub.
                let Ok((master, is_answered)) = read else { return };
                lanes.entry(master).or_default().in_flight -= 1;
                if !is_answered {
                    // A feed that can never be read (its entries are huge, or the hub lacks the
                    // permission) would otherwise be requested again as fast as Redis rejects it.
                    let behind = behind.clone();
                    pauses.spawn(async move {
                        sleep(REDIS_BACKOFF_MAX).await;
                        behind.notify_one();
                    });
                }
            }
            Some(_) = pauses.join_next() => continue,
        }
        for request in arrived.drain(..) {
            lanes.entry(master_of(&redis, &request)).or_default().waiting.push_back(request);
        }
        for (master, lane) in &mut lanes {
            while let Some(page) = lane.next_page() {
                let (master, registry, redis) = (*master, registry.clone(), redis.clone());
                reads.spawn(async move { (master, read(&registry, &redis, page).await) });
            }
        }
    }
}

/// Which master has the user's feed; all feeds of one Redis count as those of one master.
fn master_of(redis: &Commands, request: &FeedRequest) -> Option<usize> {
    redis.position_of(|| keys::feed(&request.user))
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
    // Pages by master, for the same reason as in `Lane`.
    let mut pages: HashMap<(Option<usize>, bool), Vec<FeedRequest>> = HashMap::new();
    let mut shards = registry.behind();
    loop {
        let shard = shards.next();
        let is_last = shard.is_none();
        for request in shard.unwrap_or_default() {
            let (is_head, users_max) = match request.query {
                FeedQuery::Head => (true, HEADS_PAGE_USERS),
                FeedQuery::Feed => (false, FEEDS_PAGE_USERS),
            };
            let page = pages.entry((master_of(redis, &request), is_head)).or_default();
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
    for page in pages.into_values().filter(|page| !page.is_empty()) {
        is_complete &= read(registry, redis, page).await;
    }
    is_complete
}

/// Reads one page of one kind and passes the results to the registry; whether Redis answered for
/// all of its users.
async fn read(registry: &Registry, redis: &Commands, page: Vec<FeedRequest>) -> bool {
    // Time to connect, if necessary, and to answer.
    let deadline = REDIS_ANSWER_DEADLINE * 2;
    // Taken before the read: a notification created during the read counts as new.
    let now = now();
    let late = || Err((redis::ErrorKind::Io, "no answer in time").into());
    let reading = timeout(deadline, read_page(redis, &page, now)).await;
    let mut answers = reading.unwrap_or_default();
    answers.resize_with(page.len(), late);
    let mut failed = 0;
    for (request, answer) in page.iter().zip(answers) {
        match answer {
            Ok(Answer::Head(head)) => registry.head_received(request, head, now),
            Ok(Answer::Feed(feed)) => registry.feed_received(request, feed, now),
            Err(error) => {
                if failed == 0 {
                    tracing::debug!(%error, users = page.len(), "cannot read feeds");
                }
                failed += 1;
                registry.query_failed(request);
            }
        }
    }
    let is_heads = page.iter().all(|request| request.query == FeedQuery::Head);
    let what = if is_heads { CatchUp::Heads } else { CatchUp::Feeds };
    registry.metrics.caught_up(what, page.len() - failed, true);
    registry.metrics.caught_up(what, failed, false);
    failed == 0
}

/// What was read of one user.
enum Answer {
    Head(FeedHead),
    Feed(Feed),
}

/// In the order of the page.
async fn read_page(
    redis: &Commands,
    page: &[FeedRequest],
    now: Duration,
) -> Vec<RedisResult<Answer>> {
    let users: Vec<_> = page.iter().map(|request| &request.user).collect();
    if page.iter().any(|request| request.query == FeedQuery::Feed) {
        let feeds = feed_reader::feeds(redis, &users, now).await;
        return feeds.into_iter().map(|feed| feed.map(Answer::Feed)).collect();
    }
    let heads = if page.iter().any(|request| request.wants_unread) {
        feed_reader::heads(redis, &users, now).await
    } else {
        feed_reader::plain_heads(redis, &users).await
    };
    heads.into_iter().map(|head| head.map(Answer::Head)).collect()
}

/// Time since the Unix epoch, as in the ids of notifications.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
