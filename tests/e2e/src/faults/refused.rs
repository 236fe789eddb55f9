//! Scripts of which Redis refuses a part: each command that a script calls is taken away from its user
//! in turn, each key, the channels, and all memory. Redis takes nothing back that was written before.
//! Afterwards it is done, or a repeat does it: nothing twice, nothing lost. With the permissions that
//! `/readyz` asks for, and no others, nothing is refused (`listed`).

pub(super) mod bridge;
pub(super) mod caches;
pub(super) mod campaign_pushes;
pub(super) mod campaigns;
pub(super) mod contents;
pub(super) mod feeds;
mod listed;
pub(super) mod presence;
pub(super) mod pushes;
pub(super) mod queues;
pub(super) mod tokens;

use std::collections::BTreeMap;
use std::fmt;

use redis::Value;
use redis::aio::MultiplexedConnection;
use shared::script::Script;
use support::RedisServer;

use self::contents::{dump, text_of, timeless};

/// One call of a script, in words.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<String>,
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) fn call(script: &'static Script, keys: &[String], args: &[&str]) -> Call {
    Call { script, keys: keys.to_vec(), args: words(args) }
}

/// A script in one situation.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Scripts that lead to the situation, then commands.
    pub(super) before: Vec<Call>,
    pub(super) commands: Vec<Vec<String>>,
    /// The call; a key that ends in `:once` is another one with each request.
    pub(super) call: Call,
    /// Reads at the end, whose answers are compared.
    reads: Vec<Call>,
    /// Whether it is repeated in any case, and may be answered otherwise then, having nothing to do.
    pub(super) is_answer_free: bool,
}

impl Case {
    pub(super) fn new(name: &'static str, before: Vec<Call>, call: Call) -> Self {
        let (commands, reads) = (Vec::new(), Vec::new());
        Self { name, before, commands, call, reads, is_answer_free: false }
    }

    fn command(mut self, command: &[&str]) -> Self {
        self.commands.push(words(command));
        self
    }

    fn reads(mut self, reads: Vec<Call>) -> Self {
        self.reads = reads;
        self
    }

    fn any_answer(mut self) -> Self {
        self.is_answer_free = true;
        self
    }
}

/// What is taken away.
#[derive(Clone, Debug)]
enum Refusal {
    Command(String),
    Channels,
    /// All but this one.
    ChannelsBut(String),
    Key(String),
    Memory,
}

/// What has come of it.
#[derive(PartialEq, Eq)]
struct End {
    keys: BTreeMap<String, String>,
    reads: Vec<String>,
    published: u64,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.keys {
            writeln!(f, "  {key}: {value}")?;
        }
        writeln!(f, "  reads: {:?}, published: {}", self.reads, self.published)
    }
}

const ATTEMPTS: usize = 3;

struct Bench {
    redis: RedisServer,
    admin: MultiplexedConnection,
    worker: MultiplexedConnection,
}

