//! Sends steps to the servers that have their keys, a pipeline for each server, and follows what
//! they answer: a moved slot, a slot on its way, a master that is being replaced.
//!
//! Not redis-rs's `cluster_async`: after `CLIENT KILL` and a migration its subscriptions stayed dead
//! without an error, and commands and subscriptions have to agree on one map. A call waits no longer
//! than on one Redis.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use shared::cluster::{Server, SlotMap};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connection::{Failure, away};
use super::refusal::Refusal;
use super::servers::Servers;
use super::step::{Manner, Outcome, Step};
use super::topology::Change;
use crate::limits::{
    REDIS_ANSWER_DEADLINE, REDIS_CONNECT_DEADLINE, REDIS_REDIRECTIONS_MAX, REDIS_REPEAT_MAX,
    REDIS_REPEAT_MIN,
};

/// What happens to a step that was sent and not answered: it may have been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It is sent again: another execution changes nothing.
    Repeat,
    /// The caller is told, and repeats it in its own way.
    Tell,
}

/// A step that has no answer yet.
struct Open<'a> {
    /// Its place among the answers.
    at: usize,
    step: &'a Step,
    manner: Manner,
}

/// What became of a step in one round.
enum Fate {
    Answered(RedisResult<Value>),
    /// Again at once, in another manner.
    Again(Manner, RedisError),
    /// Again after a pause.
    Later(RedisError),
}

pub(super) struct Router {
    pub(super) servers: Servers,
    /// Notified when there is a master that was none before.
    pub(super) reconnected: Arc<Notify>,
}

impl Router {
    /// Sends the steps and returns their answers in order, each with a result of its own. Errors of
    /// commands inside of a transaction are values in its array.
    ///
    /// What a server refuses is repeated as long as [`REDIS_ANSWER_DEADLINE`] has not passed.
    pub(super) async fn run(
        &self,
        steps: &[Step],
        unanswered: Unanswered,
    ) -> Vec<RedisResult<Value>> {
        let last_round = Instant::now() + REDIS_ANSWER_DEADLINE;
        let deadline = last_round + REDIS_CONNECT_DEADLINE;
        let mut answers: Vec<RedisResult<Value>> =
            steps.iter().map(|_| Err(away("no server of Redis is known yet"))).collect();
        // Commands without a key go where the first key is, so that they see the same clock.
        let slot = steps.iter().find_map(|step| step.slot);
        let first = |(at, step)| Open { at, step, manner: Manner::default() };
        let mut open: Vec<Open<'_>> = steps.iter().enumerate().map(first).collect();
        let (mut pause, mut rounds) = (REDIS_REPEAT_MIN, 0);
        while let Some(map) = self.servers.topology.known(last_round).await {
            let (groups, homeless) = group(&map, slot, open);
            let mut waits = rounds >= REDIS_REDIRECTIONS_MAX || !homeless.is_empty();
            for step in &homeless {
                set(&mut answers, step.at, Err(away("no server has this hash slot")));
            }
            open = homeless;
            let sent = groups.into_iter().map(async |(server, group)| {
                let fates = self.send(&server, &group, deadline, unanswered).await;
                group.into_iter().zip(fates)
            });
            for (mut step, fate) in join_all(sent).await.into_iter().flatten() {
                let error = match fate {
                    Fate::Answered(answer) => {
                        set(&mut answers, step.at, answer);
                        continue;
                    }
                    Fate::Again(manner, error) => {
                        step.manner = manner;
                        error
                    }
                    Fate::Later(error) => {
                        // The slot may be elsewhere by then.
                        step.manner.asking = None;
                        waits = true;
                        error
                    }
                };
                set(&mut answers, step.at, Err(error));
                open.push(step);
            }
            rounds += 1;
            if open.is_empty() || Instant::now() >= last_round {
                break;
            }
            if waits {
                sleep_until((Instant::now() + pause).min(last_round)).await;
                pause = (pause * 2).min(REDIS_REPEAT_MAX);
            }
        }
        answers
    }

