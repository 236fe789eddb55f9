//! Who else may come in: how many connections and sockets there are, for each user, for each
//! address and over all, and how fast they come.
//!
//! Counts are given back by dropping a permit. What is kept about addresses and users is bounded by
//! the connections that are open and by the seconds that a bucket takes to fill. Numbers are this
//! hub's own: a fleet of n hubs lets a user have n times as many sockets.
//! Looks at no token and no path. Refusals of all rooms are logged here ([`refusal_log`]).

pub mod client_address;
pub mod rate_limit;
pub mod refusal_log;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use shared::{Code, Error, UserId};
use tokio::time::Instant;

use crate::admission::client_address::TrustedProxies;
use crate::admission::rate_limit::{Bucket, Rate, Rates};
use crate::http::refusal_reason::{Reason, Refused};

const TOO_MANY_CONNECTIONS: &str = "this address has as many connections as one may have";

/// What is let in; see docs/hub.example.toml for the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open TCP connections, sockets among them.
    pub(crate) connections_max: usize,
    pub sockets_max: usize,
    pub sockets_per_user_max: u32,
    pub connections_per_address_max: u32,
    pub connects_per_address: Rate,
    pub handshakes: Rate,
    pub trusted_proxies: TrustedProxies,
}

/// Counts what is there. Locks are plain: held for map work, never across an await.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    connections: Mutex<Counts>,
    connects: Mutex<Rates>,
    sockets: Mutex<Counts>,
    handshakes: Mutex<Bucket>,
    hasher: RandomState,
    /// Whether it was said what a limit that meets a proxy looks like.
    has_warned: AtomicBool,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    admission: Arc<Admission>,
    /// Whom it is counted for; nobody yet when a proxy connected that speaks for others.
    address: Option<u64>,
}

/// A socket that was let in.
#[derive(Debug)]
pub(crate) struct SocketPermit {
    admission: Arc<Admission>,
    user: u64,
}

