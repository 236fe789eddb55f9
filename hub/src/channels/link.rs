//! One subscribed connection, as the plan sees it: the commands that wait, and those that Redis has
//! not answered.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use native::backoff::Backoff;
use shared::UserId;
use shared::cluster::{Server, SlotMap, slot_of};
use shared::keys::{live_channel, probe_channel};

use crate::limits::{
    LINK_CHANNELS_MAX, LINK_REFUSED_PAGE, LINK_UNANSWERED_MAX, PROBE_CHANNELS_MAX,
};

/// Identifies a connection; its successor after a loss has another one.
pub(crate) type LinkId = u64;

/// A subscribed connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) server: Server,
    pub(crate) state: LinkState,
    /// Users whose channels have to be subscribed or unsubscribed here; the plan knows which.
    pub(crate) queue: VecDeque<UserId>,
    /// Commands that Redis has not answered, by user, with the number of each.
    pub(crate) unanswered: HashMap<UserId, u64>,
    /// Channels that are subscribed here, or will be.
    pub(crate) assigned: usize,
    /// The number of the last command.
    pub(crate) sent: u64,
    /// Whether a PING has to follow: Redis rejected something, and its errors do not say what. All
    /// commands before the PING that are unanswered at its pong were rejected.
    pub(crate) needs_barrier: bool,
    pub(crate) probe: ProbeChannel,
    /// The last error that was not a redirection, until a channel is subscribed.
    pub(crate) refusal: Option<String>,
    /// No command for a channel is sent before: Redis rejected some.
    pub(crate) held_until: Instant,
    /// Losses and failed attempts in a row.
    pub(crate) failures: u32,
    pub(crate) backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// To be opened at this time.
    Due(Instant),
    Opening,
    Open(Instant),
}

/// The channel on which the connection's probes are published: every master has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeChannel {
    /// `None` if the server has no slot.
    pub(crate) name: Option<String>,
    /// When the subscription may be requested (again).
    pub(crate) due: Option<Instant>,
    pub(crate) is_joined: bool,
}

impl Link {
    pub(crate) fn new(server: Server, map: &SlotMap, due: Instant) -> Self {
        let probe = ProbeChannel::of(&server, map, due);
        Self {
            server,
            state: LinkState::Due(due),
            queue: VecDeque::new(),
            unanswered: HashMap::new(),
            assigned: 0,
            sent: 0,
            needs_barrier: false,
            probe,
            refusal: None,
            held_until: due,
            failures: 0,
            backoff: Backoff::default(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, LinkState::Open(_))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.assigned < LINK_CHANNELS_MAX
    }

    /// How many commands may be sent now. Few at a time, so that Redis serves others in between;
    /// more only when half of those are answered, so that they are sent in pages.
    pub(crate) fn page(&self, now: Instant) -> usize {
        let max = if self.refusal.is_some() { LINK_REFUSED_PAGE } else { LINK_UNANSWERED_MAX };
        let unanswered = self.unanswered.len();
        if now < self.held_until || unanswered > max / 2 { 0 } else { max - unanswered }
    }

    /// Redis accepted a subscription.
    pub(crate) fn accepted(&mut self) {
        self.failures = 0;
        if self.refusal.take().is_some() {
            self.backoff.reset();
        }
    }

    /// Adds a command for a user's channel to `bytes`.
    pub(crate) fn command(&mut self, user: &UserId, is_leaving: bool, bytes: &mut Vec<u8>) {
        self.sent += 1;
        self.unanswered.insert(user.clone(), self.sent);
        let name = if is_leaving { "SUNSUBSCRIBE" } else { "SSUBSCRIBE" };
        encode(bytes, name, &live_channel(user));
    }

    /// Adds the commands that concern the connection itself.
    pub(crate) fn own_commands(&mut self, now: Instant, bytes: &mut Vec<u8>) {
        if let Some(name) = &self.probe.name
            && self.probe.due.is_some_and(|due| due <= now)
        {
            encode(bytes, "SSUBSCRIBE", name);
            self.probe.due = None;
        }
        if std::mem::take(&mut self.needs_barrier) {
            encode(bytes, "PING", &self.sent.to_string());
        }
    }
}

/// A command of two words.
fn encode(bytes: &mut Vec<u8>, name: &str, argument: &str) {
    let (name_length, length) = (name.len(), argument.len());
    let text = format!("*2\r\n${name_length}\r\n{name}\r\n${length}\r\n{argument}\r\n");
    bytes.extend_from_slice(text.as_bytes());
}

impl ProbeChannel {
    /// The first probe channel in a slot of the server.
    pub(crate) fn of(server: &Server, map: &SlotMap, due: Instant) -> Self {
        let is_here = |name: &String| {
            let position = map.position_of_slot(slot_of(name));
            position.and_then(|at| map.servers().get(at)) == Some(server)
        };
        let name = (0..PROBE_CHANNELS_MAX).map(probe_channel).find(is_here);
        Self { name, due: Some(due), is_joined: false }
    }
}
