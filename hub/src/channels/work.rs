//! What to do next.

use std::collections::VecDeque;
use std::time::Instant;

use shared::UserId;

use crate::channels::link::{Link, LinkId, LinkState};
use crate::channels::plan::{Place, Plan, Work};

impl Plan {
    /// What has to be done at this time.
    pub(crate) fn work(&mut self, now: Instant) -> Work {
        let mut work = Work { close: std::mem::take(&mut self.closed), ..Work::default() };
        while let Some(user) = self.next_resting(now) {
            let is_resting =
                self.channels.get(&user).is_some_and(|channel| channel.place == Place::Resting);
            if is_resting {
                self.place_or_forget(&user, now);
            }
        }
        while let Some((user, stay)) = self.next_lingering(now) {
            let Some(channel) = self.channels.get(&user) else { continue };
            if let (Place::Joined(id), true) = (channel.place, channel.stay == stay) {
                self.leave(&user, id);
            }
        }
        while let Some((user, stay)) = self.next_waited_for(now) {
            let Some(channel) = self.channels.get(&user) else { continue };
            if channel.stay == stay && !matches!(channel.place, Place::Joined(_)) {
                work.late.push(user);
            }
        }
        if self.is_opening() {
            self.open_links(&mut work, now);
        }
        self.close_empty(&mut work);
        self.write(&mut work, now);
        work.is_map_doubted = std::mem::take(&mut self.is_map_doubted);
        work
    }

    fn open_links(&mut self, work: &mut Work, now: Instant) {
        for server in self.map.servers().to_vec() {
            if !self.links.values().any(|link| link.server == server) {
                self.add_link(&server, now);
            }
        }
        for (id, link) in &mut self.links {
            if let LinkState::Due(at) = link.state
                && at <= now
            {
                link.state = LinkState::Opening;
                work.open.push((*id, link.server.clone()));
            }
        }
    }

    /// Closes connections without channels that another one can replace: closing one with many
    /// channels stalls Redis.
    fn close_empty(&mut self, work: &mut Work) {
        let is_spare = |(id, link): (&LinkId, &Link)| {
            let is_empty = link.assigned == 0 && link.unanswered.is_empty();
            let mut others = self.links.iter().filter(|(other, _)| *other < id);
            let has_older = others.any(|(_, other)| other.server == link.server);
            (is_empty && has_older).then_some(*id)
        };
        let spare: Vec<LinkId> = self.links.iter().filter_map(is_spare).collect();
        for id in spare {
            self.links.remove(&id);
            work.close.push(id);
        }
    }

    fn write(&mut self, work: &mut Work, now: Instant) {
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.is_open()) {
            let mut bytes = Vec::new();
            let mut left = link.page(now);
            let mut queue: VecDeque<UserId> = std::mem::take(&mut link.queue);
            while left > 0
                && let Some(user) = queue.pop_front()
            {
                let Some(channel) = self.channels.get_mut(&user) else { continue };
                let is_leaving = match channel.place {
                    Place::Queued(at) if at == *id => {
                        channel.place = Place::Asked(*id, now);
                        false
                    }
                    Place::Leaving(at) if at == *id && !link.unanswered.contains_key(&user) => true,
                    _ => continue,
                };
                link.command(&user, is_leaving, &mut bytes);
                left -= 1;
            }
            link.queue = queue;
            link.own_commands(now, &mut bytes);
            if !bytes.is_empty() {
                work.write.push((*id, bytes));
            }
        }
    }
}
