//! Who is here: users and their sockets, and the one place where a message meets them.
//!
//! Everything about a user happens under one lock, so that a welcome, what was missed and what is
//! live reach every socket in one order. Plain locks are right: they are held for map work and
//! pushes into memory, never across an await and never while the kernel is called: whoever told
//! sockets something writes it out afterwards ([`Flush`]). There are several locks, by user, so that
//! a walk over everyone (presence, bringing up to date, shutdown) stops delivery for one shard only.
//!
//! Reads nothing from Redis itself: it asks for reads ([`ReadRequest`]), and tells
//! [`presence`](crate::presence) who came and who left.

mod all_users;
mod membership;
pub(crate) mod pending;
pub mod resume;
pub(crate) mod sequencer;
pub(crate) mod user;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use shared::wire::{Marked, Position};
use shared::{Code, Error, UserId};
use smallvec::smallvec;
use tokio::sync::{mpsc, oneshot};

pub(crate) use crate::users::all_users::Queues;
pub(crate) use crate::users::membership::Membership;

use crate::metrics::{Metrics, Undelivered};
use crate::presence::Presence;
use crate::redis::feed_reader::{Feed, FeedHead};
use crate::socket::connection::Connection;
use crate::users::pending::Incoming;
use crate::users::resume::Cursor;
use crate::users::sequencer::{FeedQuery, Sequencer};
use crate::users::user::{Flush, User, UserSocket};

/// More than cores, so that a walk rarely meets a delivery.
const SHARDS: usize = 64;

/// A read that a user waits for. At most one is under way per user, which bounds their queue.
#[derive(Debug)]
pub struct ReadRequest {
    pub(crate) user: UserId,
    /// The [`User::generation`] it is for: an answer must not reach a later one.
    pub(crate) generation: u64,
    /// Which subscription it belongs to: an answer from before the subscription was restored may
    /// miss what was published in between.
    pub(crate) subscription: u64,
    pub(crate) read: FeedQuery,
}

pub struct Registry {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// Numbers the generations of all users.
    next_generation: AtomicU64,
    is_draining: AtomicBool,
    /// Counts subscriptions.
    subscription: AtomicU64,
    reads: mpsc::UnboundedSender<ReadRequest>,
    presence: Arc<Presence>,
    pub(crate) metrics: Arc<Metrics>,
}

type Shard = HashMap<UserId, User>;

