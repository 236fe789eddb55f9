//! Which server holds which key now, for everything in the process that talks to Redis.
//! [`Commands`](super::Commands) reads the map; this is what is known of it.

use std::sync::{Arc, Mutex, PoisonError};

use redis::{Client, RedisResult};
use shared::cluster::{Kind, RedisAddress, Server, SlotMap};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// The current map from hash slots to servers; one Redis has all slots.
pub struct Topology {
    address: RedisAddress,
    map: watch::Sender<Arc<SlotMap>>,
    /// Whether the map was read. That of one Redis needs no reading.
    is_known: watch::Sender<bool>,
    /// Why the map could not be read last; empty if it could.
    problem: Mutex<String>,
    /// Notified when a map may be outdated.
    doubted: Notify,
}

impl Topology {
    /// Until the map is read, the first seed counts as the server of every slot.
    #[must_use]
    pub fn new(address: RedisAddress) -> Self {
        let first = SlotMap::of_one(address.seeds[0].clone());
        let is_known = watch::Sender::new(address.kind == Kind::One);
        Self {
            address,
            map: watch::Sender::new(Arc::new(first)),
            is_known,
            problem: Mutex::default(),
            doubted: Notify::new(),
        }
    }

    /// The configured address.
    #[must_use]
    pub fn address(&self) -> &RedisAddress {
        &self.address
    }

    /// Whether it is one Redis, whose map never changes.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.address.kind == Kind::One
    }

    /// Whether it is a Redis Cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.address.kind == Kind::Cluster
    }

    /// Opens connections to one of the servers.
    ///
    /// # Errors
    /// The certificates for TLS cannot be read.
    pub fn client_of(&self, server: &Server) -> RedisResult<Client> {
        Client::open(self.address.url_of(server))
    }

    /// The map as it was last read.
    #[must_use]
    pub fn current(&self) -> Arc<SlotMap> {
        self.map.borrow().clone()
    }

    /// The map once it was read, which is soon after the start; `None` if not before `deadline`.
    pub async fn known(&self, deadline: Instant) -> Option<Arc<SlotMap>> {
        if !*self.is_known.borrow() {
            let mut is_known = self.is_known.subscribe();
            timeout_at(deadline, is_known.wait_for(|known| *known)).await.ok()?.ok()?;
        }
        Some(self.current())
    }

    /// Whether the map was read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self.is_known.borrow()
    }

    /// Why the servers are not known, or no longer certain; empty if nothing failed.
    #[must_use]
    pub fn problem(&self) -> String {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the map could be read.
    pub(super) fn set_problem(&self, problem: String) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Receives each map that differs from the one before it.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<SlotMap>> {
        self.map.subscribe()
    }

    /// Has the map read again soon: a redirection or a broken connection shows that it may have
    /// changed.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Resolves once the map is doubted.
    pub(super) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Takes the map that was read.
    pub(super) fn learn(&self, map: SlotMap) -> Change {
        let change = self.replace(map);
        let was_known = self.is_known.send_replace(true);
        if was_known { change } else { Change::Masters { has_new: false } }
    }

    /// Takes a redirection: this slot is there now. The rest of the map is doubted.
    pub(super) fn moved(&self, slot: u16, server: &Server) -> Change {
        self.doubt();
        let known = self.current();
        let owner = known.position_of_slot(slot).and_then(|at| known.servers().get(at));
        if owner == Some(server) {
            return Change::None;
        }
        let mut map = SlotMap::clone(&known);
        map.set_slot(slot, server.clone());
        self.replace(map)
    }

    fn replace(&self, map: SlotMap) -> Change {
        let mut change = Change::None;
        self.map.send_if_modified(|known| {
            if **known == map {
                return false;
            }
            let has_new = map.servers().iter().any(|server| !known.servers().contains(server));
            let is_same = map.servers() == known.servers();
            change = if is_same { Change::Slots } else { Change::Masters { has_new } };
            *known = Arc::new(map);
            true
        });
        change
    }
}

/// How a map differs from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// The same masters serve other slots.
    Slots,
    /// There are other masters, or it is the first map. A new one may be the replica of a lost
    /// one, without its last writes.
    Masters {
        has_new: bool,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn server(port: u16) -> Server {
        Server { host: "127.0.0.1".to_owned(), port }
    }

    fn map(split: u16, second: u16) -> SlotMap {
        let ranges = [(0, split, server(1)), (split + 1, 16_383, server(second))];
        SlotMap::of_cluster(ranges).unwrap()
    }

    #[test]
    fn a_change_is_told_once_and_says_whether_a_master_is_new() {
        let topology = Topology::new(RedisAddress::parse("redis+cluster://127.0.0.1:1").unwrap());
        let mut changes = topology.changes();
        assert_eq!(topology.learn(map(99, 2)), Change::Masters { has_new: false }, "the first one");
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(topology.learn(map(99, 2)), Change::None);
        assert!(!changes.has_changed().unwrap());
        assert_eq!(topology.moved(5, &server(2)), Change::Slots);
        assert_eq!(topology.moved(5, &server(2)), Change::None);
        assert_eq!(topology.moved(7, &server(3)), Change::Masters { has_new: true });
        assert_eq!(topology.learn(map(99, 2)), Change::Masters { has_new: false });
        assert_eq!(topology.learn(map(99, 4)), Change::Masters { has_new: true });
        assert!(changes.has_changed().unwrap());
    }

    #[tokio::test]
    async fn the_map_of_a_cluster_is_unknown_until_it_was_read() {
        let soon = || Instant::now() + std::time::Duration::from_millis(50);
        let one = Topology::new(RedisAddress::parse("redis://127.0.0.1:1").unwrap());
        assert!(one.known(soon()).await.is_some());
        let topology = Topology::new(RedisAddress::parse("redis+cluster://127.0.0.1:1").unwrap());
        assert!(topology.known(soon()).await.is_none());
        topology.learn(SlotMap::of_one(server(1)));
        assert!(topology.known(soon()).await.is_some());
    }
}
