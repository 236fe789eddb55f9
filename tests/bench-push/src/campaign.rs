//! Campaigns through the worker `bellwire-push`: users in Redis, the functions on Postgres, the
//! benchmark's push service. Measures what a push costs every process that takes part.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use support::process::{Process, Signal};
use support::{
    Functions, Http, Postgres, RedisServer, cpu, eventually_within, memory, paths, ports, token,
};
use tempfile::TempDir;

use crate::cli::Args;
use crate::measure::Server;

const CAMPAIGN: &str = "bench";
/// Users of one call, the most that it takes.
const USERS_PER_CALL: usize = 5_000;
/// Users per second, the most that a campaign may have.
const RATE: u32 = 10_000;
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Time in which a campaign must end on a busy machine.
const CAMPAIGN_LIMIT: Duration = Duration::from_secs(900);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Postgres writes a commit to the disk before it answers, as in production.
const DURABLE: &str = "fsync=on";

/// A kind of campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub delay_ms: u64,
    pub feed: bool,
}

/// One campaign. CPU times are microseconds per user.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub users: f64,
    pub seconds: f64,
    /// The most that its progress said.
    pub per_s_most: f64,
    pub worker_us: f64,
    pub redis_us: f64,
    pub functions_us: f64,
    pub record_us: f64,
    pub server_us: f64,
    /// Addresses that the service got a push for, and those it got more than one for.
    pub pushed: f64,
    pub repeated: f64,
    pub connections: f64,
    pub responses: f64,
    /// Feed entries in the record.
    pub entries: f64,
    /// The most of the worker, and that of Redis before the start.
    pub worker_mib: f64,
    pub redis_mib: f64,
}

/// The worker's program; `None`, with a message, if it is not built.
pub fn worker() -> Option<PathBuf> {
    let program = paths::workspace().join("target/release/bellwire-push");
    if program.is_file() {
        return Some(program);
    }
    eprintln!("without campaigns: {} is missing", program.display());
    None
}

struct Stage {
    redis: RedisServer,
    postgres: Postgres,
    functions: Functions,
    _dir: TempDir,
    worker: Process,
}

