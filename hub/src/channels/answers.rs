//! What Redis said.

use std::time::{Duration, Instant};

use shared::UserId;
use shared::cluster::Server;
use shared::keys::user_of_live_channel;

use crate::channels::link::{LinkId, ProbeChannel};
use crate::channels::plan::{News, Place, Plan};
use crate::limits::CHANNEL_RETRY_PAUSE;
use crate::metrics::Cause;
use crate::redis::pubsub_parser::{Reply, moved};

impl Plan {
    /// Redis sent something other than a message. Returns what a user has to be told.
    pub(crate) fn replied(&mut self, id: LinkId, reply: &Reply, now: Instant) -> Option<News> {
        match reply {
            Reply::Joined(channel) => match user(channel) {
                Some(user) => self.joined(id, &user, now),
                None => {
                    self.probe_joined(id, channel);
                    None
                }
            },
            Reply::Left(channel) => match user(channel) {
                Some(user) => self.left(id, &user, now),
                None => {
                    self.probe_left(id, channel, now);
                    None
                }
            },
            Reply::Error(text) => {
                self.rejected(id, text);
                None
            }
            Reply::Pong(text) => {
                if let Some(number) = std::str::from_utf8(text).ok().and_then(|n| n.parse().ok()) {
                    self.reached(id, number, now);
                }
                None
            }
            Reply::Message { .. } | Reply::Subscribed | Reply::Other => None,
        }
    }

    fn joined(&mut self, id: LinkId, user: &UserId, now: Instant) -> Option<News> {
        let link = self.links.get_mut(&id)?;
        let channel = self.channels.get_mut(user)?;
        let Place::Asked(at, since) = channel.place else { return None };
        if at != id {
            return None;
        }
        link.unanswered.remove(user);
        link.accepted();
        channel.place = Place::Joined(id);
        channel.is_redirected = false;
        if !channel.is_wanted {
            // The user left meanwhile; the entry of that time may have been looked at already.
            let stay = channel.stay;
            self.linger(user, stay, now);
        }
        self.note(user, true, now.saturating_duration_since(since))
    }

    fn left(&mut self, id: LinkId, user: &UserId, now: Instant) -> Option<News> {
        let link = self.links.get_mut(&id)?;
        let channel = self.channels.get_mut(user)?;
        match channel.place {
            Place::Leaving(at) if at == id => {
                // It may also be Redis's own message, which the answer to the command follows.
                link.unanswered.remove(user);
                self.unassign(id);
                self.place_or_forget(user, now);
                None
            }
            Place::Joined(at) if at == id => {
                self.is_map_doubted = true;
                self.unassign(id);
                self.set_cause(user, Cause::Moved);
                let news = self.note(user, false, Duration::ZERO);
                // The map may not show the new server yet; then this one names it.
                self.place_or_forget(user, now);
                news
            }
            // The answer to a former SUNSUBSCRIBE.
            _ => None,
        }
    }

    fn rejected(&mut self, id: LinkId, text: &str) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.needs_barrier = true;
        match moved(text) {
            Some((slot, server)) => {
                self.is_map_doubted = true;
                if let Some(server) = Server::parse(server, &link.server.host) {
                    self.map.set_slot(slot, server);
                }
            }
            None => link.refusal = Some(text.to_owned()),
        }
    }

    /// All commands up to this number are answered: those that are still waiting were rejected.
    fn reached(&mut self, id: LinkId, number: u64, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !link.probe.is_joined && link.probe.due.is_none() {
            link.probe = ProbeChannel::of(&link.server, &self.map, now + CHANNEL_RETRY_PAUSE);
        }
        let rejected = link.unanswered.iter().filter(|(_, sent)| **sent <= number);
        let rejected: Vec<UserId> = rejected.map(|(user, _)| user.clone()).collect();
        for user in &rejected {
            link.unanswered.remove(user);
        }
        if link.refusal.is_some() {
            link.held_until = now + link.backoff.next_wait();
        }
        let server = link.server.clone();
        for user in rejected {
            self.unassign(id);
            let Some(channel) = self.channels.get_mut(&user) else { continue };
            let at = self.map.position_of_slot(channel.slot);
            let has_moved = at.and_then(|at| self.map.servers().get(at)) != Some(&server);
            // Only the first redirection is followed at once: while servers disagree about a slot,
            // they redirect to each other.
            if has_moved && !std::mem::replace(&mut channel.is_redirected, true) {
                self.place_or_forget(&user, now);
            } else {
                self.rest_or_forget(&user, now);
            }
        }
    }

    fn probe_joined(&mut self, id: LinkId, channel: &[u8]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.probe.name.as_ref().is_some_and(|name| name.as_bytes() == channel) {
            link.probe.is_joined = true;
            link.accepted();
        }
    }

    fn probe_left(&mut self, id: LinkId, channel: &[u8], now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.probe.name.as_ref().is_some_and(|name| name.as_bytes() == channel) {
            self.is_map_doubted = true;
            link.probe = ProbeChannel::of(&link.server, &self.map, now + CHANNEL_RETRY_PAUSE);
        }
    }
}

/// The user whose channel this is.
fn user(channel: &[u8]) -> Option<UserId> {
    UserId::parse(user_of_live_channel(channel)?).ok()
}
