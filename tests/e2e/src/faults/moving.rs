//! Every script while its hash slot moves from one node of a Redis Cluster to another, with all keys
//! still there, some, or none: it is done as on one Redis, or fails and has written and published
//! nothing. The cases are those of `refused`, as a cluster gets them.

mod many;

use std::collections::{BTreeMap, BTreeSet};

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use shared::cluster::{SLOTS, slot_of};
use shared::script;
use support::redis_cluster::Migration;
use support::{RedisCluster, RedisServer};

use super::refused::contents::{described, reading, text_of, timeless};
use super::refused::{Call, Case, bridge, caches, campaign_pushes, campaigns, feeds, presence};
use super::refused::{pushes, queues, tokens};

const MASTERS: usize = 3;

/// A cluster whose masters serve equal shares of the slots, in their order.
struct Bench {
    cluster: RedisCluster,
    links: Vec<MultiplexedConnection>,
}

/// The contents of a node's keys, and when they expire, byte by byte.
type Bytes = BTreeMap<(usize, String), (Vec<u8>, i64)>;

/// What a call leads to.
#[derive(Debug, PartialEq, Eq)]
struct End {
    answer: String,
    keys: BTreeMap<String, String>,
    published: u64,
}

/// A slot, the number of its node, and that of the node that it may move to.
#[derive(Clone, Copy)]
struct Way {
    slot: u16,
    source: usize,
    target: usize,
}

impl Way {
    fn of(key: &str) -> Self {
        let (slot, source) = (slot_of(key), node_of(key));
        Self { slot, source, target: (source + 1) % MASTERS }
    }
}

fn node_of(key: &str) -> usize {
    usize::from(slot_of(key)) / usize::from(SLOTS).div_ceil(MASTERS)
}

impl Bench {
    async fn start() -> Self {
        let cluster = RedisCluster::start().await;
        let mut links = Vec::new();
        for node in 0..MASTERS {
            links.push(cluster.nodes[node].connection().await);
        }
        Self { cluster, links }
    }

    fn node(&self, number: usize) -> &RedisServer {
        &self.cluster.nodes[number]
    }

    /// Runs a command, after `ASKING` if the node may not have the key's slot.
    async fn run(&self, node: usize, words: &[&str], is_asking: bool) -> RedisResult<Value> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let mut link = self.links[node].clone();
        if !is_asking {
            return command.query_async(&mut link).await;
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore().add_command(command);
        pipeline.query_async::<(Value,)>(&mut link).await.map(|(value,)| value)
    }

    async fn eval(&self, node: usize, call: &Call, is_asking: bool) -> RedisResult<Value> {
        let count = call.keys.len().to_string();
        let mut words = vec!["EVAL", call.script.on_cluster().source, &count];
        words.extend(call.keys.iter().chain(&call.args).map(String::as_str));
        self.run(node, &words, is_asking).await
    }

    async fn flush(&self) {
        for node in 0..MASTERS {
            self.run(node, &["FLUSHALL"], false).await.unwrap();
        }
    }

    /// The situation of a case, with every key on its own node.
    async fn prepare(&self, case: &Case) {
        self.flush().await;
        for call in &case.before {
            self.eval(node_of(&call.keys[0]), call, false).await.unwrap();
        }
        for command in &case.commands {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            self.run(node_of(words[1]), &words, false).await.unwrap();
        }
        for node in 0..MASTERS {
            self.run(node, &["CONFIG", "RESETSTAT"], false).await.unwrap();
        }
    }

    /// The keys of a slot on a node.
    async fn keys(&self, node: usize, slot: u16) -> Vec<String> {
        let keys = self.run(node, &["KEYS", "*"], false).await.unwrap();
        let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
        keys.into_iter().filter(|key| slot_of(key) == slot).collect()
    }

    async fn bytes(&self, way: Way) -> Bytes {
        let mut all = Bytes::new();
        for node in [way.source, way.target] {
            for key in self.keys(node, way.slot).await {
                let dump = self.run(node, &["DUMP", &key], true).await.unwrap();
                let expires = self.run(node, &["PEXPIRETIME", &key], true).await.unwrap();
                let dump = redis::from_redis_value(dump).unwrap();
                all.insert((node, key), (dump, redis::from_redis_value(expires).unwrap()));
            }
        }
        all
    }

    async fn published(&self) -> u64 {
        let mut published = 0;
        for number in 0..MASTERS {
            let node = self.node(number);
            published += node.calls("publish").await + node.calls("spublish").await;
        }
        published
    }

