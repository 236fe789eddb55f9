//! Presence: whoever is online is in the set, and nobody else stays there.

use shared::keys::{ONLINE_USERS, PRESENCE_HUB_PREFIX, PRESENCE_LEASES, PRESENCE_REVS};
use shared::script::{self, Script};

use super::{Bench, Call, Case, Refusal, call, words};

/// What a hub knows of its calls, as `hub/src/presence/lease.rs` does.
struct Hub {
    id: String,
    rev: u32,
    /// What Redis may have come to.
    revs: Vec<String>,
    /// Before this incarnation.
    former: Vec<String>,
}

impl Hub {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), rev: 0, revs: vec![String::new()], former: Vec::new() }
    }

    fn call(&self, script: &'static Script, args: &[String]) -> Call {
        let set = format!("{PRESENCE_HUB_PREFIX}{}", self.id);
        let keys = [ONLINE_USERS, PRESENCE_LEASES, PRESENCE_REVS, &set].map(str::to_owned);
        let mut call =
            call(script, &keys, &[&self.id, PRESENCE_HUB_PREFIX, "12000", "19000", "3600", "2"]);
        call.args.extend_from_slice(args);
        call
    }

    /// Tells who is here and who is not, takes out the dead, and restores members.
    fn sync(&mut self, here: &[&str], gone: &[&str]) -> Call {
        self.rev += 1;
        let counts =
            [self.revs.len(), self.former.len(), here.len()].map(|count| count.to_string());
        let mut args = vec![self.rev.to_string(), "0".to_owned(), "1".to_owned()];
        args.extend(counts);
        args.extend(self.revs.iter().chain(&self.former).cloned());
        args.extend(here.iter().chain(gone).map(|user| (*user).to_owned()));
        self.revs.push(self.rev.to_string());
        self.call(&script::PRESENCE_SYNC, &args)
    }

    /// Takes an answer in. Whether the call was carried out, and whether somebody dead is left.
    fn hear(&mut self, answer: &Result<String, String>) -> (bool, bool) {
        let Ok(answer) = answer else { return (false, true) };
        if answer.starts_with("resync") {
            let mut next = Self::new(&format!("{}2", self.id));
            next.former.clone_from(&self.former);
            next.former.push(self.id.clone());
            *self = next;
            return (false, true);
        }
        self.revs = vec![self.rev.to_string()];
        (true, answer.split(' ').nth(5) == Some("1"))
    }
}

/// Another hub holds carol, and a dead one dora and alice; a service has added theo.
async fn prepare(bench: &Bench) -> Hub {
    bench.redis.run::<()>("FLUSHALL").await;
    let (mut hub, mut other) = (Hub::new("ours"), Hub::new("other"));
    for (of, users) in [(&mut other, ["carol", "olga"]), (&mut hub, ["carol", "erik"])] {
        let call = of.sync(&users, &[]);
        let answer = bench.eval(&call, 0, true).await;
        assert_eq!(of.hear(&answer), (true, false), "{answer:?}");
    }
    let dead = format!("{PRESENCE_HUB_PREFIX}dead");
    bench.redis.run::<i64>(&format!("SADD {dead} dora alice dirk")).await;
    bench.redis.run::<i64>(&format!("EXPIRE {dead} 600")).await;
    bench.redis.run::<i64>(&format!("ZADD {PRESENCE_LEASES} 1 dead")).await;
    bench.redis.run::<i64>("SADD online_users dora alice dirk theo").await;
    bench.redis.run::<()>("CONFIG RESETSTAT").await;
    hub
}

