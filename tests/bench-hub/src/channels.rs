//! Many users' own channels: how long it takes to subscribe them again after connections were lost, and
//! for how long Redis serves nobody else meanwhile.
//!
//! A process has at most 20,000 files, so each hub has a process of its own with the clients.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use support::process::{Process, Signal};
use support::table::{Cell, Table};
use support::{RedisServer, cpu};

use crate::cli::Kind;
use crate::crowd::Crowd;
use crate::gateway::{Gateway, Programs, handshake};

/// Users of each hub: with the hub's own files fewer than the usual limit of 20,000.
const USERS_PER_HUB: usize = 17_000;
const OPEN_LIMIT: Duration = Duration::from_secs(180);
/// Time to subscribe all channels again.
const AGAIN_LIMIT: Duration = Duration::from_secs(60);
/// A hub ends within its deadline of 10 s.
const END_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);
/// Rest between two measurements, and the length of the one without an event.
const REST: Duration = Duration::from_secs(3);
/// What a process with clients prints once all of them are connected.
const OPEN: &str = "open";

/// The clients of one hub: its address, the first user's number, and how many follow.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    hub: SocketAddr,
    first: usize,
    count: usize,
}

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be address,first,count";
        let [hub, first, count] = text.split(',').collect::<Vec<_>>()[..] else { return Err(FORM) };
        let number = |text: &str| text.parse().map_err(|_| FORM);
        let hub = hub.parse().map_err(|_| FORM)?;
        Ok(Self { hub, first: number(first)?, count: number(count)? })
    }
}

/// Runs the clients of one hub until this process is killed.
pub async fn clients(part: Part) -> Result<()> {
    let users = (part.first..part.first + part.count).map(|at| format!("here-{at:06}"));
    let requests = users.map(|user| handshake(Kind::HubOwn, part.hub, &user)).collect();
    let mut crowd = Crowd::start(part.hub, requests, Instant::now())?;
    crowd.opened(part.count, OPEN_LIMIT).await?;
    writeln!(std::io::stdout(), "{OPEN}")?;
    loop {
        tokio::time::sleep(REST).await;
        crowd.check()?;
    }
}

