//! The connected users and their sockets, and the one place where messages are delivered to them.
//!
//! All changes to a user happen under one lock, so that a welcome, missed messages and live ones
//! reach every socket in the same order. The locks are blocking ones: they are held for map
//! operations and appends in memory, never across an await or a system call; frames are written to
//! sockets after the lock is released ([`Flush`]). Users are spread over several locks, so that a
//! walk over all of them (presence, catching up, shutdown) blocks delivery for one shard only.
//!
//! Does not talk to Redis: it issues [`FeedRequest`]s, and tells [`presence`](crate::presence)
//! which users connect and leave.

mod all_users;
mod hearing;
pub(crate) mod held;
mod inquiries;
mod inquiry;
mod inspection;
mod membership;
mod requests;
pub mod resume;
pub(crate) mod sequencer;
pub(crate) mod user;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use shared::wire::{Change, Position, Unread};
use shared::{Code, Error, UserId};
use smallvec::smallvec;
use tokio::sync::{mpsc, oneshot};

pub(crate) use crate::users::all_users::Queues;
pub(crate) use crate::users::membership::Membership;
pub use crate::users::requests::FeedRequest;

use crate::channels::{Channels, Hearing};
use crate::metrics::{Metrics, Undelivered};
use crate::presence::Presence;
use crate::redis::feed_reader::{Feed, FeedHead};
use crate::socket::connection::Connection;
use crate::users::held::Incoming;
use crate::users::inquiries::now;
use crate::users::inquiry::Inquiry;
use crate::users::resume::Cursor;
use crate::users::sequencer::{FeedQuery, Sequencer};
use crate::users::user::{Flush, User, UserSocket};

/// More than there are cores, so that a walk rarely blocks a delivery.
const SHARDS: usize = 64;

pub struct Registry {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// The next generation, counted over all users.
    next_generation: AtomicU64,
    is_draining: AtomicBool,
    /// The number of the current subscription, as far as it concerns all users.
    subscription: AtomicU64,
    is_subscribed: AtomicBool,
    /// The period of the bridge, as in [`Sequencer::set_period`].
    bridge_period: AtomicU32,
    requests: mpsc::UnboundedSender<FeedRequest>,
    presence: Arc<Presence>,
    /// The users' own channels, if the hub hears those.
    channels: Option<Arc<Channels>>,
    pub(crate) metrics: Arc<Metrics>,
}

type Shard = HashMap<UserId, User>;

