//! Sockets that wait until the number of unread entries is known: for the answer to a ping, or for
//! their welcome. One read of Redis at a time serves all of a user's.

use std::time::Duration;

use shared::wire::Position;

use crate::limits::INQUIRY_READS_MAX;
use crate::protocol::{Outgoing, Protocol};
use crate::users::sequencer::FeedQuery;
use crate::users::user::{Flush, User, UserSocket};

/// The state of a user's waiting sockets.
#[derive(Debug, Default)]
pub(crate) struct Inquiry {
    /// Distinguishes it from earlier ones of the same user.
    number: u32,
    /// Reads so far; 0 while no socket waits.
    reads: u8,
}

/// An inquiry that has begun: the read to request, and the number for [`User::is_asking`].
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) query: Option<FeedQuery>,
    pub(crate) number: u32,
}

impl User {
    /// Answers a socket's ping, or lets it wait.
    pub(crate) fn ping(&mut self, id: u64, now: Duration, flush: &mut Flush) -> Option<Begun> {
        let unread = self.sequencer.unread(now);
        let position = self.sequencer.position();
        let socket = self.sockets.iter_mut().find(|socket| socket.connection.id == id)?;
        if unread.is_some() && !socket.is_waiting_for_feed() {
            socket.pong(position, unread, flush);
            return None;
        }
        socket.pings = socket.pings.saturating_add(1);
        self.inquire()
    }

    /// Welcomes a new socket, or lets it wait if its welcome would lack a number that Redis has.
    pub(crate) fn welcome(
        &mut self,
        socket: &mut UserSocket,
        now: Duration,
        flush: &mut Flush,
    ) -> Option<Begun> {
        let welcome = self.sequencer.welcome(now)?;
        let is_wanted = socket.connection.protocol == Protocol::V1 && welcome.position.is_some();
        if is_wanted && welcome.unread.is_none() {
            return self.inquire();
        }
        socket.send(&Outgoing::Welcome(welcome), flush);
        None
    }

    /// Begins an inquiry; `None` while one is under way.
    fn inquire(&mut self) -> Option<Begun> {
        if self.inquiry.reads > 0 {
            return None;
        }
        self.inquiry = Inquiry { number: self.inquiry.number.wrapping_add(1), reads: 1 };
        // The answer to a read that holds messages serves as well.
        let query = (!self.sequencer.is_held()).then_some(FeedQuery::Head);
        Some(Begun { query, number: self.inquiry.number })
    }

    /// Whether this inquiry is under way.
    pub(crate) fn is_asking(&self, number: u32) -> bool {
        self.inquiry.reads > 0 && self.inquiry.number == number
    }

    /// Answers the waiting sockets after a read, if it was final or the number is known now;
    /// otherwise the next read: the sockets may have got ahead of a read while it was under way.
    pub(crate) fn answer(
        &mut self,
        is_final: bool,
        now: Duration,
        flush: &mut Flush,
    ) -> Option<FeedQuery> {
        if self.inquiry.reads == 0 {
            return None;
        }
        let unread = self.sequencer.unread(now);
        if unread.is_none() && !is_final {
            if self.sequencer.is_held() {
                return None;
            }
            if self.inquiry.reads < INQUIRY_READS_MAX {
                self.inquiry.reads += 1;
                return Some(FeedQuery::Head);
            }
        }
        self.inquiry.reads = 0;
        let position = self.sequencer.position();
        let welcome = self.sequencer.welcome(now).map(Outgoing::Welcome);
        for socket in &mut self.sockets {
            if let (Some(welcome), false) = (&welcome, socket.is_waiting_for_feed()) {
                socket.send(welcome, flush);
            }
            for _ in 0..std::mem::take(&mut socket.pings) {
                // A resuming socket has not reached the position.
                let position = position.filter(|_| !socket.is_waiting_for_feed());
                socket.pong(position, unread.filter(|_| position.is_some()), flush);
            }
        }
        None
    }
}

impl UserSocket {
    fn pong(&mut self, position: Option<&Position>, unread: Option<u32>, flush: &mut Flush) {
        let pong = Outgoing::Pong { position: position.cloned(), unread };
        self.push_now(&pong, flush);
    }
}
