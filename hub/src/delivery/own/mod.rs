//! The subscriptions to the channels of this hub's users (`live = own` and `bridge`).
//!
//! [`channels`](crate::channels) decides what to do. One task does it: it opens connections, and
//! sends commands without waiting. Each connection is read by a thread of its own ([`mod@line`]), which
//! passes messages on and tells the plan, and the users, what Redis said.

mod line;

pub(crate) use line::EVENT_START;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use shared::cluster::Server;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::channels::Channels;
use crate::channels::link::LinkId;
use crate::channels::plan::News;
use crate::channels::status::Unheard;
use crate::delivery::receiver::Receiver;
use crate::delivery::servers::Servers;
use crate::limits::CHANNELS_TICK;
use crate::metrics::health::Health;
use crate::redis::pubsub_connection::SubscriptionError;
use crate::redis::pubsub_writer::Writer;

/// What the task and the threads share.
pub(crate) struct Own {
    pub(crate) servers: Servers,
    pub(crate) receiver: Receiver,
    pub(crate) channels: Arc<Channels>,
    pub(crate) health: Arc<Health>,
    /// Notified when users have to be compared with their feeds, while more of them will follow.
    pub(crate) again: Arc<Notify>,
    changes: Mutex<Vec<Change>>,
    /// The servers whose probes fail to arrive.
    deaf: Mutex<HashSet<Server>>,
    /// Why the last connection to a server failed, until the next one is open.
    problems: Mutex<HashMap<Server, String>>,
    has_failed: AtomicBool,
}

/// What became of a connection.
enum Change {
    Opened(LinkId, Writer),
    Gone(LinkId),
}

/// The connections; those that are left end when this is dropped.
#[derive(Default)]
struct Links {
    writers: HashMap<LinkId, Writer>,
    stops: HashMap<LinkId, Arc<AtomicBool>>,
}

impl Links {
    fn close(&mut self, id: LinkId) {
        if let Some(stop) = self.stops.remove(&id) {
            stop.store(true, Ordering::SeqCst);
        }
        if let Some(writer) = self.writers.remove(&id) {
            writer.close();
        }
    }

    /// Sends bytes, or those that wait. A broken connection ends for its reader, which reports it.
    fn write(&mut self, id: LinkId, bytes: &[u8]) {
        if let Some(writer) = self.writers.get_mut(&id)
            && writer.write(bytes).is_err()
        {
            writer.close();
        }
    }

    fn write_waiting(&mut self) {
        let waiting = self.writers.iter().filter(|(_, writer)| writer.is_waiting());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.write(id, &[]);
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for id in self.stops.keys().copied().collect::<Vec<_>>() {
            self.close(id);
        }
    }
}

impl Own {
    pub(crate) fn new(
        servers: Servers,
        receiver: Receiver,
        channels: Arc<Channels>,
        health: Arc<Health>,
        again: Arc<Notify>,
    ) -> Arc<Self> {
        Arc::new(Self {
            servers,
            receiver,
            channels,
            health,
            again,
            changes: Mutex::default(),
            deaf: Mutex::default(),
            problems: Mutex::default(),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Carries out the plan. Ends only by being dropped, or if a thread panics or cannot be started.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut links = Links::default();
        let topology = self.servers.0.clone();
        let mut maps = topology.changes();
        let (mut known, mut known_at) = (topology.current(), Instant::now());
        let mut is_known = topology.is_one();
        loop {
            tokio::select! {
                () = self.channels.wake.notified() => {}
                changed = maps.changed() => if changed.is_err() { return },
                () = sleep(CHANNELS_TICK) => links.write_waiting(),
            }
            if self.has_failed.load(Ordering::SeqCst) {
                return;
            }
            let now = Instant::now();
            let map = topology.current();
            // A slot that moves is noticed by its subscribers at once; the map is looked at for all
            // channels, so not for every slot of a thousand.
            let is_new = !Arc::ptr_eq(&known, &map) || !is_known;
            let is_rare = now.duration_since(known_at) >= CHANNELS_TICK;
            if is_new && is_rare && topology.is_known() {
                (known, known_at, is_known) = (map.clone(), now, true);
                let news = self.channels.plan().set_map(&map, now);
                self.tell(&news);
                self.deaf.lock().retain(|server| map.servers().contains(server));
                self.problems.lock().retain(|server, _| map.servers().contains(server));
            }
            for change in std::mem::take(&mut *self.changes.lock()) {
                match change {
                    Change::Opened(id, writer) => drop(links.writers.insert(id, writer)),
                    Change::Gone(id) => links.close(id),
                }
            }
            let work = self.channels.plan().work(now);
            if work.is_map_doubted {
                self.servers.doubt();
            }
            for id in work.close {
                links.close(id);
            }
            for (id, server) in work.open {
                let stop = Arc::new(AtomicBool::new(false));
                links.stops.insert(id, stop.clone());
                if self.clone().spawn(id, server, stop).is_err() {
                    return;
                }
            }
            for (id, bytes) in work.write {
                links.write(id, &bytes);
            }
            for user in work.late {
                self.receiver.registry.channel_is_late(&user);
            }
            self.set_health();
        }
    }

    fn spawn(
        self: Arc<Self>,
        id: LinkId,
        server: Server,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<()> {
        let name = format!("subscriber-{id}");
        thread::Builder::new().name(name).spawn(move || self.subscribe(id, server, &stop)).map(drop)
    }

    /// Passes on what users have to be told.
    fn tell(&self, news: &[News]) {
        for news in news {
            if news.hearing.is_joined {
                self.receiver.metrics.channel_joined(news.cause, news.after);
            }
            self.receiver.registry.hear(news);
        }
    }

    /// With the reason, as far as it is known.
    fn describe(&self, unheard: Unheard) -> String {
        let (text, why) = match unheard {
            Unheard::All => (SubscriptionError::Unknown.to_string(), self.servers.0.problem()),
            Unheard::Server(server) => {
                let why = self.problems.lock().get(&server).cloned().unwrap_or_default();
                (format!("the hub is not subscribed at {server}"), why)
            }
            Unheard::Rejected(server, why) => {
                (format!("Redis at {server} rejects the subscription"), why)
            }
        };
        if why.is_empty() { text } else { format!("{text}: {why}") }
    }

    fn set_health(&self) {
        let unheard = self.channels.plan().unheard();
        self.health.set_unheard(unheard.map(|unheard| self.describe(unheard)));
        self.health.set_deaf(!self.deaf.lock().is_empty());
    }
}