/// The same for a cluster, with a beat and the end of a hub.
pub(in crate::faults) fn cases() -> Vec<Case> {
    let (mut hub, mut other) = (Hub::new("ours"), Hub::new("other"));
    let before = vec![other.sync(&["carol", "olga"], &[]), hub.sync(&["carol", "erik"], &[])];
    hub.revs = words(&["1"]);
    let dead = format!("{PRESENCE_HUB_PREFIX}dead");
    let with_dead = |name, before: &[Call], call| {
        Case::new(name, before.to_vec(), call)
            .command(&["SADD", &dead, "dora", "alice", "dirk"])
            .command(&["EXPIRE", &dead, "600"])
            .command(&["ZADD", PRESENCE_LEASES, "1", "dead"])
            .command(&["SADD", ONLINE_USERS, "dora", "alice", "dirk", "theo"])
    };
    let release = hub.call(&script::PRESENCE_RELEASE, &[]);
    let first = Hub::new("third").sync(&["alice"], &[]);
    vec![
        with_dead("a beat", &before, hub.sync(&["alice", "bob"], &["carol", "erik"])),
        with_dead("the end", &before, release),
        Case::new("the first hub", Vec::new(), first.clone()),
        Case::new("another hub", before, first),
    ]
}

async fn online(bench: &Bench) -> Vec<String> {
    let mut users: Vec<String> = bench.redis.run("SMEMBERS online_users").await;
    users.sort();
    users
}

/// Calls until one was carried out and nobody dead is left; `limit` calls at most.
async fn sync(bench: &Bench, hub: &mut Hub, limit: usize) -> bool {
    for _ in 0..limit {
        let call = hub.sync(&["alice", "bob"], &["carol", "erik"]);
        let answer = bench.eval(&call, 0, false).await;
        if hub.hear(&answer) == (true, false) {
            return true;
        }
    }
    false
}

async fn release(bench: &Bench, hub: &Hub, limit: usize) -> bool {
    for _ in 0..limit {
        let call = hub.call(&script::PRESENCE_RELEASE, &[]);
        if bench.eval(&call, 0, false).await.as_deref() == Ok("0") {
            return true;
        }
    }
    false
}

async fn refusals(bench: &Bench, hub: &Hub) -> (Case, Vec<Refusal>) {
    let keys = Case::new("presence", Vec::new(), hub.call(&script::PRESENCE_SYNC, &[]));
    let mut refusals = vec![Refusal::Memory];
    refusals.extend(bench.called().await.into_iter().map(Refusal::Command));
    refusals.extend(keys.call.keys.iter().cloned().map(Refusal::Key));
    (keys, refusals)
}

#[tokio::test]
async fn a_beat() {
    const EXPECTED: [&str; 5] = ["alice", "bob", "carol", "olga", "theo"];
    let bench = Bench::start().await;
    let mut hub = prepare(&bench).await;
    assert!(sync(&bench, &mut hub, 5).await);
    assert_eq!(online(&bench).await, EXPECTED);
    let (case, refusals) = refusals(&bench, &hub).await;
    for refusal in refusals {
        let mut hub = prepare(&bench).await;
        bench.refuse(&case, &refusal).await;
        sync(&bench, &mut hub, 4).await;
        let meanwhile = online(&bench).await;
        assert!(meanwhile.contains(&"carol".to_owned()), "{refusal:?}: {meanwhile:?}");
        bench.permit().await;
        assert!(sync(&bench, &mut hub, 20).await, "{refusal:?}");
        assert_eq!(online(&bench).await, EXPECTED, "{refusal:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_hub() {
    const EXPECTED: [&str; 3] = ["carol", "olga", "theo"];
    let bench = Bench::start().await;
    let hub = prepare(&bench).await;
    assert!(release(&bench, &hub, 9).await);
    assert_eq!(online(&bench).await, EXPECTED);
    let (case, refusals) = refusals(&bench, &hub).await;
    for refusal in refusals {
        let hub = prepare(&bench).await;
        bench.refuse(&case, &refusal).await;
        release(&bench, &hub, 4).await;
        bench.permit().await;
        assert!(release(&bench, &hub, 9).await, "{refusal:?}");
        assert_eq!(online(&bench).await, EXPECTED, "{refusal:?}");
    }
}
