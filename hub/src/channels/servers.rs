//! Connections that come and go, and slots that move to other servers.

use std::time::{Duration, Instant};

use shared::UserId;
use shared::cluster::SlotMap;

use crate::channels::link::{Link, LinkId, LinkState, ProbeChannel};
use crate::channels::plan::{Channel, News, Place, Plan};
use crate::metrics::Cause;

impl Plan {
    /// The connection is established.
    pub(crate) fn opened(&mut self, id: LinkId, now: Instant) {
        if let Some(link) = self.links.get_mut(&id) {
            link.state = LinkState::Open(now);
        }
    }

    /// The connection is lost, or could not be established. Returns what users have to be told.
    pub(crate) fn lost(&mut self, id: LinkId, now: Instant) -> Vec<News> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        let server = link.server.clone();
        let mut backoff = std::mem::take(&mut link.backoff);
        // A connection that breaks immediately must not be replaced immediately.
        if let LinkState::Open(since) = link.state
            && now.saturating_duration_since(since) > native::limits::REDIS_BACKOFF_MAX
        {
            backoff.reset();
            link.failures = 0;
        }
        let (failures, refusal) = (link.failures.saturating_add(1), link.refusal.take());
        let due = now + backoff.next_wait();
        let successor = self.map.servers().contains(&server).then(|| self.add_link(&server, due));
        if let Some(link) = successor.and_then(|id| self.links.get_mut(&id)) {
            (link.backoff, link.failures, link.refusal) = (backoff, failures, refusal);
        }
        self.is_map_doubted = true;
        self.end(id, Cause::Closed, now)
    }

    /// Removes a connection; its channels are placed anew.
    pub(super) fn end(&mut self, id: LinkId, cause: Cause, now: Instant) -> Vec<News> {
        self.links.remove(&id);
        let here = self.channels.iter().filter(|(_, channel)| channel.place.link() == Some(id));
        let here: Vec<(UserId, Place, bool)> =
            here.map(|(user, channel)| (user.clone(), channel.place, channel.is_wanted)).collect();
        let mut news = Vec::new();
        for (user, place, is_wanted) in here {
            if !is_wanted {
                self.channels.remove(&user);
                continue;
            }
            if let Place::Joined(_) | Place::Leaving(_) = place {
                self.set_cause(&user, cause);
            }
            if let Place::Joined(_) = place {
                news.extend(self.note(&user, false, Duration::ZERO));
            }
            self.place(&user, now);
        }
        news
    }

    /// Adopts a map of servers; returns what users have to be told.
    pub(crate) fn set_map(&mut self, map: &SlotMap, now: Instant) -> Vec<News> {
        (self.map, self.is_map_known) = (map.clone(), true);
        let mut news = Vec::new();
        let is_gone = |link: &Link| !map.servers().contains(&link.server);
        let gone: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| is_gone(link)).map(|(id, _)| *id).collect();
        for id in gone {
            news.extend(self.end(id, Cause::Moved, now));
            self.closed.push(id);
        }
        for link in self.links.values_mut() {
            let probe = ProbeChannel::of(&link.server, map, now);
            if probe.name != link.probe.name {
                // Redis ends the subscription to the former one by itself.
                link.probe = probe;
            }
        }
        let (map, links) = (&self.map, &self.links);
        let is_elsewhere = |channel: &Channel| {
            let at = map.position_of_slot(channel.slot);
            let here = channel.place.link().and_then(|link| links.get(&link));
            here.is_some_and(|link| at.and_then(|at| map.servers().get(at)) != Some(&link.server))
        };
        let elsewhere: Vec<(UserId, Place)> = self
            .channels
            .iter()
            .filter(|(_, channel)| is_elsewhere(channel))
            .map(|(user, channel)| (user.clone(), channel.place))
            .collect();
        for (user, place) in elsewhere {
            match place {
                Place::Queued(id) => {
                    self.unassign(id);
                    self.place(&user, now);
                }
                // Redis ends it by itself, and says so. In case it does not: once it is left, it
                // is subscribed where it belongs.
                Place::Joined(id) => {
                    self.set_cause(&user, Cause::Moved);
                    news.extend(self.note(&user, false, Duration::ZERO));
                    self.leave(&user, id);
                }
                Place::Resting | Place::Asked(..) | Place::Leaving(_) => {}
            }
        }
        news
    }
}