impl Bench {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        redis.run::<()>("ACL SETUSER worker on nopass ~* &* +@all").await;
        let url = format!("redis://worker:any@{}", redis.address());
        let client = redis::Client::open(url).unwrap();
        let worker = client.get_multiplexed_async_connection().await.unwrap();
        let admin = redis.connection().await;
        Self { redis, admin, worker }
    }

    async fn eval(&self, call: &Call, attempt: usize, is_admin: bool) -> Result<String, String> {
        let mut command = redis::cmd("EVAL");
        command.arg(call.script.source).arg(call.keys.len());
        for key in &call.keys {
            let suffix = if key.ends_with(":once") { attempt.to_string() } else { String::new() };
            command.arg(format!("{key}{suffix}"));
        }
        command.arg(&call.args);
        let connection = if is_admin { &self.admin } else { &self.worker };
        match command.query_async::<Value>(&mut connection.clone()).await {
            Ok(value) => Ok(timeless(&text_of(&value))),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn prepare(&self, case: &Case) {
        self.redis.run::<()>("FLUSHALL").await;
        for call in &case.before {
            self.eval(call, 0, true).await.unwrap();
        }
        for command in &case.commands {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            self.redis.run_words::<Value>(&words).await;
        }
        self.redis.run::<()>("CONFIG RESETSTAT").await;
    }

    /// What the script called since `prepare`.
    async fn called(&self) -> Vec<String> {
        let stats: String = self.redis.run("INFO commandstats").await;
        let names = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
        let names = names.filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned());
        names
            .filter(|name| !["eval", "info"].contains(&name.as_str()) && !name.contains('|'))
            .collect()
    }

    async fn refuse(&self, case: &Case, refusal: &Refusal) {
        let mut rules = words(&["ACL", "SETUSER", "worker", "reset", "on", "nopass", "+@all"]);
        rules.extend(match refusal {
            Refusal::Command(name) => vec!["~*".into(), "&*".into(), format!("-{name}")],
            Refusal::Channels => words(&["~*", "resetchannels"]),
            Refusal::ChannelsBut(kept) => words(&["~*", "resetchannels", &format!("&{kept}")]),
            Refusal::Key(key) => {
                let others = case.call.keys.iter().filter(|other| *other != key);
                others.map(|other| format!("~{other}*")).chain(["&*".to_owned()]).collect()
            }
            Refusal::Memory => words(&["~*", "&*"]),
        });
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        self.redis.run_words::<()>(&rules).await;
        if matches!(refusal, Refusal::Memory) {
            self.redis.run::<()>("CONFIG SET maxmemory 1").await;
        }
    }

    async fn permit(&self) {
        self.redis.run::<()>("CONFIG SET maxmemory 0").await;
        self.redis.run::<()>("ACL SETUSER worker reset on nopass ~* &* +@all").await;
    }

    async fn end(&self, case: &Case) -> End {
        let published = self.redis.calls("publish").await + self.redis.calls("spublish").await;
        let keys = dump(&self.redis).await;
        let mut reads = Vec::new();
        for read in &case.reads {
            reads.push(self.eval(read, 0, true).await.unwrap());
        }
        End { keys, reads, published }
    }

    async fn check(&self, case: &Case, refusal: &Refusal, answer: &str, expected: &End) {
        self.prepare(case).await;
        self.refuse(case, refusal).await;
        let first = self.eval(&case.call, 1, false).await;
        let mut told = format!("{first:?}");
        if first.as_deref() != Ok(answer) || case.is_answer_free {
            for attempt in 2..=ATTEMPTS {
                let again = self.eval(&case.call, attempt, false).await;
                told += &format!(" {again:?}");
            }
            self.permit().await;
            let last = self.eval(&case.call, ATTEMPTS + 1, false).await;
            let is_same = last.as_deref() == Ok(answer) || (case.is_answer_free && last.is_ok());
            assert!(is_same, "{}, without {refusal:?}: {told}, then {last:?}", case.name);
        }
        self.permit().await;
        let end = self.end(case).await;
        assert!(
            end == *expected,
            "{}, without {refusal:?}: {told}\n{end:?}expected\n{expected:?}",
            case.name
        );
    }
}

/// Runs a case once as it should be, and then without each of the things that it needs.
async fn check(cases: Vec<Case>) {
    let bench = Bench::start().await;
    for case in cases {
        bench.prepare(&case).await;
        let answer = bench.eval(&case.call, 1, false).await.unwrap();
        let called = bench.called().await;
        assert!(!called.is_empty(), "{} calls nothing", case.name);
        let expected = bench.end(&case).await;
        bench.check_listed(&case, &answer).await;
        let end = bench.end(&case).await;
        assert!(end == expected, "{}: {end:?}expected\n{expected:?}", case.name);
        let mut refusals = vec![Refusal::Channels, Refusal::Memory];
        refusals.extend(called.into_iter().map(Refusal::Command));
        refusals.extend(case.call.keys.iter().cloned().map(Refusal::Key));
        for refusal in refusals {
            bench.check(&case, &refusal, &answer, &expected).await;
        }
    }
}