impl Registry {
    pub fn new(
        presence: Arc<Presence>,
        channels: Option<Arc<Channels>>,
        metrics: Arc<Metrics>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<FeedRequest>) {
        let (requests, receiver) = mpsc::unbounded_channel();
        let registry = Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next_generation: AtomicU64::new(0),
            is_draining: AtomicBool::new(false),
            subscription: AtomicU64::new(0),
            is_subscribed: AtomicBool::new(channels.is_some()),
            bridge_period: AtomicU32::new(0),
            requests,
            presence,
            channels,
            metrics,
        };
        (Arc::new(registry), receiver)
    }

    /// Adds a socket; if it has a cursor, it first gets the entries above it. Await
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
                if !is_resuming {
                    let begun = known.welcome(&mut socket, self.asked_at(known), &mut flush);
                    self.begin(&user, known, begun);
                }
                known.sockets.push(socket);
                let query = known.query_for_resumers();
                self.request(&user, known, query);
            }
            Entry::Vacant(vacant) => {
                let generation = self.next_generation.fetch_add(1, Ordering::Relaxed);
                let channels = self.channels.as_ref();
                let hearing = channels.map_or(Hearing::ALWAYS, |channels| channels.want(&user));
                let known = vacant.insert(User {
                    generation,
                    hearing,
                    is_asked: false,
                    sequencer: Sequencer::default(),
                    sockets: smallvec![socket],
                    inquiry: Inquiry::default(),
                });
                self.presence.set(&user, true);
                self.metrics.user_came();
                // What is published before the channel is subscribed must be in what is read.
                if hearing.is_joined {
                    self.begin_order(&user, known);
                }
            }
        }
        drop(shard);
        flush.flush();
        Ok(Membership::new(self.clone(), user, id, ready))
    }

    fn leave(&self, user: &UserId, id: u64) {
        let mut shard = self.shard(user.as_str());
        let Some(known) = shard.get_mut(user) else { return };
        known.sockets.retain(|socket| socket.connection.id != id);
        if known.sockets.is_empty() {
            shard.remove(user);
            if let Some(channels) = &self.channels {
                channels.unwant(user);
            }
            self.presence.set(user, false);
            self.metrics.user_left();
        }
    }

    /// Delivers a message of the channel. For a user without sockets it costs only the look-up.
    pub(crate) fn deliver(
        &self,
        user: &str,
        notification: Bytes,
        position: Option<Position>,
        flush: &mut Flush,
    ) -> bool {
        self.take(user, flush, || Incoming::Notification { text: notification, position })
    }

    /// Tells all of a user's sockets of a change of the feed.
    pub(crate) fn change(
        &self,
        user: &UserId,
        change: Change,
        unread: Option<Unread>,
        flush: &mut Flush,
    ) {
        self.take(user.as_str(), flush, || Incoming::Change { change, unread });
    }

    /// Notes the places from `first` to `position` of notifications that no socket is sent.
    pub(crate) fn pass_over(
        &self,
        user: &UserId,
        first: i64,
        position: Position,
        flush: &mut Flush,
    ) {
        self.take(user.as_str(), flush, || Incoming::Quiet { first, position });
    }

    /// Whether the user is here.
    fn take(&self, id: &str, flush: &mut Flush, incoming: impl FnOnce() -> Incoming) -> bool {
        let mut shard = self.shard(id);
        let Some(user) = shard.get_mut(id) else {
            self.metrics.undelivered(Undelivered::NotHere, 1);
            return false;
        };
        user.sequencer.set_period(self.bridge_period.load(Ordering::Relaxed));
        let send = &mut |event| User::send(&mut user.sockets, &event, flush);
        let query = user.sequencer.take(incoming(), send);
        if query.is_some()
            && let Some((id, user)) = shard.get_key_value(id)
        {
            self.request(id, user, query);
        }
        true
    }

    /// Handles the answer to [`FeedQuery::Head`].
    pub(crate) fn head_received(&self, request: &FeedRequest, head: FeedHead, now: Duration) {
        self.advance(request, |user, flush| {
            let (is_asked, is_final) = (request.wants_unread, head.unread.is_none());
            if is_asked && request.changes == user.sequencer.changes() {
                user.sequencer.set_unread(head.position.as_ref(), head.unread);
            }
            let send = &mut |event| User::send(&mut user.sockets, &event, flush);
            let query = user.sequencer.head(head, now, send);
            let query = query.or_else(|| user.query_for_resumers());
            if is_asked { query.or_else(|| user.answer(is_final, now, flush)) } else { query }
        });
    }

    /// Handles the answer to [`FeedQuery::Feed`].
    pub(crate) fn feed_received(&self, request: &FeedRequest, feed: Feed, now: Duration) {
        self.advance(request, |user, flush| {
            // Before live messages: a held one may follow entries that these sockets have missed.
            user.resume(&feed, flush, &self.metrics);
            let is_final = feed.unread.is_none();
            if request.changes == user.sequencer.changes() {
                user.sequencer.set_unread(feed.head.as_ref(), feed.unread);
            }
            let send = &mut |event| User::send(&mut user.sockets, &event, flush);
            let query = user.sequencer.feed(feed, now, send);
            query.or_else(|| user.answer(is_final, now, flush))
        });
    }

    /// Handles a query that Redis did not answer. Resuming sockets wait for the sweep: the feed
    /// still holds what they have missed.
    pub(crate) fn query_failed(&self, request: &FeedRequest) {
        self.advance(request, |user, flush| {
            let send = &mut |event| User::send(&mut user.sockets, &event, flush);
            user.sequencer.failed(request.query, send);
            user.answer(true, now(), flush)
        });
    }

    fn advance(
        &self,
        request: &FeedRequest,
        step: impl FnOnce(&mut User, &mut Flush) -> Option<FeedQuery>,
    ) {
        let mut flush = Flush::default();
        let mut shard = self.shard(request.user.as_str());
        let Some(user) =
            shard.get_mut(&request.user).filter(|user| user.generation == request.generation)
        else {
            return;
        };
        user.sequencer.set_period(self.bridge_period.load(Ordering::Relaxed));
        let query = step(user, &mut flush);
        self.request(&request.user, user, query);
        if request.subscription != self.subscription_of(user) {
            user.sequencer.unsync();
            let query = user.sequencer.needs_head().then_some(FeedQuery::Head);
            self.request(&request.user, user, query);
        }
        drop(shard);
        flush.flush();
    }

    fn shard(&self, user: &str) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(user) as usize % SHARDS;
        self.shards[at].lock()
    }
}