impl Registry {
    pub fn new(
        presence: Arc<Presence>,
        metrics: Arc<Metrics>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<ReadRequest>) {
        let (reads, requests) = mpsc::unbounded_channel();
        let registry = Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next_generation: AtomicU64::new(0),
            is_draining: AtomicBool::new(false),
            subscription: AtomicU64::new(0),
            reads,
            presence,
            metrics,
        };
        (Arc::new(registry), requests)
    }

    /// Adds a socket, which gets what lies above its cursor first, if it has one. Await
    /// [`Membership::ready`] before telling the client that it is connected.
    ///
    /// # Errors
    /// `not_ready` while the hub is shutting down.
    pub(crate) fn join(
        self: &Arc<Self>,
        user: UserId,
        connection: Arc<Connection>,
        cursor: Option<Cursor>,
    ) -> Result<Membership, Error> {
        let (sender, ready) = oneshot::channel();
        let id = connection.id;
        let mut flush = Flush::default();
        let mut shard = self.shard(user.as_str());
        // Under the lock: `drain` sets it first and then walks over all shards.
        if self.is_draining.load(Ordering::SeqCst) {
            return Err(Error::new(Code::NotReady, "the hub is shutting down"));
        }
        let is_resuming = cursor.is_some();
        let mut socket = UserSocket::new(connection, sender, cursor);
        match shard.entry(user.clone()) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if !is_resuming && let Some(welcome) = known.sequencer.welcome() {
                    socket.tell(&welcome, &mut flush);
                }
                known.sockets.push(socket);
                let read = known.read_for_resumers();
                self.request(&user, known.generation, read);
            }
            Entry::Vacant(vacant) => {
                let generation = self.next_generation.fetch_add(1, Ordering::Relaxed);
                vacant.insert(User {
                    generation,
                    sequencer: Sequencer::default(),
                    sockets: smallvec![socket],
                });
                self.presence.set(&user, true);
                self.metrics.user_came();
                // The feed holds the head as well.
                let read = if is_resuming { FeedQuery::Feed } else { FeedQuery::Head };
                self.request(&user, generation, Some(read));
            }
        }
        drop(shard);
        Ok(Membership::new(self.clone(), user, id, ready))
    }

    fn leave(&self, user: &UserId, id: u64) {
        let mut shard = self.shard(user.as_str());
        let Some(known) = shard.get_mut(user) else { return };
        known.sockets.retain(|socket| socket.connection.id != id);
        if known.sockets.is_empty() {
            shard.remove(user);
            self.presence.set(user, false);
            self.metrics.user_left();
        }
    }

    /// A message from the channel. One for a user without sockets costs no more than the look-up.
    pub(crate) fn deliver(
        &self,
        user: &str,
        notification: Bytes,
        position: Option<Position>,
        flush: &mut Flush,
    ) {
        self.take(user, flush, || Incoming::notification(notification, position));
    }

    /// Entries of a user were marked as read: every device shall know.
    pub(crate) fn mark_read(&self, user: &UserId, marked: Marked, unread: u32, flush: &mut Flush) {
        self.take(user.as_str(), flush, || Incoming::read(marked, unread));
    }

    fn take(&self, id: &str, flush: &mut Flush, incoming: impl FnOnce() -> Incoming) {
        let mut shard = self.shard(id);
        let Some(user) = shard.get_mut(id) else {
            return self.metrics.undelivered(Undelivered::NotHere, 1);
        };
        let tell = &mut |event| User::tell(&mut user.sockets, &event, flush);
        let read = user.sequencer.take(incoming(), tell);
        if read.is_some()
            && let Some((id, user)) = shard.get_key_value(id)
        {
            self.request(id, user.generation, read);
        }
    }

    /// What [`FeedQuery::Head`] found out.
    pub(crate) fn head_read(&self, request: &ReadRequest, head: FeedHead, now: Duration) {
        self.advance(request, |user, flush| {
            let tell = &mut |event| User::tell(&mut user.sockets, &event, flush);
            let read = user.sequencer.head(head, now, tell);
            read.or_else(|| user.read_for_resumers())
        });
    }

    /// What [`FeedQuery::Feed`] found out.
    pub(crate) fn feed_read(&self, request: &ReadRequest, feed: Feed, now: Duration) {
        self.advance(request, |user, flush| {
            // Before what is live: a message that waits may follow what they have missed.
            user.resume(&feed, flush, &self.metrics);
            let tell = &mut |event| User::tell(&mut user.sockets, &event, flush);
            user.sequencer.feed(feed, now, tell)
        });
    }

    /// Redis did not answer. Who resumes goes on waiting for the sweep: their feed still holds what
    /// they have missed.
    pub(crate) fn read_failed(&self, request: &ReadRequest) {
        self.advance(request, |user, flush| {
            let tell = &mut |event| User::tell(&mut user.sockets, &event, flush);
            user.sequencer.failed(request.read, tell);
            None
        });
    }

    fn advance(
        &self,
        request: &ReadRequest,
        step: impl FnOnce(&mut User, &mut Flush) -> Option<FeedQuery>,
    ) {
        let mut flush = Flush::default();
        let mut shard = self.shard(request.user.as_str());
        let Some(user) =
            shard.get_mut(&request.user).filter(|user| user.generation == request.generation)
        else {
            return;
        };
        let read = step(user, &mut flush);
        self.request(&request.user, request.generation, read);
        if request.subscription != self.subscription.load(Ordering::SeqCst) {
            user.sequencer.unsync();
            let read = user.sequencer.needs_head().then_some(FeedQuery::Head);
            self.request(&request.user, request.generation, read);
        }
        drop(shard);
    }

    /// From now on nobody joins.
    pub(crate) fn set_draining(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    fn request(&self, user: &UserId, generation: u64, read: Option<FeedQuery>) {
        if let Some(read) = read {
            // Fails only when the hub is ending.
            let _ = self.reads.send(self.read(user, generation, read));
        }
    }

    fn read(&self, user: &UserId, generation: u64, read: FeedQuery) -> ReadRequest {
        let subscription = self.subscription.load(Ordering::SeqCst);
        ReadRequest { user: user.clone(), generation, subscription, read }
    }

    fn shard(&self, user: &str) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(user) as usize % SHARDS;
        self.shards[at].lock()
    }
}
