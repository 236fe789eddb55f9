//! Decides where each channel is subscribed, and what to send next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared::UserId;
use shared::cluster::{Server, SlotMap, slot_of};
use shared::keys::live_channel;

use crate::channels::Hearing;
use crate::channels::link::{Link, LinkId};
use crate::config::Pace;
use crate::limits::{CHANNEL_DEADLINE, CHANNEL_RETRY_PAUSE};
use crate::metrics::Cause;

/// The state of all channels and connections; see the module.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) map: SlotMap,
    /// Whether the map was read from Redis. Before, nothing is subscribed.
    pub(super) is_map_known: bool,
    pub(super) channels: HashMap<UserId, Channel>,
    pub(super) links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    /// The number of the last event.
    events: u64,
    linger: Duration,
    /// Channels without a user, by the time at which they may be left.
    lingering: VecDeque<(Instant, UserId, u32)>,
    /// Channels that are not subscribed, by the time until which their users wait for that.
    waited_for: VecDeque<(Instant, UserId, u32)>,
    /// Channels to be placed on a connection at this time.
    resting: VecDeque<(Instant, UserId)>,
    /// Connections that were given up.
    pub(super) closed: Vec<LinkId>,
    /// Whether the map of servers seems to be outdated.
    pub(super) is_map_doubted: bool,
    is_draining: bool,
}

/// A user's channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) slot: u16,
    /// Counts the changes of `is_wanted`.
    pub(super) stay: u32,
    pub(super) is_wanted: bool,
    pub(super) place: Place,
    /// Whether a redirection was followed since it was last subscribed.
    pub(super) is_redirected: bool,
    /// Why it is not subscribed (any more).
    pub(super) cause: Cause,
    /// The number of its last event.
    pub(super) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On no connection, until its time in `resting`.
    Resting,
    Queued(LinkId),
    /// SSUBSCRIBE was sent.
    Asked(LinkId, Instant),
    Joined(LinkId),
    /// SUNSUBSCRIBE is queued, or was sent if it is in [`Link::unanswered`].
    Leaving(LinkId),
}

/// What a user has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) user: UserId,
    pub(crate) hearing: Hearing,
    pub(crate) cause: Cause,
    /// Time since SSUBSCRIBE was sent; zero for a loss.
    pub(crate) after: Duration,
}

/// What has to be done outside.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) open: Vec<(LinkId, Server)>,
    pub(crate) write: Vec<(LinkId, Vec<u8>)>,
    pub(crate) close: Vec<LinkId>,
    /// Users who should not wait for their channels any longer.
    pub(crate) late: Vec<UserId>,
    pub(crate) is_map_doubted: bool,
}

impl Place {
    pub(super) fn link(self) -> Option<LinkId> {
        match self {
            Place::Resting => None,
            Place::Queued(link)
            | Place::Asked(link, _)
            | Place::Joined(link)
            | Place::Leaving(link) => Some(link),
        }
    }
}

impl Plan {
    pub(crate) fn new(map: SlotMap, is_map_known: bool, pace: Pace) -> Self {
        Self {
            map,
            is_map_known,
            channels: HashMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            events: 0,
            linger: pace.channel_linger,
            lingering: VecDeque::new(),
            waited_for: VecDeque::new(),
            resting: VecDeque::new(),
            closed: Vec::new(),
            is_map_doubted: false,
            is_draining: false,
        }
    }

    /// A user has a first socket.
    pub(crate) fn want(&mut self, user: &UserId, now: Instant) -> Hearing {
        if !self.channels.contains_key(user) {
            let channel = Channel {
                slot: slot_of(&live_channel(user)),
                stay: 0,
                is_wanted: false,
                place: Place::Resting,
                is_redirected: false,
                cause: Cause::First,
                number: 0,
            };
            self.channels.insert(user.clone(), channel);
            self.place(user, now);
        }
        let number = self.events;
        let Some(channel) = self.channels.get_mut(user) else {
            return Hearing { number, is_joined: false };
        };
        channel.is_wanted = true;
        channel.stay = channel.stay.wrapping_add(1);
        if let Place::Leaving(link) = channel.place
            && self.links.get(&link).is_some_and(|link| !link.unanswered.contains_key(user))
        {
            channel.place = Place::Joined(link); // the queued command is skipped
        }
        if let Place::Joined(_) = channel.place {
            return Hearing { number: channel.number, is_joined: true };
        }
        let link = channel.place.link().and_then(|link| self.links.get(&link));
        // A server that is down is not waited for.
        let is_down = link.is_none_or(|link| !link.is_open() && link.failures > 0);
        let until = if is_down { now } else { now + CHANNEL_DEADLINE };
        let entry = (until, user.clone(), channel.stay);
        if is_down {
            self.waited_for.push_front(entry)
        } else {
            self.waited_for.push_back(entry)
        }
        Hearing { number, is_joined: false }
    }

    /// The user's last socket is gone.
    pub(crate) fn unwant(&mut self, user: &UserId, now: Instant) {
        let Some(channel) = self.channels.get_mut(user) else { return };
        channel.is_wanted = false;
        channel.stay = channel.stay.wrapping_add(1);
        let stay = channel.stay;
        self.linger(user, stay, now);
    }