    /// Sends one pipeline; returns the fate of each step.
    async fn send(
        &self,
        server: &Server,
        group: &[Open<'_>],
        deadline: Instant,
        unanswered: Unanswered,
    ) -> Vec<Fate> {
        let mut pipeline = redis::pipe();
        let mut is_source_sent = false;
        let mut counts = Vec::with_capacity(group.len());
        for open in group {
            let mut manner = open.manner.clone();
            // The first call brings the source, the others follow on the same connection.
            if manner.is_sourced {
                manner.is_sourced = !std::mem::replace(&mut is_source_sent, true);
            }
            counts.push(open.step.add_to(&mut pipeline, &manner));
        }
        let connection = self.servers.get(server);
        let answers = match timeout_at(deadline, connection.send(&pipeline)).await {
            Ok(answers) => answers,
            Err(_) => Err(Failure { error: away("no answer in time"), was_sent: true }),
        };
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                let fate = |(open, count): (&Open<'_>, usize)| {
                    let own = answers.by_ref().take(count).collect();
                    self.fate(&open.manner, server, Step::outcome(own, server))
                };
                group.iter().zip(counts).map(fate).collect()
            }
            Err(Failure { error, was_sent }) => {
                self.servers.topology.doubt();
                let is_told = was_sent && unanswered == Unanswered::Tell;
                let fate = |_| match is_told {
                    true => Fate::Answered(Err(error.clone())),
                    false => Fate::Later(error.clone()),
                };
                group.iter().map(fate).collect()
            }
        }
    }

    fn fate(&self, manner: &Manner, asked: &Server, outcome: Outcome) -> Fate {
        let (refusal, error) = match outcome {
            Outcome::Done(answer) => return Fate::Answered(answer_of(answer)),
            Outcome::Refused(refusal, error) => (refusal, RedisError::from(error)),
        };
        let is_sourced = manner.is_sourced;
        match refusal {
            Refusal::Moved(slot, server) => {
                tracing::debug!(slot, %server, %asked, "a hash slot has moved");
                self.changed(self.servers.topology.moved(slot, &server));
                Fate::Again(Manner { asking: None, is_sourced }, error)
            }
            Refusal::Ask(server) => Fate::Again(Manner { asking: Some(server), is_sourced }, error),
            Refusal::Source => {
                Fate::Again(Manner { is_sourced: true, asking: manner.asking.clone() }, error)
            }
            Refusal::Later | Refusal::Final => {
                if error.kind() != ErrorKind::Server(ServerErrorKind::TryAgain) {
                    self.servers.topology.doubt();
                }
                Fate::Later(error)
            }
        }
    }

    /// A new master may be the replica of a lost one: those who wait for that are told.
    pub(super) fn changed(&self, change: Change) {
        if change == (Change::Masters { has_new: true }) {
            self.reconnected.notify_one();
        }
    }
}

/// The steps by the server that has their key, and those whose slot no server has.
fn group<'a>(
    map: &SlotMap,
    slot: Option<u16>,
    open: Vec<Open<'a>>,
) -> (HashMap<Server, Vec<Open<'a>>>, Vec<Open<'a>>) {
    let mut groups: HashMap<Server, Vec<Open<'a>>> = HashMap::new();
    let mut homeless = Vec::new();
    for step in open {
        let position = || match step.step.slot.or(slot) {
            Some(slot) => map.position_of_slot(slot),
            None => Some(0),
        };
        let named = step.manner.asking.as_ref().or(step.step.only_at.as_ref());
        let server = named.or_else(|| map.servers().get(position()?)).cloned();
        match server {
            Some(server) => groups.entry(server).or_default().push(step),
            None => homeless.push(step),
        }
    }
    (groups, homeless)
}

fn set(answers: &mut [RedisResult<Value>], at: usize, answer: RedisResult<Value>) {
    if let Some(place) = answers.get_mut(at) {
        *place = answer;
    }
}

/// The error of a command as such.
pub(super) fn answer_of(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn server(port: u16) -> Server {
        Server { host: "127.0.0.1".to_owned(), port }
    }

    fn step(words: &[&str]) -> Step {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        Step::command(command)
    }

    /// The places of the steps by port, and those without a server.
    fn grouped(map: &SlotMap, steps: &[Step], manner: &Manner) -> (Vec<(u16, Vec<usize>)>, usize) {
        let open = |(at, step)| Open { at, step, manner: manner.clone() };
        let slot = steps.iter().find_map(|step| step.slot);
        let (groups, homeless) = group(map, slot, steps.iter().enumerate().map(open).collect());
        let places = |group: Vec<Open<'_>>| group.iter().map(|step| step.at).collect();
        let mut groups: Vec<(u16, Vec<usize>)> =
            groups.into_iter().map(|(server, group)| (server.port, places(group))).collect();
        groups.sort_unstable();
        (groups, homeless.len())
    }

    #[test]
    fn each_step_goes_where_its_key_is_and_keyless_ones_to_the_first_key() {
        let ranges = [(0, 8_000, server(1)), (12_000, 16_383, server(2))];
        let map = SlotMap::of_cluster(ranges).unwrap();
        // The slots 12182, 5061, 12182 and 8363.
        let steps = [
            step(&["TIME"]),
            step(&["GET", "foo"]),
            step(&["GET", "bar"]),
            step(&["GET", "x{foo}"]),
            step(&["GET", "foo{}{bar}"]),
        ];
        let (groups, homeless) = grouped(&map, &steps, &Manner::default());
        assert_eq!(groups, [(1, vec![2]), (2, vec![0, 1, 3])]);
        assert_eq!(homeless, 1);
        let asking = Manner { asking: Some(server(9)), is_sourced: false };
        assert_eq!(grouped(&map, &steps, &asking).0, [(9, vec![0, 1, 2, 3, 4])]);
        let pinned = [step(&["PING"]).at(server(2))];
        assert_eq!(grouped(&map, &pinned, &Manner::default()).0, [(2, vec![0])]);
        assert_eq!(grouped(&map, &[step(&["PING"])], &Manner::default()).0, [(1, vec![0])]);
    }
}
