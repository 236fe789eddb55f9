//! A model of Redis: servers that own slots, and connections whose commands and replies take any time;
//! and the plan with what the users were told.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::UserId;
use shared::cluster::{SLOTS, Server, SlotMap, slot_of};
use shared::keys::live_channel;

use crate::channels::Hearing;
use crate::channels::link::LinkId;
use crate::channels::plan::{News, Plan};
use crate::config::Pace;
use crate::limits::LINK_UNANSWERED_MAX;
use crate::redis::pubsub_parser::Reply;

fn server(n: u16) -> Server {
    Server { host: "h".to_owned(), port: n }
}

pub(super) fn user(n: usize) -> UserId {
    UserId::parse(&format!("u{n}")).unwrap()
}

/// Each third of the slots has a server, except for those that were moved.
pub(super) struct Redis {
    moved: BTreeMap<u16, u16>,
    pub(super) links: BTreeMap<LinkId, Line>,
}

#[derive(Default)]
pub(super) struct Line {
    pub(super) server: u16,
    pub(super) commands: VecDeque<(String, String)>,
    pub(super) replies: VecDeque<Reply>,
    pub(super) channels: BTreeSet<String>,
}

impl Redis {
    pub(super) fn owner(&self, slot: u16) -> u16 {
        self.moved.get(&slot).copied().unwrap_or(slot / (SLOTS / 3 + 1) + 1)
    }

    fn map(&self) -> SlotMap {
        let ranges = (0..SLOTS).map(|slot| (slot, slot, server(self.owner(slot))));
        SlotMap::of_cluster(ranges).unwrap()
    }

    /// Moves a slot: its subscribers at the former server are told.
    pub(super) fn move_slot(&mut self, slot: u16, to: u16) {
        self.moved.insert(slot, to);
        for line in self.links.values_mut().filter(|line| line.server != to) {
            let gone: Vec<String> =
                line.channels.iter().filter(|name| slot_of(name) == slot).cloned().collect();
            for name in gone {
                line.channels.remove(&name);
                line.replies.push_back(Reply::Left(Bytes::from(name)));
            }
        }
    }

    /// Executes a command of a connection.
    pub(super) fn execute(&mut self, id: LinkId) {
        let Some((name, word)) = self.links.get_mut(&id).and_then(|it| it.commands.pop_front())
        else {
            return;
        };
        let owner = self.owner(slot_of(&word));
        let line = self.links.get_mut(&id).unwrap();
        let reply = match name.as_str() {
            "PING" => Reply::Pong(Bytes::from(word)),
            _ if owner != line.server => {
                Reply::Error(format!("MOVED {} h:{owner}", slot_of(&word)))
            }
            "SSUBSCRIBE" => {
                line.channels.insert(word.clone());
                Reply::Joined(Bytes::from(word))
            }
            _ => {
                line.channels.remove(&word);
                Reply::Left(Bytes::from(word))
            }
        };
        line.replies.push_back(reply);
    }
}

/// The plan with the model, and what the users were told.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) redis: Redis,
    pub(super) now: Instant,
    wanted: BTreeSet<usize>,
    told: HashMap<UserId, Hearing>,
}

fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let words: Vec<&str> = text.split("\r\n").filter(|it| !it.starts_with(['*', '$'])).collect();
    words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

impl World {
    pub(super) fn new() -> Self {
        let redis = Redis { moved: BTreeMap::new(), links: BTreeMap::new() };
        let plan = Plan::new(redis.map(), true, Pace::default());
        let now = Instant::now();
        Self { plan, redis, now, wanted: BTreeSet::new(), told: HashMap::new() }
    }

    fn tell(&mut self, news: impl IntoIterator<Item = News>) {
        for news in news {
            if let Some(told) = self.told.get_mut(&news.user)
                && news.hearing.number > told.number
            {
                *told = news.hearing;
            }
        }
    }

    pub(super) fn want(&mut self, n: usize) {
        if self.wanted.insert(n) {
            let hearing = self.plan.want(&user(n), self.now);
            self.told.insert(user(n), hearing);
        }
    }

    pub(super) fn unwant(&mut self, n: usize) {
        if self.wanted.remove(&n) {
            self.told.remove(&user(n));
            self.plan.unwant(&user(n), self.now);
        }
    }

    pub(super) fn work(&mut self) {
        let work = self.plan.work(self.now);
        for id in work.close {
            self.redis.links.remove(&id);
        }
        for (id, server) in work.open {
            let line = Line { server: server.port, ..Line::default() };
            self.redis.links.insert(id, line);
            self.plan.opened(id, self.now);
        }
        for (id, bytes) in work.write {
            let commands = parse(&bytes);
            assert!(commands.len() <= LINK_UNANSWERED_MAX + 2);
            self.redis.links.get_mut(&id).unwrap().commands.extend(commands);
        }
    }

    pub(super) fn receive(&mut self, id: LinkId) {
        let reply = self.redis.links.get_mut(&id).and_then(|line| line.replies.pop_front());
        if let Some(reply) = reply {
            let news = self.plan.replied(id, &reply, self.now);
            self.tell(news);
        }
    }

    pub(super) fn lose(&mut self, id: LinkId) {
        self.redis.links.remove(&id);
        let news = self.plan.lost(id, self.now);
        self.tell(news);
    }

    pub(super) fn set_map(&mut self) {
        let news = self.plan.set_map(&self.redis.map(), self.now);
        self.tell(news);
    }

    /// Lets everything that is under way happen, and time pass.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            self.now += Duration::from_secs(1);
            self.work();
            for id in self.redis.links.keys().copied().collect::<Vec<_>>() {
                while self.redis.links.get(&id).is_some_and(|it| !it.commands.is_empty()) {
                    self.redis.execute(id);
                }
                while self.redis.links.get(&id).is_some_and(|it| !it.replies.is_empty()) {
                    self.receive(id);
                }
            }
        }
    }

    /// Every wanted channel is subscribed once, where its slot is; no other one is subscribed.
    pub(super) fn check(&self) {
        let subscribed: Vec<(&String, u16)> = self
            .redis
            .links
            .values()
            .flat_map(|line| line.channels.iter().map(|name| (name, line.server)))
            .filter(|(name, _)| name.starts_with("bw:live:"))
            .collect();
        let expected: BTreeSet<String> =
            self.wanted.iter().map(|n| live_channel(&user(*n))).collect();
        let names: BTreeSet<String> = subscribed.iter().map(|(name, _)| (*name).clone()).collect();
        assert_eq!(names, expected);
        assert_eq!(subscribed.len(), expected.len(), "a channel is subscribed twice");
        for (name, server) in subscribed {
            assert_eq!(self.redis.owner(slot_of(name)), server, "{name}");
        }
        for n in &self.wanted {
            assert!(self.told[&user(*n)].is_joined, "{n} was not told");
        }
        assert_eq!(self.plan.counts().0, expected.len() as u64);
        assert_eq!(self.plan.unheard(), None);
        assert!(!self.plan.has_work());
    }
}
