//! The servers: one Redis and one record, two hosts of functions, two hubs, each of either version.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{Functions, Hub, Postgres, RedisServer, paths};

/// A drain spreads its sockets over some seconds; the machine may be slow.
const END_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Previous,
    Present,
}

/// A process that is exchanged.
#[derive(Clone, Copy)]
pub enum Part {
    Functions(usize),
    Hub(usize),
}

pub struct Scene {
    previous: PathBuf,
    functions: Vec<Functions>,
    hubs: Vec<Hub>,
    // Dropped after those that use them.
    _postgres: Option<Postgres>,
    _redis: RedisServer,
}

impl Scene {
    /// Everything of the previous version. `record` is `sqlite` or `postgres`.
    pub async fn set_up(previous: &Path, record: &str) -> Self {
        let redis = RedisServer::start().await;
        let postgres = match record {
            "postgres" => Some(Postgres::start().await),
            _ => None,
        };
        let mut functions: Vec<Functions> = Vec::new();
        for _ in 0..2 {
            let (host, manifest) = host_of(previous, Version::Previous);
            let mut setup = Functions::with(&redis).program(host).manifest(manifest);
            if let Some(postgres) = &postgres {
                setup = setup.variable("record", "postgres");
                setup = setup.variable("postgres_url", postgres.url());
                setup = setup.variable("postgres_host", postgres.address());
            }
            if let Some(first) = functions.first() {
                setup = setup.record(&first.record);
            }
            functions.push(setup.start().await);
        }
        let mut hubs = Vec::new();
        for host in &functions {
            let hub = Hub::with(&redis.url()).relay(&host.url());
            // Short: a step waits for it.
            let hub = hub.arguments(&["--drain-spread-ms=1000"]);
            let hub = hub.program(hub_of(previous, Version::Previous)).start().await;
            hub.ready().await;
            hubs.push(hub);
        }
        let previous = previous.to_owned();
        Self { previous, functions, hubs, _postgres: postgres, _redis: redis }
    }

    /// Stops a process as an operator does, and starts the other version in its place.
    pub async fn exchange(&mut self, part: Part, version: Version) {
        match part {
            Part::Functions(index) => {
                let (host, manifest) = host_of(&self.previous, version);
                if let Some(functions) = self.functions.get_mut(index) {
                    functions.exchange(host, manifest, END_LIMIT).await;
                }
            }
            Part::Hub(index) => {
                let program = hub_of(&self.previous, version);
                if let Some(hub) = self.hubs.get_mut(index) {
                    hub.exchange(program, END_LIMIT).await;
                    hub.ready().await;
                }
            }
        }
    }

    /// `host:port` of each host of functions.
    pub fn functions(&self) -> Vec<String> {
        self.functions.iter().map(Functions::address).collect()
    }

    pub fn hubs(&self) -> Vec<SocketAddr> {
        self.hubs.iter().map(|hub| hub.address).collect()
    }
}

/// Program and manifest of a host.
fn host_of(previous: &Path, version: Version) -> (PathBuf, PathBuf) {
    match version {
        Version::Previous => {
            (previous.join("target/release/bellwire-host"), previous.join("spin.toml"))
        }
        Version::Present => (paths::program("bellwire-host"), paths::manifest()),
    }
}

fn hub_of(previous: &Path, version: Version) -> PathBuf {
    match version {
        Version::Previous => previous.join("target/release/bellwire-hub"),
        Version::Present => paths::program("bellwire-hub"),
    }
}