/// Sends PING without a pause, from a thread of its own, and notes the slowest answer.
struct Pinger {
    slowest_us: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pinger {
    fn start(redis: &RedisServer) -> Result<Self> {
        let mut stream = TcpStream::connect(redis.address())?;
        stream.set_nodelay(true)?;
        let (slowest_us, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (slowest, stopped) = (slowest_us.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let mut answer = [0; b"+PONG\r\n".len()];
                let answered =
                    stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer));
                if answered.is_err() {
                    return;
                }
                let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
                slowest.fetch_max(took, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Ok(Self { slowest_us, stop, thread: Some(thread) })
    }

    /// The slowest answer since the last call, in milliseconds.
    fn take_slowest_ms(&self) -> f64 {
        self.slowest_us.swap(0, Ordering::Relaxed) as f64 / 1000.0
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Redis, and hubs with their clients.
struct Stage {
    redis: RedisServer,
    hubs: Vec<Gateway>,
    /// Of each hub: the last one has fewer.
    users: Vec<usize>,
    crowds: Vec<Process>,
    pinger: Pinger,
    table: Table,
}

/// The table of all events.
pub async fn measure(programs: &Programs, users: usize) -> Result<Table> {
    let mut stage = Stage::set(programs, users).await?;
    let all = stage.channels().await?;
    stage
        .event("nothing", 0, async |_| {
            tokio::time::sleep(REST).await;
            Ok(())
        })
        .await?;
    let one = all / stage.hubs.len();
    let subscribed_again = async |stage: &mut Stage, kill: &str| {
        let killed: redis::Value = stage.redis.run(kill).await;
        drop(killed);
        stage.until(all).await
    };
    let id = stage.one_subscriber().await?;
    let kill = format!("CLIENT KILL ID {id}");
    stage
        .event("one hub's connection is lost", one, async |stage| {
            subscribed_again(stage, &kill).await
        })
        .await?;
    stage
        .event("all connections are lost", all, async |stage| {
            subscribed_again(stage, "CLIENT KILL TYPE pubsub").await
        })
        .await?;
    for (name, signal) in
        [("a hub is ended (SIGTERM)", Signal::TERM), ("a hub is killed", Signal::KILL)]
    {
        let users = stage.users.pop().context("a hub")?;
        let left = stage.channels().await? - users;
        stage
            .event(name, users, async |stage| {
                let mut hub = stage.hubs.pop().context("a hub")?;
                hub.signal(signal);
                hub.ended(END_LIMIT).await;
                stage.until_at_most(left).await
            })
            .await?;
    }
    Ok(stage.table)
}

impl Stage {
    async fn set(programs: &Programs, users: usize) -> Result<Self> {
        let redis = RedisServer::start().await;
        let (mut hubs, mut counts, mut crowds) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..users).step_by(USERS_PER_HUB) {
            let hub = Gateway::start(programs, Kind::HubOwn, &redis).await?;
            let count = USERS_PER_HUB.min(users - first);
            let part = format!("--clients={},{first},{count}", hub.address);
            let mut command = Command::new(std::env::current_exe()?);
            let mut crowd = Process::start("clients", command.arg(part));
            crowd.line(OPEN, OPEN_LIMIT).await;
            eprintln!("{} sockets are open", first + count);
            hubs.push(hub);
            counts.push(count);
            crowds.push(crowd);
        }
        let pinger = Pinger::start(&redis)?;
        let title = format!("{users} users' own channels on {} hubs", hubs.len());
        let columns = &["what happens", "channels", "time ms", "Redis CPU ms", "slowest PING ms"];
        let mut table = Table::new(title, columns);
        table.note(
            "Time until the channels are subscribed again, or the hub and its channels are gone. A \
             client sends PING every millisecond.",
        );
        Ok(Self { redis, hubs, users: counts, crowds, pinger, table })
    }

    async fn event(
        &mut self,
        name: &str,
        channels: usize,
        run: impl AsyncFnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        tokio::time::sleep(REST).await;
        for crowd in &mut self.crowds {
            ensure!(crowd.exit_status().is_none(), "clients have ended: {}", crowd.output());
        }
        self.pinger.take_slowest_ms();
        let (cpu, begun) = (self.redis_cpu(), Instant::now());
        run(self).await?;
        let took = begun.elapsed();
        let cpu = self.redis_cpu().saturating_sub(cpu);
        self.table.rows.push(vec![
            Cell::text(name),
            Cell::Number(channels as f64, 0),
            Cell::Number(took.as_secs_f64() * 1e3, 0),
            Cell::Number(cpu.as_secs_f64() * 1e3, 0),
            Cell::Number(self.pinger.take_slowest_ms(), 1),
        ]);
        eprintln!("{name}: done");
        Ok(())
    }

    fn redis_cpu(&self) -> Duration {
        cpu::of_processes([self.redis.pid()])[0]
    }

    /// The number of shard channels with a subscriber, among them one for probes.
    async fn channels(&self) -> Result<usize> {
        let stats: String = self.redis.run("INFO stats").await;
        let line = stats.lines().find_map(|line| line.strip_prefix("pubsubshard_channels:"));
        Ok(line.context("a Redis that counts shard channels")?.trim().parse()?)
    }

    /// The id of one hub's connection with its channels.
    async fn one_subscriber(&self) -> Result<String> {
        let clients: String = self.redis.run("CLIENT LIST TYPE pubsub").await;
        let has_many = |line: &&str| {
            let count = line.split(' ').find_map(|word| word.strip_prefix("ssub="));
            count.and_then(|count| count.parse().ok()).is_some_and(|count: usize| count > 1)
        };
        let line = clients.lines().find(has_many).context("a connection with channels")?;
        let id = line.split(' ').find_map(|word| word.strip_prefix("id="));
        Ok(id.context("its id")?.to_owned())
    }

    async fn until(&self, count: usize) -> Result<()> {
        self.wait(|channels| channels == count).await
    }

    async fn until_at_most(&self, count: usize) -> Result<()> {
        self.wait(|channels| channels <= count).await
    }

    async fn wait(&self, is_enough: impl Fn(usize) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !is_enough(self.channels().await?) {
            ensure!(begun.elapsed() < AGAIN_LIMIT, "not within {AGAIN_LIMIT:?}");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
