//! A client that checks itself. It knows from the record what there is, takes what the hub tells,
//! and comes back with a cursor, as a real one does: after a gap it reads the feed over HTTP (here:
//! from the record).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use shared::limits::FEED_ENTRIES_MAX;
use support::Jwt;
use support::jwt::KEY;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::counts::{Counts, add};
use crate::record::Record;
use crate::stream::{Cursor, Event, Kind, Stream};

/// A hub that comes back brings everyone up to date within this time, however slow the machine.
const LATELY: Duration = Duration::from_secs(30);

pub struct World {
    pub record: Record,
    pub hubs: Vec<SocketAddr>,
    pub counts: Counts,
}

/// What a client is made to do.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Hangs up without a word and comes back after this time.
    Vanish(Duration),
    /// Stops reading for this time.
    Stall(Duration),
}

/// What others see of a client.
#[derive(Default)]
pub struct Status {
    /// It has everything up to here.
    pub have: AtomicI64,
    pub is_connected: AtomicBool,
}

pub struct Client {
    pub name: String,
    pub user: String,
    pub kind: Kind,
    pub world: Arc<World>,
    pub status: Arc<Status>,
    pub orders: mpsc::UnboundedReceiver<Order>,
}

/// One connection's view.
struct View {
    since: Instant,
    has_cursor: bool,
    /// The newest that the hub has told, or was told by the cursor.
    told: Option<i64>,
}

impl Client {
    pub async fn run(mut self) {
        // Far enough: a run is minutes long.
        let token = Jwt::of(&self.user).claim("exp", 4_000_000_000_u64).sign(KEY);
        // From when on something may have been missed.
        let mut left_at = Instant::now();
        let mut cursor_is_good = false;
        loop {
            let hub = self.world.hubs.get(fastrand::usize(..self.world.hubs.len()));
            let Some(hub) = hub.copied() else { return };
            let cursor = if cursor_is_good { self.cursor() } else { Cursor::None };
            let has_cursor = !matches!(cursor, Cursor::None);
            let Ok(stream) = Stream::open(hub, self.kind, &token, &cursor).await else {
                add(&self.world.counts.refused);
                // An order that comes now finds nothing to do.
                while self.orders.try_recv().is_ok() {}
                sleep(Duration::from_millis(fastrand::u64(50..500))).await;
                continue;
            };
            add(&self.world.counts.opened);
            let mut view = View { since: left_at, has_cursor, told: None };
            if has_cursor {
                add(&self.world.counts.resumed);
                view.told = Some(self.have());
            } else {
                self.fetch();
            }
            self.status.is_connected.store(true, Ordering::SeqCst);
            let (code, away) = self.listen(stream, view).await;
            self.status.is_connected.store(false, Ordering::SeqCst);
            left_at = Instant::now();
            // 4410 before any frame: the feed over HTTP, and then without a cursor.
            cursor_is_good = code != Some(4410);
            match away {
                Some(time) => sleep(time).await,
                None => sleep(Duration::from_millis(fastrand::u64(..300))).await,
            }
        }
    }

    /// Until the connection is over. Gives the code, or how long to stay away.
    async fn listen(
        &mut self,
        mut stream: Stream,
        mut view: View,
    ) -> (Option<u16>, Option<Duration>) {
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                order = self.orders.recv() => match order {
                    Some(Order::Vanish(time)) => return (None, Some(time)),
                    Some(Order::Stall(time)) => {
                        sleep(time).await;
                        continue;
                    }
                    None => return (None, Some(Duration::MAX)),
                },
            };
            let counts = &self.world.counts;
            match event {
                Ok(Event::Ours(seq)) => self.ours(seq, &mut view),
                Ok(Event::Foreign) => add(&counts.foreign),
                Ok(Event::Gap { reason, seq }) => self.gap(&reason, seq, &mut view),
                Ok(Event::Other) => {}
                Ok(Event::Closed(code)) => {
                    counts.closed(code);
                    if code == Some(4410) {
                        self.gap("4410", None, &mut view);
                    }
                    return (code, None);
                }
                Err(error) => {
                    counts.defect(&counts.other_defects, &format!("{}: {error:#}", self.name));
                    return (None, None);
                }
            }
        }
    }

    fn ours(&self, seq: i64, view: &mut View) {
        let counts = &self.world.counts;
        add(&counts.delivered);
        if view.told.is_some_and(|told| seq <= told) {
            let text = format!("{}: {seq} is a double, told {:?}", self.name, view.told);
            counts.defect(&counts.doubles, &text);
            return;
        }
        let have = self.have();
        if seq > have + 1 {
            let text = format!(
                "{}: {seq} follows {have} silently; connected {:.1} s ago, cursor {}",
                self.name,
                view.since.elapsed().as_secs_f64(),
                view.has_cursor
            );
            counts.defect(&counts.lost, &text);
        }
        view.told = Some(seq);
        self.status.have.fetch_max(seq, Ordering::SeqCst);
    }

    fn gap(&self, reason: &str, seq: Option<i64>, view: &mut View) {
        let counts = &self.world.counts;
        let (have, head) = (self.have(), self.world.record.head(&self.user));
        // A gap that comes in the middle is about what happened lately.
        let lately = Instant::now().checked_sub(LATELY).unwrap_or(view.since);
        let why = if self.world.record.was_lost_since(&self.user, view.since.max(lately)) {
            "Redis had lost the feed"
        } else if head - have > FEED_ENTRIES_MAX as i64 {
            "away for longer than the feed holds"
        } else if self.kind == Kind::Raw && have > self.world.record.pushed(&self.user) {
            // Read over HTTP from the record while Redis was away.
            "the id of the cursor is not in the feed yet"
        } else if !view.has_cursor && view.told.is_none() {
            "where the stream begins was not known"
        } else {
            let text = format!(
                "{}: gap {reason} {seq:?}, has {have} of {head}, told {:?}, left {:.1} s ago",
                self.name,
                view.told,
                view.since.elapsed().as_secs_f64()
            );
            counts.defect(&counts.unexpected_gaps, &text);
            "UNEXPECTED"
        };
        counts.gap(format!("{:?} {reason}: {why}", self.kind));
        view.told = view.told.max(seq);
        self.fetch();
    }

    /// The feed over HTTP, which also loads a cold one.
    fn fetch(&self) {
        self.status.have.fetch_max(self.world.record.head(&self.user), Ordering::SeqCst);
        let (world, user) = (self.world.clone(), self.user.clone());
        tokio::spawn(async move {
            // With Redis away it is answered from the record.
            let _ = world.record.read(&user).await;
        });
    }

    fn have(&self) -> i64 {
        self.status.have.load(Ordering::SeqCst)
    }

    /// The last that it has; raw frames carry no epoch.
    fn cursor(&self) -> Cursor {
        let have = self.have();
        match (self.kind, self.world.record.id(&self.user, have)) {
            (_, None) => Cursor::None,
            (Kind::Raw, Some(id)) => Cursor::Id(id),
            _ => Cursor::Seq(self.world.record.epoch.clone(), have),
        }
    }
}
