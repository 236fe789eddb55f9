//! Learns which servers there are: the slots from any node of a cluster, or the master from any
//! Sentinel. One request of an instance learns at a time; the others wait for it.

use std::cell::Cell;
use std::pin::Pin;
use std::time::{Duration, Instant};

use shared::cluster::{Kind, Server, SlotMap};

use super::call::{Call, binary};
use super::link::{OPENING_POLL, open, pause, send};
use super::several::Several;
use super::slots;
use crate::ports::redis::{Arg, RedisError, Reply};
use crate::spin::clock;
use crate::spin::deadline::within;

/// Longest wait for one server's answer, so that a silent one leaves time for the next.
const ANSWER_DEADLINE: Duration = Duration::from_millis(250);
/// No further server is asked this long after a round began. Its length is bounded by time, not by
/// servers: those that refuse a connection at once cost next to nothing, however many they are.
const ROUND: Duration = Duration::from_millis(750);
/// Least time between two rounds after a redirection, which has named the server of its slot: during
/// a move of many slots, all of them are named one by one.
const LATER_MS: i64 = 1000;
/// The same after a failure. A round costs a server about 25 µs.
const NOW_MS: i64 = 50;

/// How soon the map has to be learned again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    #[default]
    None,
    /// By the next call that is a second later than the last round.
    Later,
    /// By the next call.
    Now,
    /// Even directly after another round.
    AtOnce,
}

/// What is known of past and present rounds.
pub(super) struct Learning {
    /// A request is learning.
    is_on: Cell<bool>,
    due: Cell<Urgency>,
    /// The end of the last round.
    last_ms: Cell<Option<i64>>,
    /// The server that begins the next round: a server that tells an old map, or none, does not
    /// begin two rounds in a row. Instances begin with different ones.
    turn: Cell<usize>,
}

impl Learning {
    pub(super) fn new() -> Self {
        let [turn, ..] = clock::random_bytes();
        Self {
            is_on: Cell::new(false),
            due: Cell::default(),
            last_ms: Cell::default(),
            turn: Cell::new(usize::from(turn)),
        }
    }

    /// Notes that the map may be outdated.
    pub(super) fn note_due(&self, urgency: Urgency) {
        self.due.set(self.due.get().max(urgency));
    }

    /// Whether the last round ended too short a time ago. A clock that was set back does not count.
    fn is_recent(&self, urgency: Urgency) -> bool {
        let pause_ms = match urgency {
            Urgency::None | Urgency::Later => LATER_MS,
            Urgency::Now => NOW_MS,
            Urgency::AtOnce => 0,
        };
        let since_ms = self.last_ms.get().map(|last_ms| clock::now_ms() - last_ms);
        since_ms.is_some_and(|since_ms| (0..pause_ms).contains(&since_ms))
    }
}

/// Ends the round even if its request is dropped.
struct Round<'a>(&'a Learning);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.0.is_on.set(false);
        self.0.last_ms.set(Some(clock::now_ms()));
        self.0.turn.set(self.0.turn.get().wrapping_add(1));
    }
}

impl Several {
    /// Learns the map if it is unknown or due.
    pub(super) async fn know(&self) -> Result<(), RedisError> {
        if self.map.borrow().is_none() {
            return self.learn(Urgency::AtOnce, None).await.map_err(RedisError::Unavailable);
        }
        match self.learning.due.get() {
            Urgency::None => {}
            // If it fails, the known map is still the best guess.
            urgency => drop(self.learn(urgency, None).await),
        }
        Ok(())
    }