impl Admission {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: Mutex::default(),
            connects: Mutex::new(Rates::new(limits.connects_per_address)),
            sockets: Mutex::default(),
            handshakes: Mutex::new(Bucket::new(Instant::now())),
            hasher: RandomState::new(),
            has_warned: AtomicBool::new(false),
            limits,
        })
    }

    /// A connection was accepted; nothing of it has been read. A trusted proxy counts for the total
    /// alone: whom it connects for is known with the head.
    ///
    /// # Errors
    /// `rate_limited` (the address), `not_ready` (the total).
    pub(crate) fn connection(self: &Arc<Self>, peer: IpAddr) -> Result<ConnectionPermit, Refused> {
        self.connection_at(peer, Instant::now())
    }

    fn connection_at(
        self: &Arc<Self>,
        peer: IpAddr,
        now: Instant,
    ) -> Result<ConnectionPermit, Refused> {
        let is_proxy = self.limits.trusted_proxies.trusts(peer);
        let address = if is_proxy { None } else { Some(self.connect(peer, now)?) };
        let mut connections = self.connections.lock();
        if connections.total >= self.limits.connections_max {
            return Err(full(Reason::Connections));
        }
        if address.is_some_and(|address| !self.count(&mut connections, address)) {
            drop(connections);
            return Err(self.refuse(peer, Reason::AddressConnections, TOO_MANY_CONNECTIONS));
        }
        connections.total += 1;
        drop(connections);
        Ok(ConnectionPermit { admission: self.clone(), address })
    }

    /// The address to count a request for; `forwarded` are the values of
    /// [`TrustedProxies::header_name`], in their order.
    pub(crate) fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        self.limits.trusted_proxies.client(peer, forwarded)
    }

    /// The head of a handshake was read; its token was not looked at, which costs more than this.
    /// Behind a proxy, the connection counts for `client` from now on.
    ///
    /// # Errors
    /// `rate_limited` (the address), `not_ready` (all together come too fast).
    pub(crate) fn handshake(
        self: &Arc<Self>,
        permit: &mut ConnectionPermit,
        client: IpAddr,
    ) -> Result<(), Refused> {
        self.handshake_at(permit, client, Instant::now())
    }

    fn handshake_at(
        self: &Arc<Self>,
        permit: &mut ConnectionPermit,
        client: IpAddr,
        now: Instant,
    ) -> Result<(), Refused> {
        if permit.address != Some(self.key(client)) {
            let address = self.connect(client, now)?;
            let mut connections = self.connections.lock();
            if !self.count(&mut connections, address) {
                drop(connections);
                return Err(self.refuse(client, Reason::AddressConnections, TOO_MANY_CONNECTIONS));
            }
            if let Some(before) = permit.address.replace(address) {
                connections.give_back(before);
            }
        }
        if !self.handshakes.lock().take(self.limits.handshakes, now) {
            let error = Error::new(Code::NotReady, "too many clients are connecting");
            return Err(Reason::HandshakeRate.because(error));
        }
        Ok(())
    }

    /// A handshake's token was verified.
    ///
    /// # Errors
    /// `too_many_sockets` (the user), `not_ready` (the total).
    pub(crate) fn socket(self: &Arc<Self>, user: &UserId) -> Result<SocketPermit, Refused> {
        let user = self.hasher.hash_one(user);
        let mut sockets = self.sockets.lock();
        // The user's own limit first: that is the answer they can do something about.
        let of_user = sockets.of(user);
        if of_user >= self.limits.sockets_per_user_max {
            let detail = format!("the user has {of_user} sockets open, as many as one may have");
            return Err(Reason::UserSockets.because(Error::new(Code::TooManySockets, detail)));
        }
        if sockets.total >= self.limits.sockets_max {
            return Err(full(Reason::Sockets));
        }
        sockets.take(user, u32::MAX);
        sockets.total += 1;
        drop(sockets);
        Ok(SocketPermit { admission: self.clone(), user })
    }

    /// How many are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().total
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn connect(&self, address: IpAddr, now: Instant) -> Result<u64, Refused> {
        if !self.connects.lock().take(network(address), now) {
            let why = "this address connects too often";
            return Err(self.refuse(address, Reason::AddressRate, why));
        }
        Ok(self.key(address))
    }

    /// A proxy that nobody named looks like one client that wants everything: said once, since clients
    /// in networks of one's own are fewer than proxies.
    fn refuse(&self, address: IpAddr, reason: Reason, why: &str) -> Refused {
        let is_near = match address.to_canonical() {
            IpAddr::V4(address) => address.is_loopback() || address.is_private(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
        };
        if is_near && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%address, why, "if this is a proxy, name it in trusted_proxies");
        }
        reason.because(Error::new(Code::RateLimited, why))
    }

    fn count(&self, connections: &mut Counts, address: u64) -> bool {
        connections.take(address, self.limits.connections_per_address_max)
    }

    /// A keyed hash stands for the address in permits and counts, which every idle socket has: two
    /// addresses that share one by bad luck share a limit, and nobody can provoke it.
    fn key(&self, address: IpAddr) -> u64 {
        self.hasher.hash_one(network(address))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut connections = self.admission.connections.lock();
        connections.total = connections.total.saturating_sub(1);
        if let Some(address) = self.address {
            connections.give_back(address);
        }
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut sockets = self.admission.sockets.lock();
        sockets.total = sockets.total.saturating_sub(1);
        sockets.give_back(self.user);
    }
}

/// How many there are, over all and of each; those that have none are not in the map.
#[derive(Debug, Default)]
struct Counts {
    total: usize,
    of_each: HashMap<u64, u32>,
}

impl Counts {
    fn of(&self, key: u64) -> u32 {
        self.of_each.get(&key).copied().unwrap_or(0)
    }

    /// One more of this; false when there are `max`.
    fn take(&mut self, key: u64, max: u32) -> bool {
        let count = self.of(key);
        if count < max {
            self.of_each.insert(key, count + 1);
        }
        count < max
    }

    fn give_back(&mut self, key: u64) {
        if let Entry::Occupied(mut entry) = self.of_each.entry(key) {
            *entry.get_mut() = entry.get().saturating_sub(1);
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// What counts as one address: of IPv6 the /64, since that is what one household or server gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

fn full(reason: Reason) -> Refused {
    reason.because(Error::new(Code::NotReady, "the hub has as many connections as it may have"))
}

/// Limits that no test reaches.
#[cfg(test)]
pub(crate) fn plenty() -> Limits {
    let rate = Rate { per_s: 1_000_000, burst: 1_000_000 };
    Limits {
        connections_max: 1_000_000,
        sockets_max: 1_000_000,
        sockets_per_user_max: 1_000_000,
        connections_per_address_max: 1_000_000,
        connects_per_address: rate,
        handshakes: rate,
        trusted_proxies: TrustedProxies::default(),
    }
}

#[cfg(test)]
mod tests;
