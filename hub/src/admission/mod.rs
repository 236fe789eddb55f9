//! Limits connections and sockets, in number and rate, per user, per address and in total.
//!
//! Dropping a permit releases its counts. Memory for addresses and users is bounded by the open
//! connections and by the seconds that a bucket takes to fill. Limits apply per hub: a fleet of n
//! hubs lets a user have n times as many sockets. This room looks at no token and no path. It also
//! logs the rejections of all rooms ([`refusal_log`]).

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

const TOO_MANY_CONNECTIONS: &str = "this address has the maximum number of connections open";

/// The limits; docs/hub.example.toml gives the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open TCP connections, including sockets.
    pub(crate) connections_max: usize,
    pub sockets_max: usize,
    pub sockets_per_user_max: u32,
    pub connections_per_address_max: u32,
    pub connects_per_address: Rate,
    pub handshakes: Rate,
    pub trusted_proxies: TrustedProxies,
}

/// The current counts. The locks are blocking ones, held for map operations, never across an await.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    connections: Mutex<Counts>,
    connects: Mutex<Rates>,
    sockets: Mutex<Counts>,
    handshakes: Mutex<Bucket>,
    hasher: RandomState,
    /// Whether the warning about a possible proxy was logged.
    has_warned: AtomicBool,
}

/// One admitted connection; dropping it releases the count.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    admission: Arc<Admission>,
    /// The address it counts against; `None` for a trusted proxy until the head names the client.
    address: Option<u64>,
}

/// One admitted socket; dropping it releases the count.
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

    /// Admits an accepted connection before anything is read from it. A trusted proxy's connection
    /// counts only against the total: its client is known once the head is read.
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

    /// The address that a request counts against; `forwarded` are the values of
    /// [`TrustedProxies::header_name`], in order.
    pub(crate) fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        self.limits.trusted_proxies.client(peer, forwarded)
    }

    /// Admits a handshake whose head was read, before its token is verified, which costs more.
    /// Behind a proxy, the connection counts against `client` from now on.
    ///
    /// # Errors
    /// `rate_limited` (the address), `not_ready` (the rate of all clients together).
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

    /// Admits a socket whose token was verified.
    ///
    /// # Errors
    /// `too_many_sockets` (the user), `not_ready` (the total).
    pub(crate) fn socket(self: &Arc<Self>, user: &UserId) -> Result<SocketPermit, Refused> {
        let user = self.hasher.hash_one(user);
        let mut sockets = self.sockets.lock();
        // The user's own limit first: its error is the one that the user can act on.
        let of_user = sockets.of(user);
        if of_user >= self.limits.sockets_per_user_max {
            let detail = format!("the user has {of_user} sockets open, which is the maximum");
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

    /// The number of open connections.
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

    /// A proxy missing from `trusted_proxies` looks like one client that connects far too often.
    /// Logged once, and only for private networks, where a proxy is likelier than a client.
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

    /// A keyed hash of the address, kept in permits and counts because every idle socket has one.
    /// Two addresses that collide share a limit; the key keeps collisions from being provoked.
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

/// Counts in total and per key; keys with a count of zero are not stored.
#[derive(Debug, Default)]
struct Counts {
    total: usize,
    of_each: HashMap<u64, u32>,
}

impl Counts {
    fn of(&self, key: u64) -> u32 {
        self.of_each.get(&key).copied().unwrap_or(0)
    }

    /// Counts one more for the key; false if it already has `max`.
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

/// The address unit that limits apply to: for IPv6 the /64 that one household or server gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

fn full(reason: Reason) -> Refused {
    reason.because(Error::new(Code::NotReady, "the hub has the maximum number of connections open"))
}

/// Limits so high that no test reaches them.
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
