//! Several servers: each call goes to the one that has its key, follows redirections, and is tried
//! again while a slot is being moved or its master is replaced.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use shared::cluster::{Kind, RedisAddress, Server, SlotMap};

use super::asking::Asking;
use super::call::Call;
use super::link::{Failure, Link, pause};
use super::redirect::Redirect;
use super::topology::{Learning, Urgency};
use crate::ports::redis::{Node, RedisError, Reply};

/// Pauses before further attempts; the last one repeats. Moving one key of a slot takes
/// milliseconds, an election a second or more.
const PAUSES_MS: [u64; 4] = [10, 20, 40, 50];
/// The sum of pauses of one call: beyond it the request is better served without Redis.
const PAUSED_MS_MAX: u64 = 1000;
/// The same if the server cannot be reached and the others still name it. Its replica takes over in
/// some seconds at best; only a restart or a change that is just being told is worth a wait.
const PAUSED_AWAY_MS_MAX: u64 = 250;
/// Redirections that a call follows at once. More than one in a row are nodes that disagree.
const REDIRECTIONS_MAX: usize = 3;

/// The masters of a cluster, or the master that Sentinel names.
pub(super) struct Several {
    pub(super) address: RedisAddress,
    /// `None` until it was learned for the first time.
    pub(super) map: RefCell<Option<SlotMap>>,
    /// The connections to the masters that this instance has used.
    pub(super) links: RefCell<Vec<Rc<Link>>>,
    pub(super) asking: Asking,
    pub(super) learning: Learning,
}

/// The attempts of one call so far.
#[derive(Default)]
struct Attempts {
    pauses: usize,
    paused_ms: u64,
    redirections: usize,
}

/// What follows a failed attempt.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GiveUp,
    /// Another attempt, within this sum of pauses; before it the map is learned, or is not.
    Repeat {
        paused_ms_max: u64,
        learns: bool,
    },
}

impl Several {
    pub(super) fn new(address: RedisAddress) -> Self {
        Self {
            address,
            map: RefCell::default(),
            links: RefCell::default(),
            asking: Asking::default(),
            learning: Learning::new(),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.address.kind == Kind::Cluster
    }

    /// Runs a call on the server that has its key.
    pub(super) async fn run(&self, call: &Call<'_>) -> Result<Vec<Reply>, RedisError> {
        self.know().await?;
        let mut attempts = Attempts::default();
        loop {
            let link = self.route(call, attempts.pauses);
            let failure = match &link {
                Some(link) => match link.run(call).await {
                    Ok(reply) => return Ok(reply),
                    Err(failure) => failure,
                },
                None => Failure::Reply(RedisError::TryAgain("no server has the slot".to_owned())),
            };
            let server = link.as_ref().map(|link| &link.server);
            let failure = match redirect(&failure, server) {
                Some(Redirect::Moved(slot, server)) => {
                    self.moved(slot, server);
                    attempts.redirections += 1;
                    if attempts.redirections <= REDIRECTIONS_MAX {
                        continue;
                    }
                    failure
                }
                Some(Redirect::Ask(server)) => {
                    match self.asking.run(&self.address, &server, call).await {
                        Ok(reply) => return Ok(reply),
                        Err(failure) => failure,
                    }
                }
                None => failure,
            };
            match next(&failure) {
                Next::Repeat { paused_ms_max, learns } if attempts.paused_ms < paused_ms_max => {
                    // The map may name another server already.
                    if !learns || attempts.pauses > 0 {
                        pause(attempts.next_pause()).await;
                    } else {
                        attempts.pauses += 1;
                    }
                    if learns {
                        self.learn(Urgency::Now, server).await.ok();
                    }
                }
                _ => {
                    if failure.closes() {
                        self.learning.note_due(Urgency::Now);
                    }
                    return Err(given_up(failure, server));
                }
            }
        }
    }

    /// Runs a call on one server.
    pub(super) async fn run_on(
        &self,
        server: &Server,
        call: &Call<'_>,
    ) -> Result<Vec<Reply>, RedisError> {
        self.link(server).run(call).await.map_err(|failure| {
            if failure.closes() {
                self.learning.note_due(Urgency::Now);
            }
            given_up(failure, Some(server))
        })
    }

    /// The masters, as the cluster tells them now.
    pub(super) async fn servers(&self) -> Result<Vec<Node>, RedisError> {
        if let Err(problem) = self.learn(Urgency::AtOnce, None).await
            && self.map.borrow().is_none()
        {
            return Err(RedisError::Unavailable(problem));
        }
        let map = self.map.borrow();
        let servers = map.as_ref().map(SlotMap::servers).unwrap_or_default();
        Ok(servers.iter().cloned().map(Some).collect())
    }

    /// See [`Redis::by_server`](crate::ports::redis::Redis::by_server).
    pub(super) async fn by_server(&self, keys: &[&str]) -> Result<Vec<Vec<usize>>, RedisError> {
        self.know().await?;
        let map = self.map.borrow();
        let servers = map.as_ref().map_or(0, |map| map.servers().len());
        // The last group has the keys without a server.
        let mut groups = vec![Vec::new(); servers + 1];
        for (at, key) in keys.iter().enumerate() {
            let position = map.as_ref().and_then(|map| map.position_of(key)).unwrap_or(servers);
            if let Some(group) = groups.get_mut(position) {
                group.push(at);
            }
        }
        groups.retain(|group| !group.is_empty());
        Ok(groups)
    }

    /// The link to the server that has the call's key, or to any one.
    fn route(&self, call: &Call<'_>, attempt: usize) -> Option<Rc<Link>> {
        let map = self.map.borrow();
        let map = map.as_ref()?;
        let server = match call.key() {
            Some(key) => map.server_of(key)?,
            None => self.any_of(map.servers(), attempt)?,
        };
        Some(self.link(server))
    }

    /// One that is connected, or on a further attempt another one.
    fn any_of<'a>(&self, servers: &'a [Server], attempt: usize) -> Option<&'a Server> {
        if attempt > 0 {
            return servers.get(attempt.checked_rem(servers.len())?);
        }
        let links = self.links.borrow();
        let is_open =
            |server: &&Server| links.iter().any(|link| link.server == **server && link.is_open());
        servers.iter().find(is_open).or(servers.first())
    }

    pub(super) fn link(&self, server: &Server) -> Rc<Link> {
        let mut links = self.links.borrow_mut();
        if let Some(link) = links.iter().find(|link| link.server == *server) {
            return Rc::clone(link);
        }
        let link = Rc::new(Link::new(&self.address, server));
        links.push(Rc::clone(&link));
        link
    }

    fn moved(&self, slot: u16, server: Server) {
        if let Some(map) = &mut *self.map.borrow_mut() {
            map.set_slot(slot, server);
        }
        self.learning.note_due(Urgency::Later);
    }
}

