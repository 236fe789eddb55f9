//! Commands to Redis, for every user of it but a subscription: one server, a cluster, or Sentinel's
//! master. One server gets its commands directly; else each goes to the server that has its key
//! ([`routing`](super::routing)).

use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, ToRedisArgs, Value, from_redis_value};
use shared::cluster::Server;
use shared::script::Script;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::{Connection, Master, Watch};
use super::map_reader::MapReader;
use super::one;
use super::routing::{Router, Unanswered, answer_of};
use super::servers::Servers;
use super::step::Step;
use super::topology::{Change, Topology};
use crate::backoff::Backoff;
use crate::limits::{
    REDIS_MAP_INTERVAL_MAX, REDIS_MAP_INTERVAL_MIN, REDIS_MAP_PAUSE, REDIS_MASTER_SILENT,
};

/// What all users of Redis but a subscription share; see the module.
pub struct Commands {
    topology: Arc<Topology>,
    way: Way,
    /// Notified when a connection was replaced, or there is a new master: it may be another Redis,
    /// without the last writes.
    pub reconnected: Arc<Notify>,
}

enum Way {
    One(Box<Connection>),
    Routed(Router),
}

impl Commands {
    /// Connects with the first command. [`Commands::run`] has to run beside it.
    #[must_use]
    pub fn new(topology: Arc<Topology>, watch: Arc<dyn Watch>) -> Self {
        let reconnected = Arc::new(Notify::new());
        let told = reconnected.clone();
        let way = match topology.is_one() {
            true => {
                let client = topology.client_of(&topology.address().seeds[0]);
                Way::One(Box::new(Connection::new(client, watch, told, true)))
            }
            false => {
                let servers = Servers::new(topology.clone(), watch, told.clone());
                Way::Routed(Router { servers, reconnected: told })
            }
        };
        Self { topology, way, reconnected }
    }

    /// Where Redis is.
    #[must_use]
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Keeps the map of a cluster or of Sentinel up to date, and watches its masters. With one Redis
    /// it does nothing. Ends only by being dropped.
    pub async fn run(&self) {
        match &self.way {
            Way::One(_) => std::future::pending().await,
            Way::Routed(router) => {
                tokio::join!(self.follow(router), router.servers.ping_all());
            }
        }
    }

    /// The masters: one Redis, or those that are known.
    #[must_use]
    pub fn masters(&self) -> Vec<Master> {
        let map = self.topology.current();
        match &self.way {
            Way::One(one) => map.servers().iter().map(|it| one.as_master(it.clone())).collect(),
            Way::Routed(router) if self.topology.is_known() => router.servers.masters(&map),
            Way::Routed(_) => Vec::new(),
        }
    }

    /// One of several masters that has been silent for too long. Commands to it fail, others go on.
    #[must_use]
    pub fn silent_master(&self) -> Option<Master> {
        if self.topology.is_one() {
            return None;
        }
        self.masters().into_iter().find(|master| master.silent_for > REDIS_MASTER_SILENT)
    }

    /// Why some hash slots of a cluster have no server, if that is so.
    #[must_use]
    pub fn gap(&self) -> Option<String> {
        self.topology.is_known().then(|| self.topology.current().gap()).flatten()
    }

    /// A number for the master that has a key now, for callers that group by it. With one Redis the
    /// key is not looked at.
    #[must_use]
    pub fn position_of(&self, key: impl FnOnce() -> String) -> Option<usize> {
        match &self.way {
            Way::One(_) => None,
            Way::Routed(_) => self.topology.current().position_of(&key()),
        }
    }

