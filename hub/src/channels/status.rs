//! What others want to know of the plan.

use shared::cluster::Server;

use crate::channels::link::{Link, LinkId};
use crate::channels::plan::Plan;

/// Why not every server is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// The servers are not known.
    All,
    Server(Server),
    /// The server's own text.
    Rejected(Server, String),
}

impl Plan {
    /// Whether no open connection has a channel.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.values().all(|link| link.assigned == 0 || !link.is_open())
    }

    /// Whether there may be something to send.
    pub(crate) fn has_work(&self) -> bool {
        self.links.values().any(|link| link.needs_barrier || !link.queue.is_empty())
    }

    /// Whether every channel of this connection has its place.
    pub(crate) fn is_settled(&self, id: LinkId) -> bool {
        let settled = |link: &Link| link.queue.is_empty() && link.unanswered.is_empty();
        self.links.get(&id).is_none_or(settled)
    }

    /// Why not every server is heard, if that is so.
    pub(crate) fn unheard(&self) -> Option<Unheard> {
        if !self.is_map_known {
            return Some(Unheard::All);
        }
        self.map.servers().iter().find_map(|server| {
            let mut links = self.links.values().filter(|link| link.server == *server);
            if let Some(text) = links.clone().find_map(|link| link.refusal.as_ref()) {
                return Some(Unheard::Rejected(server.clone(), text.clone()));
            }
            let is_heard = links.any(|link| link.is_open() && link.probe.is_joined);
            (!is_heard).then(|| Unheard::Server(server.clone()))
        })
    }

    /// The server of a connection and the channel of its probes, if that is subscribed.
    pub(crate) fn probed(&self, id: LinkId) -> Option<String> {
        let link = self.links.get(&id)?;
        link.probe.name.clone().filter(|_| link.probe.is_joined)
    }

    /// The numbers of channels and of open connections.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let channels: usize = self.links.values().map(|link| link.assigned).sum();
        let open = self.links.values().filter(|link| link.is_open()).count();
        (channels as u64, open as u64)
    }
}
