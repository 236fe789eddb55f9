//! A client that checks itself. It compares the hub's messages with the record and returns with a
//! cursor, as a real client does: after a gap it reads the feed over HTTP (here: from the record).

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

/// A returning hub brings everyone up to date within this time, even on a slow machine.
const LATELY: Duration = Duration::from_secs(30);

pub struct World {
    pub record: Record,
    pub hubs: Vec<SocketAddr>,
    pub counts: Counts,
}

/// An order to a client.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Disconnects without a close frame and reconnects after this time.
    Vanish(Duration),
    /// Stops reading for this time.
    Stall(Duration),
}

/// A client's state, visible to others.
#[derive(Default)]
pub struct Status {
    /// The client has everything up to this seq.
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
    /// The newest seq that the hub sent, or that the cursor named.
    told: Option<i64>,
}

impl Client {
    pub async fn run(mut self) {
        // Long enough: a run lasts minutes.
        let token = Jwt::of(&self.user).claim("exp", 4_000_000_000_u64).sign(KEY);
        // From this time on the client may have missed entries.
        let mut left_at = Instant::now();
        let mut cursor_is_good = false;
        loop {
            let hub = self.world.hubs.get(fastrand::usize(..self.world.hubs.len()));
            let Some(hub) = hub.copied() else { return };
            let cursor = if cursor_is_good { self.cursor() } else { Cursor::None };
            let has_cursor = !matches!(cursor, Cursor::None);
            let Ok(stream) = Stream::open(hub, self.kind, &token, &cursor).await else {
                add(&self.world.counts.refused);
                // An order that arrives now has no effect.
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
            // 4410 before any frame: the client reads the feed over HTTP and continues without a
            // cursor.
            cursor_is_good = code != Some(4410);
            match away {
                Some(time) => sleep(time).await,
                None => sleep(Duration::from_millis(fastrand::u64(..300))).await,
            }
        }
    }

    /// Runs until the connection is over. Returns the close code, or how long to stay away.
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
            let text = format!("{}: {seq} is a double, position {:?}", self.name, view.told);
            counts.defect(&counts.doubles, &text);
            return;
        }
        let have = self.have();
        if seq > have + 1 {
            let text = format!(
                "{}: {seq} follows {have} without a gap message; connected {:.1} s ago, cursor {}",
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
        // A gap in the middle of a stream concerns recent events.
        let lately = Instant::now().checked_sub(LATELY).unwrap_or(view.since);
        let why = if self.world.record.was_lost_since(&self.user, view.since.max(lately)) {
            "Redis had lost the feed"
        } else if head - have > FEED_ENTRIES_MAX as i64 {
            "away for longer than the feed holds"
        } else if self.kind == Kind::Raw && have > self.world.record.pushed(&self.user) {
            // The client read it over HTTP, from the record, while Redis was down.
            "the id of the cursor is not in the feed yet"
        } else if !view.has_cursor && view.told.is_none() {
            "the stream's first position was unknown"
        } else {
            let text = format!(
                "{}: gap {reason} {seq:?}, has {have} of {head}, position {:?}, left {:.1} s ago",
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

    /// Reads the feed over HTTP, which also loads a cold feed.
    fn fetch(&self) {
        self.status.have.fetch_max(self.world.record.head(&self.user), Ordering::SeqCst);
        let (world, user) = (self.world.clone(), self.user.clone());
        tokio::spawn(async move {
            // During an outage of Redis the record answers.
            let _ = world.record.read(&user).await;
        });
    }

    fn have(&self) -> i64 {
        self.status.have.load(Ordering::SeqCst)
    }

    /// The last seq of the client; raw frames carry no epoch.
    fn cursor(&self) -> Cursor {
        let have = self.have();
        match (self.kind, self.world.record.id(&self.user, have)) {
            (_, None) => Cursor::None,
            (Kind::Raw, Some(id)) => Cursor::Id(id),
            _ => Cursor::Seq(self.world.record.epoch.clone(), have),
        }
    }
}