    /// Sends commands and reads all their answers. Their keys are in one hash slot; on a cluster,
    /// commands of a pipeline outside a transaction may be executed apart.
    ///
    /// # Errors
    /// Redis cannot be reached, did not answer in time, or answered with an error.
    pub async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        let values = match &self.way {
            Way::One(one) => {
                let values = one.send(pipeline).await.map_err(|failure| failure.error)?;
                values.into_iter().map(answer_of).collect::<RedisResult<Vec<_>>>()?
            }
            Way::Routed(router) => {
                let commands = pipeline.cmd_iter().cloned();
                let steps: Vec<Step> = match pipeline.is_transaction() {
                    true => vec![Step::transaction(commands.collect())],
                    false => commands.map(Step::command).collect(),
                };
                let answers = router.run(&steps, Unanswered::Repeat).await;
                answers.into_iter().collect::<RedisResult<Vec<_>>>()?
            }
        };
        let answer = match pipeline.is_transaction() {
            true => values.into_iter().next().unwrap_or(Value::Nil).extract_error()?,
            false => Value::Array(values),
        };
        Ok(from_redis_value(answer)?)
    }

    /// Sends commands whose keys may be anywhere: one pipeline for each server, side by side. The
    /// answers are in order, each with a result of its own.
    pub async fn each(&self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        match &self.way {
            Way::One(one) => one::each(one, &one::pipeline_of(commands)).await,
            Way::Routed(router) => {
                let steps: Vec<Step> = commands.into_iter().map(Step::command).collect();
                router.run(&steps, Unanswered::Repeat).await
            }
        }
    }

    /// The same for calls (`EVALSHA`) of one script that only reads; sends its source to a server
    /// that does not know it yet.
    pub async fn each_call(
        &self,
        script: &'static Script,
        calls: Vec<Cmd>,
    ) -> Vec<RedisResult<Value>> {
        match &self.way {
            Way::One(one) => one::each_call(one, script, calls).await,
            Way::Routed(router) => {
                let steps: Vec<Step> =
                    calls.into_iter().map(|call| Step::script(script, call)).collect();
                router.run(&steps, Unanswered::Repeat).await
            }
        }
    }

    /// Executes groups of commands, each group atomically, whose keys are in one hash slot. One Redis
    /// executes all of them in one transaction, a cluster one for each group.
    pub async fn each_atomic(
        &self,
        groups: Vec<Vec<Cmd>>,
    ) -> Vec<RedisResult<Vec<RedisResult<Value>>>> {
        match &self.way {
            Way::One(one) => one::atomic(one, groups).await,
            Way::Routed(router) => {
                let steps: Vec<Step> = groups.into_iter().map(Step::transaction).collect();
                let answers = router.run(&steps, Unanswered::Repeat).await;
                answers.into_iter().map(|answer| answer.and_then(one::members)).collect()
            }
        }
    }

    /// Runs a script; sends its source if the server does not know it yet. Its keys are in one hash
    /// slot.
    ///
    /// # Errors
    /// As [`Commands::query`]. Unless Redis itself answered, the script may have been executed or
    /// may still be.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &'static Script,
        keys: &[impl ToRedisArgs + Sync],
        args: &[impl ToRedisArgs + Sync],
    ) -> RedisResult<T> {
        let script = if self.topology.is_cluster() { script.on_cluster() } else { script };
        let mut call = redis::cmd("EVALSHA");
        call.arg(script.sha1()).arg(keys.len()).arg(keys).arg(args);
        let answer = match &self.way {
            Way::One(one) => one::script(one, script, call).await?,
            // The callers number their calls, or repeat them in their own way.
            Way::Routed(router) => {
                let steps = [Step::script(script, call)];
                let answers = router.run(&steps, Unanswered::Tell).await;
                answers.into_iter().next().unwrap_or(Ok(Value::Nil))?
            }
        };
        Ok(from_redis_value(answer.extract_error()?)?)
    }

    /// Runs a script without keys on every master.
    pub async fn script_on_masters<T: FromRedisValue>(
        &self,
        script: &'static Script,
        args: &[impl ToRedisArgs + Sync],
    ) -> Vec<RedisResult<T>> {
        const NO_KEYS: &[&str] = &[];
        let Way::Routed(router) = &self.way else {
            return vec![self.script(script, NO_KEYS, args).await];
        };
        let mut call = redis::cmd("EVALSHA");
        call.arg(script.sha1()).arg(0).arg(args);
        let step = |server: &Server| Step::script(script, call.clone()).at(server.clone());
        let steps: Vec<Step> = self.topology.current().servers().iter().map(step).collect();
        let answers = router.run(&steps, Unanswered::Tell).await;
        answers.into_iter().map(|answer| Ok(from_redis_value(answer?)?)).collect()
    }

    /// Allows an attempt to connect at once, because another connection has reached Redis.
    pub fn retry_now(&self) {
        match &self.way {
            Way::One(one) => one.retry_now(),
            Way::Routed(router) => router.servers.retry_now(),
        }
    }

    /// Reads the map for ever: at intervals, and soon after it was doubted.
    async fn follow(&self, router: &Router) {
        let (mut reader, mut backoff) = (MapReader::default(), Backoff::default());
        let mut is_failing = false;
        loop {
            let began = Instant::now();
            let spread = REDIS_MAP_INTERVAL_MAX - REDIS_MAP_INTERVAL_MIN;
            let pause = match reader.read(&router.servers).await {
                Ok(map) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("the masters of Redis are known again");
                    }
                    backoff.reset();
                    self.topology.set_problem(String::new());
                    let masters = map.servers().len();
                    let change = self.topology.learn(map);
                    match change {
                        Change::Masters { .. } => {
                            tracing::info!(masters, "Redis's masters changed")
                        }
                        Change::Slots => tracing::debug!(masters, "hash slots have moved"),
                        Change::None => {}
                    }
                    router.changed(change);
                    REDIS_MAP_INTERVAL_MIN + spread.mul_f64(fastrand::f64())
                }
                Err(error) => {
                    self.topology.set_problem(error.to_string());
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "no server names the masters of Redis");
                    }
                    backoff.next_wait()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.topology.doubted() => sleep_until(began + REDIS_MAP_PAUSE).await,
            }
        }
    }
}
