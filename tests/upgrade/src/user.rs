//! A user: a client of the hubs that resumes with its cursor and checks what it gets, and the feed at the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use support::{Socket, token};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::counts::{Counts, add};
use crate::load::Api;

/// Before a client connects again; real ones wait longer.
const BACKOFF_MS: std::ops::Range<u64> = 50..300;
/// A handshake waits for Redis for up to 3 s.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// How often a client looks whether the run is over.
const LOOK: Duration = Duration::from_millis(200);
/// As many as one page holds.
const PAGE: usize = 100;

pub struct User {
    pub name: String,
    ids: Mutex<BTreeSet<String>>,
    /// The newest `seq` received; 0 before the first welcome.
    have: AtomicI64,
    epoch: Mutex<String>,
    /// The newest read mark.
    mark: AtomicI64,
}

impl User {
    pub fn new(number: usize) -> Self {
        Self {
            name: format!("user{number}"),
            ids: Mutex::default(),
            have: AtomicI64::new(0),
            epoch: Mutex::default(),
            mark: AtomicI64::new(0),
        }
    }

    /// Notes a notification that was answered 201.
    pub fn created(&self, id: &str) {
        self.ids.lock().insert(id.to_owned());
    }

    pub fn marked(&self, seq: i64) {
        self.mark.fetch_max(seq, Ordering::Relaxed);
    }

    /// Whether the client has received as many as were created: seqs have no holes.
    pub fn has_all(&self) -> bool {
        usize::try_from(self.have.load(Ordering::Relaxed)) == Ok(self.ids.lock().len())
    }

    /// Listens at any hub, and resumes at any hub, until it is told to stop.
    pub async fn listen(
        self: Arc<Self>,
        hubs: Vec<SocketAddr>,
        counts: Arc<Counts>,
        stop: Arc<AtomicBool>,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let Some(&hub) = hubs.get(fastrand::usize(..hubs.len())) else { return };
            match timeout(OPEN_DEADLINE, self.open(hub)).await {
                Ok(Some(socket)) => self.follow(socket, &counts, &stop).await,
                Ok(None) => counts.again("a refused handshake"),
                Err(_) => counts.defect(format!("{}: a handshake takes too long", self.name)),
            }
            sleep(Duration::from_millis(fastrand::u64(BACKOFF_MS))).await;
        }
    }

    async fn open(&self, hub: SocketAddr) -> Option<Socket> {
        let have = self.have.load(Ordering::Relaxed);
        let query = match have {
            0 => String::new(),
            have => format!("?since=seq:{have}&epoch={}", self.epoch.lock()),
        };
        let connection = TcpStream::connect(hub).await.ok()?;
        let own = token(&self.name, "");
        Socket::connect_over(connection, &query, &own, Some("bellwire.v1")).await.ok()
    }

    async fn follow(&self, mut socket: Socket, counts: &Counts, stop: &AtomicBool) {
        if self.have.load(Ordering::Relaxed) > 0 {
            add(&counts.resumed);
        }
        while !stop.load(Ordering::Relaxed) {
            match timeout(LOOK, socket.stream.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => self.receive(&text, counts),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return,
                Ok(Some(Ok(_))) | Err(_) => {}
            }
        }
    }

    fn receive(&self, text: &str, counts: &Counts) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let have = self.have.load(Ordering::Relaxed);
        match frame["type"].as_str() {
            // The first position; after that, a welcome tells where the replay ends.
            Some("welcome") if have == 0 => {
                self.have.store(frame["seq"].as_i64().unwrap_or(0), Ordering::Relaxed);
                frame["epoch"].as_str().unwrap_or_default().clone_into(&mut self.epoch.lock());
            }
            Some("notification") => {
                let seq = frame["notification"]["seq"].as_i64().unwrap_or(0);
                if seq != have + 1 {
                    counts.defect(format!("{}: {seq} follows {have}", self.name));
                }
                add(&counts.delivered);
                self.have.fetch_max(seq, Ordering::Relaxed);
            }
            Some("welcome" | "read" | "reconnect") => {}
            _ => counts.defect(format!("{} at {have}: {text}", self.name)),
        }
    }

    /// The feed over HTTP has what was created, each once, and the unread number is true.
    pub async fn check(&self, api: &Api) {
        let target = format!("/users/{}/notifications?limit={PAGE}", self.name);
        let Some(feed) = api.call("GET", &target, &token(&self.name, ""), &Value::Null).await
        else {
            return;
        };
        let ids = self.ids.lock();
        let head = feed["notifications"][0]["seq"].as_i64().unwrap_or(0);
        let entries = feed["notifications"].as_array().map(Vec::as_slice).unwrap_or_default();
        if usize::try_from(head) != Ok(ids.len()) {
            api.counts.defect(format!(
                "{}: {} created, the newest is {head}",
                self.name,
                ids.len()
            ));
        }
        if self.have.load(Ordering::Relaxed) != head {
            api.counts.defect(format!("{}: has {:?} of {head}", self.name, self.have));
        }
        if entries.len() != ids.len().min(PAGE) {
            api.counts.defect(format!(
                "{}: {} of {} in the feed",
                self.name,
                entries.len(),
                ids.len()
            ));
        }
        for entry in entries {
            if !entry["id"].as_str().is_some_and(|id| ids.contains(id)) {
                api.counts.defect(format!("{}: nobody created {entry}", self.name));
            }
        }
        // The number counts within the newest 100.
        let unread = (head - self.mark.load(Ordering::Relaxed)).min(100);
        if feed["unread"].as_i64() != Some(unread) {
            let told = &feed["unread"];
            api.counts.defect(format!("{}: unread is {told}, not {unread}", self.name));
        }
    }
}