    async fn end(&self, case: &Case, way: Way, answer: &Value) -> End {
        let mut keys = BTreeMap::new();
        for node in [way.source, way.target] {
            for key in self.keys(node, way.slot).await {
                let kind = self.run(node, &["TYPE", &key], true).await.unwrap();
                let kind: String = redis::from_redis_value(kind).unwrap();
                let value = self.run(node, &reading(&kind, &key), true).await.unwrap();
                let ttl = self.run(node, &["TTL", &key], true).await.unwrap();
                let text = described(&kind, &value, redis::from_redis_value(ttl).unwrap());
                assert!(keys.insert(key.clone(), text).is_none(), "{key} is on both nodes");
            }
        }
        // Some answers count milliseconds.
        let answer = if case.is_answer_free { String::new() } else { timeless(&text_of(answer)) };
        End { answer, keys, published: self.published().await }
    }

    async fn migrate(&self, way: Way, moved: &[String]) -> Migration<'_> {
        let migration = self.cluster.migrate(way.slot, self.node(way.target)).await;
        if !moved.is_empty() {
            migration.move_some(&moved.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        migration
    }

    /// A case with these keys moved, called at the one node or the other. Whether it was done.
    async fn attempt(
        &self,
        case: &Case,
        (way, moved): (Way, &[String]),
        is_asking: bool,
        expected: &End,
    ) -> bool {
        self.prepare(case).await;
        let migration = self.migrate(way, moved).await;
        let before = self.bytes(way).await;
        let node = if is_asking { way.target } else { way.source };
        let answer = self.eval(node, &case.call, is_asking).await;
        let where_to = if is_asking { "at the target" } else { "at the source" };
        let what = format!("{}: {}, {where_to}, moved {moved:?}", case.call.script.name, case.name);
        let is_done = match answer {
            Ok(answer) => {
                let end = self.end(case, way, &answer).await;
                assert_eq!(end, *expected, "{what}");
                true
            }
            Err(error) => {
                let text = error.to_string();
                let is_moving = ["TRYAGAIN", "ASK", "MOVED"].contains(&error.code().unwrap_or("-"))
                    || text.contains("non local key");
                assert!(is_moving, "{what}: {text}");
                assert!(self.bytes(way).await == before, "{what}: {text}, but it has written");
                assert_eq!(self.published().await, 0, "{what}: {text}, but it has published");
                false
            }
        };
        migration.abandon().await;
        is_done
    }

    /// A case in every state of its slot.
    async fn check(&self, case: &Case) {
        let way = Way::of(&case.call.keys[0]);
        assert!(case.call.keys.iter().all(|key| slot_of(key) == way.slot), "{}", case.name);
        self.prepare(case).await;
        let keys = self.keys(way.source, way.slot).await;
        let answer = self.eval(way.source, &case.call, false).await.unwrap();
        let expected = self.end(case, way, &answer).await;
        let mut states: BTreeSet<Vec<String>> = BTreeSet::from([Vec::new(), keys.clone()]);
        for key in &keys {
            states.insert(vec![key.clone()]);
            states.insert(keys.iter().filter(|other| *other != key).cloned().collect());
        }
        for moved in &states {
            self.attempt(case, (way, moved), false, &expected).await;
            // Clients ask the target only if the source has said so: it lacks all KEYS. Calls of several
            // keys notice by themselves that the target lacks some.
            let is_at_source = |key: &String| keys.contains(key) && !moved.contains(key);
            if case.call.keys.len() > 1 || !is_at_source(&case.call.keys[0]) {
                self.attempt(case, (way, moved), true, &expected).await;
            }
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = bridge::cases();
    cases.extend(caches::cases_of_a_cluster());
    cases.extend(campaign_pushes::cases_of_a_cluster());
    cases.extend(campaigns::cases_of_a_cluster());
    cases.extend(feeds::cases_of_a_cluster());
    cases.extend(presence::cases());
    cases.extend(pushes::cases());
    cases.extend(queues::cases());
    cases.extend(tokens::cases());
    cases
}

#[test]
fn every_script_has_a_case() {
    let listed: BTreeSet<&str> = cases().iter().map(|case| case.call.script.name).collect();
    // It has no keys.
    let without = |script: &&&script::Script| script.name != script::PERMISSIONS.name;
    let all: BTreeSet<&str> =
        script::ALL.iter().filter(without).map(|script| script.name).collect();
    assert_eq!(listed, all);
}

#[tokio::test]
async fn a_script_is_done_or_has_written_nothing() {
    let bench = Bench::start().await;
    for case in cases() {
        bench.check(&case).await;
    }
    bench.flush().await;
}
