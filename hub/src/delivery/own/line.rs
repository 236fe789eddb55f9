//! One connection: its thread, and the meaning of what Redis sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use redis::Pipeline;
use shared::cluster::Server;

use super::{Change, Own};
use crate::channels::link::LinkId;
use crate::delivery::probe::Probe;
use crate::delivery::receiver::Line;
use crate::metrics::Cause;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};
use crate::redis::pubsub_parser::Reply;

/// How an event begins, as Bellwire writes it. Anything else on a user's channel is a notification.
pub(crate) const EVENT_START: &[u8] = br#"{"type":"#;

struct Link<'a> {
    own: &'a Own,
    id: LinkId,
    server: Server,
    is_deaf: AtomicBool,
}

impl Line for Link<'_> {
    const IS_CONTROLLED: bool = true;

    fn control(&self, replies: &mut Vec<Reply>) {
        let Own { channels, receiver, again, .. } = self.own;
        let now = Instant::now();
        let mut plan = channels.plan();
        let replies = replies.drain(..);
        let news: Vec<_> = replies.filter_map(|reply| plan.replied(self.id, &reply, now)).collect();
        let (has_work, is_settled) = (plan.has_work(), plan.is_settled(self.id));
        drop(plan);
        self.own.tell(&news);
        let is_back = |cause| cause == Cause::Closed;
        if news.iter().any(|news| news.hearing.is_joined && is_back(news.cause)) {
            // The last ones are a sign that Redis is back, for the relay.
            if is_settled { receiver.behind.notify_one() } else { again.notify_one() }
        }
        if has_work {
            channels.wake.notify_one();
        }
    }

    fn is_event(&self, _: &[u8], payload: &[u8]) -> bool {
        payload.starts_with(EVENT_START)
    }

    fn probe(&self, text: String) -> Option<Pipeline> {
        let channel = self.own.channels.plan().probed(self.id)?;
        let mut pipeline = redis::pipe();
        pipeline.cmd("SPUBLISH").arg(channel).arg(text).ignore();
        Some(pipeline)
    }

    fn is_deaf(&self) -> bool {
        self.is_deaf.load(Ordering::Relaxed)
    }

    fn set_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::Relaxed);
        let mut deaf = self.own.deaf.lock();
        if is_deaf {
            deaf.insert(self.server.clone());
            self.own.servers.doubt();
        } else {
            deaf.remove(&self.server);
        }
        self.own.health.set_deaf(!deaf.is_empty());
    }

    fn heard(&self, now: Instant) {
        self.own.health.redis_answered_at(now);
    }

    /// The plan gives up a connection to a server that has left.
    fn is_outdated(&self) -> bool {
        false
    }
}

/// Ends the hub if the thread panics: the plan would wait for its connection for ever.
struct Running<'a>(&'a Own);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_failed.store(true, Ordering::SeqCst);
            self.0.channels.wake.notify_one();
        }
    }
}

impl Own {
    /// Connects and receives, until the connection is lost or given up.
    pub(super) fn subscribe(self: Arc<Self>, id: LinkId, server: Server, stop: &AtomicBool) {
        let _running = Running(&self);
        let outcome = self.receive(id, &server, stop);
        let is_given_up = stop.load(Ordering::SeqCst);
        if let Err(why) = &outcome
            && !is_given_up
        {
            self.problems.lock().insert(server.clone(), why.to_string());
        }
        let news = self.channels.plan().lost(id, Instant::now());
        self.tell(&news);
        self.set_health();
        self.changes.lock().push(Change::Gone(id));
        self.channels.wake.notify_one();
        if let Err(why) = outcome
            && !is_given_up
        {
            tracing::warn!(%why, %server, users = news.len(), "a subscription is lost; retrying");
        }
    }

    fn receive(
        &self,
        id: LinkId,
        server: &Server,
        stop: &AtomicBool,
    ) -> Result<(), SubscriptionError> {
        let info = self.servers.info(server)?;
        let (subscription, writer) =
            Subscription::open(&info, &[], self.receiver.tick())?.split()?;
        self.problems.lock().remove(server);
        self.changes.lock().push(Change::Opened(id, writer));
        self.channels.plan().opened(id, Instant::now());
        self.channels.wake.notify_one();
        self.receiver.commands.retry_now();
        self.receiver.behind.notify_one();
        tracing::info!(%server, "subscribed to users' own channels");
        let is_deaf = AtomicBool::new(self.deaf.lock().contains(server));
        let line = Link { own: self, id, server: server.clone(), is_deaf };
        let outcome = self.receiver.listen(&line, subscription, &mut Probe::random(), stop);
        if !stop.load(Ordering::SeqCst) {
            self.receiver.metrics.subscription_lost();
        }
        outcome
    }
}
