//! The connections to the masters of a cluster, or to Sentinel's master: each made when it is first
//! used, and given up some time after its server left the map.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use shared::cluster::{Server, SlotMap};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Master, Watch};
use super::topology::Topology;
use crate::limits::{REDIS_PING_INTERVAL, REDIS_UNUSED_FOR};

pub(super) struct Servers {
    pub(super) topology: Arc<Topology>,
    watch: Arc<dyn Watch>,
    /// Notified when a connection was replaced.
    reconnected: Arc<Notify>,
    // A blocking lock, held for map operations, never across an await.
    all: Mutex<HashMap<Server, Known>>,
}

struct Known {
    connection: Arc<Connection>,
    used: Instant,
    /// Whether its silence was logged.
    is_silent: bool,
}

impl Servers {
    pub(super) fn new(
        topology: Arc<Topology>,
        watch: Arc<dyn Watch>,
        reconnected: Arc<Notify>,
    ) -> Self {
        Self { topology, watch, reconnected, all: Mutex::default() }
    }

    /// The connection to a server.
    pub(super) fn get(&self, server: &Server) -> Arc<Connection> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(server) {
            known.used = Instant::now();
            return known.connection.clone();
        }
        let client = self.topology.client_of(server);
        let (watch, reconnected) = (self.watch.clone(), self.reconnected.clone());
        let connection = Arc::new(Connection::new(client, watch, reconnected, false));
        let known =
            Known { connection: connection.clone(), used: Instant::now(), is_silent: false };
        all.insert(server.clone(), known);
        connection
    }

    /// The masters of the map.
    pub(super) fn masters(&self, map: &SlotMap) -> Vec<Master> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let master = |server: &Server| match all.get(server) {
            Some(known) => known.connection.as_master(server.clone()),
            None => {
                Master { server: server.clone(), is_connected: false, silent_for: Duration::ZERO }
            }
        };
        map.servers().iter().map(master).collect()
    }

    pub(super) fn retry_now(&self) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().for_each(|known| known.connection.retry_now());
    }

    /// Asks each master for a sign of life, for ever: a master that is not needed right now may be
    /// silent, too.
    pub(super) async fn ping_all(&self) {
        let mut ping = redis::pipe();
        ping.cmd("PING");
        loop {
            // The spread keeps a fleet out of step.
            sleep(REDIS_PING_INTERVAL.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            let deadline = Instant::now() + REDIS_PING_INTERVAL;
            let Some(map) = self.topology.known(deadline).await else { continue };
            let pings = map.servers().iter().map(async |server| {
                let answer = self.get(server).send(&ping).await;
                self.note(server, answer.is_err());
            });
            join_all(pings).await;
            self.give_up_unused(&map);
        }
    }

    /// Logs the first failure of an outage, and its end.
    fn note(&self, server: &Server, is_silent: bool) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get_mut(server) else { return };
        if is_silent && !known.is_silent {
            tracing::warn!(%server, "a Redis server does not answer");
            self.topology.doubt();
        } else if known.is_silent && !is_silent {
            tracing::info!(%server, "a Redis server answers again");
        }
        known.is_silent = is_silent;
    }

    fn give_up_unused(&self, map: &SlotMap) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|server, known| {
            map.servers().contains(server) || known.used.elapsed() < REDIS_UNUSED_FOR
        });
    }
}