    /// Learns the map, preferably not from `suspect`, unless a round has just ended. The error tells
    /// the problem of each server.
    pub(super) fn learn<'a>(
        &'a self,
        urgency: Urgency,
        suspect: Option<&'a Server>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>> {
        Box::pin(self.learn_inline(urgency, suspect))
    }

    async fn learn_inline(&self, urgency: Urgency, suspect: Option<&Server>) -> Result<(), String> {
        if self.learning.is_on.get() {
            // Bounded by the deadline of the request that learns: its `Round` ends with it.
            while self.learning.is_on.get() {
                pause(OPENING_POLL).await;
            }
            return match &*self.map.borrow() {
                Some(_) => Ok(()),
                None => Err("another request could not find the servers".to_owned()),
            };
        }
        if self.learning.is_recent(urgency) {
            return Ok(());
        }
        self.learning.is_on.set(true);
        let round = Round(&self.learning);
        let learned = self.ask_in_turn(suspect).await;
        drop(round);
        let map = learned?;
        self.links.borrow_mut().retain(|link| map.servers().contains(&link.server));
        self.asking.clear();
        *self.map.borrow_mut() = Some(map);
        self.learning.due.set(Urgency::None);
        Ok(())
    }

    /// The map, or the problems of all servers that were asked.
    async fn ask_in_turn(&self, suspect: Option<&Server>) -> Result<SlotMap, String> {
        let (mut problems, begun) = (Vec::new(), Instant::now());
        for server in self.candidates(suspect) {
            if begun.elapsed() >= ROUND {
                break;
            }
            match within(ANSWER_DEADLINE, self.ask(&server)).await {
                Some(Ok(map)) => return Ok(map),
                Some(Err(text)) => problems.push(format!("{server}: {text}")),
                None => problems.push(format!("{server}: no answer in time")),
            }
        }
        Err(problems.join("; "))
    }

    async fn ask(&self, server: &Server) -> Result<SlotMap, String> {
        match &self.address.kind {
            Kind::Sentinel { master } => self.ask_sentinel(server, master).await,
            _ => self.ask_node(server).await,
        }
    }

    /// The servers to ask: the known masters in turn, the seeds in turn, and last the suspect.
    fn candidates(&self, suspect: Option<&Server>) -> Vec<Server> {
        let turn = self.learning.turn.get();
        let mut list: Vec<Server> = Vec::new();
        if let Some(map) = self.map.borrow().as_ref().filter(|_| self.is_cluster()) {
            list.extend(map.servers().iter().cloned());
            let at = turn % list.len().max(1);
            list.rotate_left(at);
        }
        let seeds = &self.address.seeds;
        let (first, last) = seeds.split_at(turn % seeds.len().max(1));
        for seed in last.iter().chain(first) {
            if !list.contains(seed) {
                list.push(seed.clone());
            }
        }
        if let Some(at) = list.iter().position(|server| Some(server) == suspect) {
            let suspect = list.remove(at);
            list.push(suspect);
        }
        list
    }

    async fn ask_node(&self, server: &Server) -> Result<SlotMap, String> {
        let call = Call::Command { name: "CLUSTER", args: &[Arg::Text("SLOTS")] };
        let reply = self.link(server).run(&call).await;
        let reply = reply.map_err(|failure| RedisError::from(failure).to_string())?;
        slots::parse(&reply, &server.host).map_err(str::to_owned)
    }

    /// Asks on a connection that ends with the answer: it may not be needed again for hours.
    async fn ask_sentinel(&self, server: &Server, master: &str) -> Result<SlotMap, String> {
        let ask = async {
            let url = self.address.open_url_of(server);
            let connection = open(&url).await?;
            let args = vec![binary("GET-MASTER-ADDR-BY-NAME"), binary(master)];
            send(&connection, ("SENTINEL", args)).await
        };
        let reply = ask.await.map_err(|failure| RedisError::from(failure).to_string())?;
        match reply.as_slice() {
            [host, port] => {
                let port = port.int().and_then(|port| u16::try_from(port).ok());
                let server = host.text().zip(port);
                let server = server.map(|(host, port)| Server { host: host.to_owned(), port });
                server.map(SlotMap::of_one).ok_or_else(|| "an invalid address".to_owned())
            }
            [Reply::Nil] | [] => Err("it knows no master of the name in redis_url".to_owned()),
            _ => Err("an invalid answer".to_owned()),
        }
    }
}