impl Stage {
    async fn start(worker: &Path, server: &Server) -> Result<Self> {
        let (redis, postgres) =
            (RedisServer::start().await, Postgres::start_with(&[DURABLE]).await);
        postgres.run("CREATE DATABASE functions");
        let functions = Functions::with(&redis)
            .variable("record", "postgres")
            .variable("postgres_url", postgres.url_of("functions"))
            .variable("postgres_host", postgres.address())
            .start()
            .await;
        let migrating = functions.plain();
        let migrating = migrating.post("/admin/migrate", "").token(&token("operator", "ops:write"));
        migrating.send().await.expect(200);
        let dir = tempfile::tempdir()?;
        let token_file = dir.path().join("token");
        std::fs::write(&token_file, token("a worker", "push:send notifications:write"))?;
        let metrics = ports::free();
        let mut command = Command::new(worker);
        command.arg("--functions-url").arg(functions.url());
        command.arg("--functions-token-file").arg(&token_file);
        command.arg("--redis-url").arg(redis.url());
        command.arg("--fcm-service-account").arg(&server.setup.service_account);
        command.arg("--fcm-origin").arg(&server.setup.origin);
        command.arg("--metrics-listen").arg(format!("127.0.0.1:{metrics}"));
        // Another origin than Google's, and a ramp of a second.
        command.arg("--development");
        command.env("SSL_CERT_FILE", &server.setup.certificate);
        let process = Process::start("bellwire-push", &mut command);
        let http = Http::plain(&format!("127.0.0.1:{metrics}"));
        eventually_within(START_LIMIT, "the worker is ready", async || {
            let answer = http.get("/readyz").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        Ok(Self { redis, postgres, functions, _dir: dir, worker: process })
    }

    /// A call with a service's token; fails unless it is answered `status`.
    async fn call(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let token = token("a service", "campaigns:write push:write");
        let http = self.functions.plain();
        let call = http.call(method, &format!("/campaigns/{CAMPAIGN}{path}")).token(&token);
        let call = if body.is_null() { call } else { call.body(body.to_string()) };
        let answer = call.send().await.expect(status);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    async fn add_users(&self, server: &Server, users: usize) {
        let numbers: Vec<usize> = (0..users).collect();
        for (at, chunk) in numbers.chunks(USERS_PER_CALL).enumerate() {
            let of = |number: &usize| {
                let fcm_token = server.setup.token(*number);
                json!({"userId": format!("u{number}"), "fcmToken": fcm_token})
            };
            let method = if at == 0 { "PUT" } else { "POST" };
            let body = json!({"users": chunk.iter().map(of).collect::<Vec<_>>()});
            self.call(method, "/users", &body, 200).await;
        }
    }

    fn pids(&self, server: &Server) -> [u32; 5] {
        let (redis, record) = (self.redis.pid(), self.postgres.pid());
        [self.worker.pid(), redis, self.functions.pid(), record, server.pid()]
    }
}

/// All kinds of campaigns in turns.
pub async fn all(args: &Args, worker: &Path) -> Result<Vec<(Plan, Vec<Outcome>)>> {
    let mut server = Server::start().await?;
    let plans = args
        .delay_ms
        .iter()
        .flat_map(|&delay_ms| [false, true].map(|feed| (Plan { delay_ms, feed }, Vec::new())));
    let mut all: Vec<_> = plans.collect();
    for _ in 0..args.campaign_rounds {
        for (plan, outcomes) in &mut all {
            let outcome = once(args, worker, &mut server, *plan).await;
            let outcome = outcome.with_context(|| format!("{plan:?}"))?;
            eprintln!("{plan:?}: {outcome:?}");
            outcomes.push(outcome);
        }
    }
    Ok(all)
}

/// Sends one campaign with everything newly started.
async fn once(args: &Args, worker: &Path, server: &mut Server, plan: Plan) -> Result<Outcome> {
    server.delay(plan.delay_ms).await?;
    let mut stage = Stage::start(worker, server).await?;
    let outcome = measure(args, &stage, server, plan).await;
    let outcome = outcome.with_context(|| stage.worker.output())?;
    stage.worker.signal(Signal::TERM);
    stage.worker.ended(STOP_LIMIT).await;
    Ok(outcome)
}

async fn measure(args: &Args, stage: &Stage, server: &mut Server, plan: Plan) -> Result<Outcome> {
    let users = args.campaign_users;
    stage.add_users(server, users).await;
    let pids = stage.pids(server);
    let redis_mib = mib(stage.redis.pid())?;
    server.counts().await?;
    let content = &server.setup.message;
    let template = json!({
        "title": content.title, "body": content.body,
        "data": serde_json::from_str::<Value>(&content.data)?,
    });
    let options =
        json!({"template": template, "rate": RATE, "responses": "all", "feed": plan.feed});
    let (before, begun) = (cpu::of_processes(pids), Instant::now());
    stage.call("PUT", "/push", &options, 202).await;
    let (progress, per_s_most, worker_mib) = until_done(stage, begun).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = cpu::of_processes(pids);
    let counts = server.counts().await?;
    let campaign = stage.call("GET", "", &Value::Null, 200).await;
    let number = |value: &Value, name: &str| {
        value[name].as_f64().with_context(|| format!("{name} in {value}"))
    };
    ensure!(number(&progress, "sent")? == users as f64, "not all were sent: {progress}");
    let us = |at: usize| (after[at].saturating_sub(before[at])).as_secs_f64() * 1e6 / users as f64;
    Ok(Outcome {
        users: users as f64,
        seconds,
        per_s_most,
        worker_us: us(0),
        redis_us: us(1),
        functions_us: us(2),
        record_us: us(3),
        server_us: us(4),
        pushed: number(&counts, "addresses")?,
        repeated: number(&counts, "addressesRepeated")?,
        connections: number(&counts, "openMost")?,
        responses: number(&campaign, "responses")?,
        entries: entries(&stage.postgres)?,
        worker_mib,
        redis_mib,
    })
}

/// The last progress, the highest speed that one told, and the most memory of the worker in MiB.
async fn until_done(stage: &Stage, begun: Instant) -> Result<(Value, f64, f64)> {
    let (mut per_s_most, mut worker_mib) = (0.0_f64, 0.0_f64);
    loop {
        let progress = stage.call("GET", "/push", &Value::Null, 200).await;
        per_s_most = per_s_most.max(progress["perSecond"].as_f64().unwrap_or(0.0));
        worker_mib = worker_mib.max(mib(stage.worker.pid())?);
        match progress["state"].as_str() {
            Some("done") => return Ok((progress, per_s_most, worker_mib)),
            Some("running" | "scheduled") if begun.elapsed() < CAMPAIGN_LIMIT => {}
            _ => bail!("the campaign does not end: {progress}"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn mib(pid: u32) -> Result<f64> {
    Ok(memory::pss(pid)? as f64 / 1024.0 / 1024.0)
}

/// Notifications in the functions' record.
fn entries(postgres: &Postgres) -> Result<f64> {
    let counted = postgres.run_in("functions", "SELECT count(*) FROM bellwire.notifications");
    counted.parse().with_context(|| counted.clone())
}