impl Attempts {
    /// The next pause.
    fn next_pause(&mut self) -> Duration {
        let ms = PAUSES_MS.get(self.pauses).or(PAUSES_MS.last()).copied().unwrap_or_default();
        self.pauses += 1;
        self.paused_ms += ms;
        Duration::from_millis(ms)
    }
}

fn redirect(failure: &Failure, asked: Option<&Server>) -> Option<Redirect> {
    match failure {
        Failure::Reply(RedisError::TryAgain(text)) => Redirect::parse(text, &asked?.host),
        _ => None,
    }
}

fn next(failure: &Failure) -> Next {
    const REJECTED: [&str; 2] = ["NOAUTH", "WRONGPASS"];
    let repeat = |paused_ms_max, learns| Next::Repeat { paused_ms_max, learns };
    match failure {
        Failure::NoConnection(_) | Failure::Broken(_) => repeat(PAUSED_AWAY_MS_MAX, true),
        Failure::Reply(RedisError::TryAgain(text)) => {
            // A key that is on its way is soon there; everything else may be known better elsewhere.
            let is_on_its_way = text.contains("TryAgain") || text.contains("non local key");
            repeat(PAUSED_MS_MAX, !is_on_its_way)
        }
        Failure::Reply(RedisError::Unavailable(text))
            if !REJECTED.iter().any(|word| text.contains(word)) =>
        {
            repeat(PAUSED_MS_MAX, true)
        }
        // A silent server has used up the time of this call.
        Failure::Forbidden(_) | Failure::Silent(_) | Failure::Reply(_) => Next::GiveUp,
    }
}

/// The error of a call that is not tried again, with the server's name where that helps.
fn given_up(failure: Failure, server: Option<&Server>) -> RedisError {
    match RedisError::from(failure) {
        RedisError::Broken(text) | RedisError::TryAgain(text) | RedisError::Unavailable(text) => {
            RedisError::Unavailable(match server {
                Some(server) => format!("{server}: {text}"),
                None => text,
            })
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_of_a_call_are_bounded() {
        let mut attempts = Attempts::default();
        while attempts.paused_ms < PAUSED_MS_MAX {
            assert!(attempts.next_pause() <= Duration::from_millis(50));
        }
        assert!(attempts.paused_ms <= PAUSED_MS_MAX + 50, "{}", attempts.paused_ms);
    }

    #[test]
    fn what_may_soon_work_is_tried_again() {
        let signalled = |rest: &str| {
            let text = format!("An error was signalled by the server - {rest}");
            Failure::Reply(RedisError::classify(text))
        };
        let repeat = |paused_ms_max, learns| Next::Repeat { paused_ms_max, learns };
        for (failure, expected) in [
            (signalled("TryAgain: Multiple keys request"), repeat(PAUSED_MS_MAX, false)),
            (signalled("ClusterDown: Hash slot not served"), repeat(PAUSED_MS_MAX, true)),
            (signalled("Moved: 1 a:1"), repeat(PAUSED_MS_MAX, true)),
            (signalled("ReadOnly: You can't write"), repeat(PAUSED_MS_MAX, true)),
            (Failure::NoConnection(String::new()), repeat(PAUSED_AWAY_MS_MAX, true)),
            (Failure::Broken(String::new()), repeat(PAUSED_AWAY_MS_MAX, true)),
            (Failure::Silent("no answer in time"), Next::GiveUp),
            (Failure::Reply(RedisError::WrongType), Next::GiveUp),
            (signalled("CrossSlot: Keys in request"), Next::GiveUp),
            (
                Failure::Reply(RedisError::classify("NOAUTH: Authentication required.".to_owned())),
                Next::GiveUp,
            ),
        ] {
            assert_eq!(next(&failure), expected, "{failure:?}");
        }
    }
}