    /// Leaves the channel after a while, unless a user needs it by then.
    pub(super) fn linger(&mut self, user: &UserId, stay: u32, now: Instant) {
        self.lingering.push_back((now + self.linger, user.clone(), stay));
    }

    /// From now on, channels are left at once.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Leaves all channels, also those of users whose sockets are still open.
    pub(crate) fn leave_all(&mut self) {
        let joined = self.channels.iter().filter_map(|(user, channel)| match channel.place {
            Place::Joined(id) => Some((user.clone(), id)),
            _ => None,
        });
        for (user, id) in joined.collect::<Vec<_>>() {
            if let Some(channel) = self.channels.get_mut(&user) {
                channel.is_wanted = false;
            }
            self.leave(&user, id);
        }
    }

    /// Puts the channel on a connection of the server that has its slot.
    pub(super) fn place(&mut self, user: &UserId, now: Instant) {
        let Some(channel) = self.channels.get(user) else { return };
        let at = self.map.position_of_slot(channel.slot).filter(|_| self.is_map_known);
        let Some(server) = at.and_then(|at| self.map.servers().get(at)).cloned() else {
            self.is_map_doubted = true;
            return self.rest(user, now);
        };
        // The oldest first: so younger ones become empty, and can be closed.
        let roomy = |link: &Link| link.server == server && link.has_room();
        let found = self.links.iter().find(|(_, link)| roomy(link)).map(|(id, _)| *id);
        let id = found.unwrap_or_else(|| self.add_link(&server, now));
        let (Some(channel), Some(link)) = (self.channels.get_mut(user), self.links.get_mut(&id))
        else {
            return;
        };
        channel.place = Place::Queued(id);
        link.assigned += 1;
        link.queue.push_back(user.clone());
    }

    /// Places the channel after a pause.
    pub(super) fn rest(&mut self, user: &UserId, now: Instant) {
        if let Some(channel) = self.channels.get_mut(user) {
            channel.place = Place::Resting;
            self.resting.push_back((now + CHANNEL_RETRY_PAUSE, user.clone()));
        }
    }

    pub(super) fn add_link(&mut self, server: &Server, now: Instant) -> LinkId {
        self.next_link += 1;
        self.links.insert(self.next_link, Link::new(server.clone(), &self.map, now));
        self.next_link
    }

    /// Notes that the channel is subscribed, or no longer; what its user has to be told, if there
    /// is one.
    pub(super) fn note(&mut self, user: &UserId, is_joined: bool, after: Duration) -> Option<News> {
        self.events += 1;
        let channel = self.channels.get_mut(user)?;
        channel.number = self.events;
        let hearing = Hearing { number: self.events, is_joined };
        let news = News { user: user.clone(), hearing, cause: channel.cause, after };
        channel.is_wanted.then_some(news)
    }

    pub(super) fn place_or_forget(&mut self, user: &UserId, now: Instant) {
        match self.channels.get(user) {
            Some(channel) if channel.is_wanted => self.place(user, now),
            _ => drop(self.channels.remove(user)),
        }
    }

    pub(super) fn rest_or_forget(&mut self, user: &UserId, now: Instant) {
        match self.channels.get(user) {
            Some(channel) if channel.is_wanted => self.rest(user, now),
            _ => drop(self.channels.remove(user)),
        }
    }

    pub(super) fn set_cause(&mut self, user: &UserId, cause: Cause) {
        if let Some(channel) = self.channels.get_mut(user) {
            channel.cause = cause;
        }
    }

    /// One channel less on this connection.
    pub(super) fn unassign(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.assigned = link.assigned.saturating_sub(1);
        }
    }

    pub(super) fn leave(&mut self, user: &UserId, id: LinkId) {
        if let (Some(channel), Some(link)) = (self.channels.get_mut(user), self.links.get_mut(&id))
        {
            channel.place = Place::Leaving(id);
            link.queue.push_back(user.clone());
        }
    }

    /// Whether connections may be opened.
    pub(super) fn is_opening(&self) -> bool {
        self.is_map_known && !self.is_draining
    }

    /// The next entry of `lingering` whose time has come.
    pub(super) fn next_lingering(&mut self, now: Instant) -> Option<(UserId, u32)> {
        let is_due = |(at, ..): &(Instant, UserId, u32)| *at <= now || self.is_draining;
        self.lingering.front().filter(|entry| is_due(entry))?;
        self.lingering.pop_front().map(|(_, user, stay)| (user, stay))
    }

    pub(super) fn next_waited_for(&mut self, now: Instant) -> Option<(UserId, u32)> {
        self.waited_for.front().filter(|(at, ..)| *at <= now)?;
        self.waited_for.pop_front().map(|(_, user, stay)| (user, stay))
    }

    pub(super) fn next_resting(&mut self, now: Instant) -> Option<UserId> {
        self.resting.front().filter(|(at, _)| *at <= now)?;
        self.resting.pop_front().map(|(_, user)| user)
    }
}
