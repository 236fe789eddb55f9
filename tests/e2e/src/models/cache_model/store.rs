//! The scripts on a Redis, with keys of their own for every case.

use redis::{Connection, Value};
use runtime::cache::{Content, Demands, Fresh, Verdict, etag_of, judge};
use runtime::ports::redis::Reply;
use shared::script::{self, Script};

use super::{ABSENT, COOL, ERROR, End, FRESH, KEEP, LEASE, Loss, STALE};

const TAG_KEEP: i64 = 100_000;

pub struct Store {
    connection: Connection,
    keys: Vec<String>,
}

/// What a read answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub decision: String,
    pub now: i64,
    pub body: Option<String>,
}

impl Store {
    pub fn new(url: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        let mut store = Self { connection: client.get_connection().unwrap(), keys: Vec::new() };
        let case: i64 = store.command(&["INCR", "cases"]);
        let _: i64 = store.command(&["EXPIRE", "cases", "600"]);
        let key = format!("value:{case}");
        let (companion, lease) =
            (shared::keys::cache_companion(&key), shared::keys::cache_lease(&key));
        store.keys = vec![key, companion, lease, shared::keys::cache_tag(&format!("tag:{case}"))];
        store
    }

    fn command<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection).unwrap()
    }

    fn eval(
        &mut self,
        script: &Script,
        keys: std::ops::Range<usize>,
        args: &[&str],
    ) -> Vec<String> {
        let mut command = redis::cmd("EVAL");
        command.arg(script.source).arg(keys.len()).arg(&self.keys[keys]).arg(args);
        let reply: Vec<Value> = command.query(&mut self.connection).unwrap();
        reply.into_iter().map(|value| redis::from_redis_value(value).unwrap()).collect()
    }

    /// Also as it is done where the value was fresh a moment ago; both must say the same.
    pub fn read(&mut self, token: &str) -> Read {
        let plain: Vec<Option<Vec<u8>>> = redis::cmd("MGET")
            .arg(&self.keys[..2])
            .arg(&self.keys[3])
            .query(&mut self.connection)
            .unwrap();
        let plain = plain.into_iter().map(|value| value.map_or(Reply::Nil, Reply::Bytes)).collect();
        let lease = format!("{token} {LEASE} {FRESH} {STALE} {ERROR} {KEEP} {TAG_KEEP}");
        let reply = self.eval(&script::CACHE_READ, 0..4, &["0", &lease]);
        let words: Vec<&str> = reply[0].split(' ').collect();
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        let (decision, now) = (words[0].to_owned(), number(3) - number(2));
        let body = reply.get(1).cloned();
        let is_ours = body.as_ref().is_some_and(|body| etag_of(body.as_bytes()) == words[6]);
        let by_script = match decision == "fresh" && is_ours {
            false => Verdict::Unsure,
            true => Verdict::Fresh(Fresh {
                content: Content::json(body.clone().unwrap()),
                age_ms: number(1),
                ttl_ms: number(2),
                demands: Demands::default(),
            }),
        };
        assert_eq!(judge(plain, now, number(3), 0), by_script, "{reply:?}");
        Read { decision, now, body }
    }

    /// Ends a cache lease; what the script said, and when.
    pub fn finish(&mut self, token: &str, end: End, body: &str) -> (String, i64) {
        let (mode, fresh, body) = match end {
            End::Value => ("value", FRESH, body),
            End::Same => ("same", FRESH, ""),
            End::Absent => ("absent", ABSENT, ""),
            End::Error => ("error", COOL, "failed"),
            End::Pass => ("pass", ABSENT, ""),
        };
        let times = format!("{fresh} {KEEP} 0 0 {TAG_KEEP}");
        let args = [token, mode, &times, body, &etag_of(body.as_bytes()), "", ""];
        let reply = self.eval(&script::CACHE_WRITE, 0..4, &args);
        (reply[0].clone(), reply[1].parse().unwrap())
    }

    pub fn invalidate(&mut self, hard: bool, token: &str) -> i64 {
        let mode = if hard { "hard" } else { "soft" };
        let args = [mode, &KEEP.to_string(), token, &TAG_KEEP.to_string()];
        let reply = self.eval(&script::CACHE_INVALIDATE, 0..4, &args);
        reply[1].parse().unwrap()
    }

    pub fn invalidate_tag(&mut self, hard: bool, version: &str) -> i64 {
        let mode = if hard { "hard" } else { "soft" };
        let reply = self.eval(&script::CACHE_TAGS, 3..4, &[mode, version, &TAG_KEEP.to_string()]);
        reply[1].parse().unwrap()
    }

    pub fn foreign_set(&mut self, body: &str, ttl_ms: Option<u64>) {
        let key = self.keys[0].clone();
        let _: String = match ttl_ms {
            None => self.command(&["SET", &key, body]),
            Some(ms) => self.command(&["SET", &key, body, "PX", &ms.to_string()]),
        };
    }

    /// Whether there was something to replace.
    pub fn foreign_replace(&mut self, body: &str) -> bool {
        let key = self.keys[0].clone();
        let done: Option<String> = self.command(&["SET", &key, body, "XX", "KEEPTTL"]);
        done.is_some()
    }

    /// As [`Self::remove`]; what another service leaves there expires long after the case.
    pub fn lose(&mut self, at: usize, loss: Loss) {
        let key = self.keys[at].clone();
        self.remove(at);
        let _: i64 = match loss {
            Loss::Evicted => return,
            Loss::Retyped => self.command(&["RPUSH", &key, "x"]),
            Loss::Garbled => self.command(&["APPEND", &key, "x"]),
        };
        let _: i64 = self.command(&["EXPIRE", &key, "600"]);
    }

    /// Removes the value (0), the companion (1), the cache lease (2) or the tag (3).
    pub fn remove(&mut self, at: usize) {
        let key = self.keys[at].clone();
        let _: i64 = self.command(&["DEL", &key]);
    }

    pub fn value(&mut self) -> Option<String> {
        let key = self.keys[0].clone();
        self.command(&["GET", &key])
    }

    /// Milliseconds of the value's expiry, as PEXPIRETIME.
    pub fn expiry(&mut self) -> i64 {
        let key = self.keys[0].clone();
        self.command(&["PEXPIRETIME", &key])
    }

    /// Keys of this case that never expire.
    pub fn eternal(&mut self) -> Vec<String> {
        let keys = self.keys.clone();
        keys.into_iter().filter(|key| self.command::<i64>(&["PTTL", key]) == -1).collect()
    }
}

/// What another service wrote without an expiry and nobody read would stay.
impl Drop for Store {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.remove(0);
        }
    }
}
