//! Who is here: users and their sockets, and the one place where a message meets them.
//!
//! Everything about a user happens under one lock, so that a welcome, what was missed and what is
//! live reach every socket in one order. Plain locks are right: they are held for map work and
//! pushes into memory, never across an await. There are several, by user, so that a walk over
//! everyone (presence, bringing up to date, shutdown) never stops delivery for more than a shard.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use shared::wire::{Marked, Message, Position};
use shared::{CloseCode, Code, Error, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::feed::Feed;
use crate::held::Incoming;
use crate::limits::RECONNECT_SPREAD_MS;
use crate::order::{Order, Read};
use crate::outbox::Outbox;
use crate::presence::Presence;
use crate::protocol::{Event, Protocol};

/// More than cores, so that a walk rarely meets a delivery.
const SHARDS: usize = 64;

/// A read that a user waits for. At most one is under way per user, which bounds their queue.
#[derive(Debug)]
pub struct ReadRequest {
    pub user: UserId,
    /// Which stay of the user it is for: an answer must not reach a later one.
    pub stay: u64,
    /// Which subscription it belongs to: an answer from before the subscription was restored may
    /// miss what was published in between.
    pub subscription: u64,
    pub read: Read,
}

pub struct Registry {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// Numbers sockets and stays.
    next_id: AtomicU64,
    is_draining: AtomicBool,
    /// Counts subscriptions.
    subscription: AtomicU64,
    reads: mpsc::UnboundedSender<ReadRequest>,
    presence: Arc<Presence>,
}

type Shard = HashMap<UserId, User>;

struct User {
    stay: u64,
    order: Order,
    sockets: Vec<Socket>,
}

struct Socket {
    id: u64,
    protocol: Protocol,
    outbox: Arc<Outbox>,
    /// Told when the position is known: what is published from then on is delivered.
    ready: Option<oneshot::Sender<()>>,
}

impl User {
    /// Tells every socket; the frame of a protocol is made once and shared.
    fn tell(sockets: &mut [Socket], event: &Event) {
        let mut frames: [Option<Option<Utf8Bytes>>; 2] = [None, None];
        for socket in sockets {
            let [raw, v1] = &mut frames;
            let frame = match socket.protocol {
                Protocol::Raw => raw,
                Protocol::V1 => v1,
            };
            if let Some(frame) = frame.get_or_insert_with(|| event.frame(socket.protocol))
                && socket.outbox.push(frame.clone())
            {
                tracing::debug!(socket = socket.id, "closing a socket that is too slow");
            }
            if let Event::Welcome(_) = event
                && let Some(ready) = socket.ready.take()
            {
                // Nobody waits any more when the client left during the handshake.
                let _ = ready.send(());
            }
        }
    }
}

impl Registry {
    pub fn new(presence: Arc<Presence>) -> (Arc<Self>, mpsc::UnboundedReceiver<ReadRequest>) {
        let (reads, requests) = mpsc::unbounded_channel();
        let registry = Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next_id: AtomicU64::new(0),
            is_draining: AtomicBool::new(false),
            subscription: AtomicU64::new(0),
            reads,
            presence,
        };
        (Arc::new(registry), requests)
    }

    /// Adds a socket. Await [`Seat::ready`] before telling the client that it is connected.
    ///
    /// # Errors
    /// `not_ready` while the hub is shutting down.
    pub fn join(self: &Arc<Self>, user: UserId, protocol: Protocol) -> Result<Seat, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, ready) = oneshot::channel();
        let outbox = Arc::new(Outbox::default());
        let socket = Socket { id, protocol, outbox: outbox.clone(), ready: Some(sender) };
        let mut shard = self.shard(&user);
        // Under the lock: `drain` sets it first and then walks over all shards.
        if self.is_draining.load(Ordering::SeqCst) {
            return Err(Error::new(Code::NotReady, "the hub is shutting down"));
        }
        match shard.entry(user.clone()) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let mut newcomer = [socket];
                if let Some(welcome) = known.order.welcome() {
                    User::tell(&mut newcomer, &welcome);
                }
                known.sockets.extend(newcomer);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(User { stay: id, order: Order::default(), sockets: vec![socket] });
                self.presence.set(&user, true);
                self.request(&user, id, Some(Read::Head));
            }
        }
        drop(shard);
        Ok(Seat { registry: self.clone(), user, id, outbox, ready: Some(ready) })
    }

    fn leave(&self, user: &UserId, id: u64) {
        let mut shard = self.shard(user);
        let Some(known) = shard.get_mut(user) else { return };
        known.sockets.retain(|socket| socket.id != id);
        if known.sockets.is_empty() {
            shard.remove(user);
            self.presence.set(user, false);
        }
    }

    /// A message from the channel. One for a user without sockets costs no more than the look-up.
    pub fn deliver(&self, message: Message<'_>) {
        let Message { user_id, notification, position } = message;
        self.take(&user_id, || Incoming::notification(notification.into(), position));
    }

    /// Entries of a user were marked as read: every device shall know.
    pub fn mark_read(&self, user: &UserId, marked: Marked, unread: u32) {
        self.take(user, || Incoming::read(marked, unread));
    }

    fn take(&self, id: &UserId, incoming: impl FnOnce() -> Incoming) {
        let mut shard = self.shard(id);
        let Some(user) = shard.get_mut(id) else { return };
        let tell = &mut |event| User::tell(&mut user.sockets, &event);
        let read = user.order.take(incoming(), tell);
        self.request(id, user.stay, read);
    }

    /// What [`Read::Head`] found out.
    pub fn head_read(&self, request: &ReadRequest, head: Option<Position>, now: Duration) {
        self.advance(request, |order, tell| order.head(head, now, tell));
    }

    /// What [`Read::Feed`] found out.
    pub fn feed_read(&self, request: &ReadRequest, feed: Feed, now: Duration) {
        self.advance(request, |order, tell| {
            order.feed(feed, now, tell);
            None
        });
    }

    /// Redis did not answer.
    pub fn read_failed(&self, request: &ReadRequest) {
        self.advance(request, |order, tell| {
            order.failed(tell);
            None
        });
    }

    fn advance(
        &self,
        request: &ReadRequest,
        step: impl FnOnce(&mut Order, &mut dyn FnMut(Event)) -> Option<Read>,
    ) {
        let mut shard = self.shard(&request.user);
        let Some(user) = shard.get_mut(&request.user).filter(|user| user.stay == request.stay)
        else {
            return;
        };
        let read = step(&mut user.order, &mut |event| User::tell(&mut user.sockets, &event));
        self.request(&request.user, request.stay, read);
        if request.subscription != self.subscription.load(Ordering::SeqCst) {
            user.order.unsync();
            let read = user.order.needs_head().then_some(Read::Head);
            self.request(&request.user, request.stay, read);
        }
    }

    /// The subscription stands again: everyone who is here may be behind.
    pub fn unsync(&self) {
        self.subscription.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            shard.lock().values_mut().for_each(|user| user.order.unsync());
        }
    }

    /// Reads that bring those up to date who may be behind, shard by shard.
    pub fn behind(&self) -> impl Iterator<Item = Vec<ReadRequest>> + '_ {
        self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let behind = shard.iter().filter(|(_, user)| user.order.needs_head());
            behind.map(|(id, user)| self.read(id, user.stay, Read::Head)).collect()
        })
    }

    /// Everyone who is here, shard by shard.
    pub fn users(&self) -> impl Iterator<Item = Vec<UserId>> + '_ {
        self.shards.iter().map(|shard| shard.lock().keys().cloned().collect())
    }

    /// Tells every socket to come back later and closes it; nobody joins any more.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            for socket in shard.lock().values_mut().flat_map(|user| &mut user.sockets) {
                let after_ms = fastrand::u64(..=RECONNECT_SPREAD_MS);
                User::tell(std::slice::from_mut(socket), &Event::Reconnect { after_ms });
                socket.outbox.close(CloseCode::Restart);
            }
        }
    }

    fn request(&self, user: &UserId, stay: u64, read: Option<Read>) {
        if let Some(read) = read {
            // Fails only when the hub is ending.
            let _ = self.reads.send(self.read(user, stay, read));
        }
    }

    fn read(&self, user: &UserId, stay: u64, read: Read) -> ReadRequest {
        let subscription = self.subscription.load(Ordering::SeqCst);
        ReadRequest { user: user.clone(), stay, subscription, read }
    }

    fn shard(&self, user: &UserId) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(user) as usize % SHARDS;
        self.shards[at].lock()
    }
}

/// A socket's place in the registry, given up on drop.
pub struct Seat {
    registry: Arc<Registry>,
    user: UserId,
    id: u64,
    pub outbox: Arc<Outbox>,
    ready: Option<oneshot::Receiver<()>>,
}

impl Seat {
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Number of the socket, for the log.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits until the user's position is known: whatever is published from then on is delivered.
    pub async fn ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            // An error means that the hub is ending; the session finds out by itself.
            let _ = ready.await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.leave(&self.user, self.id);
    }
}
