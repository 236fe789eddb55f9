//! A viewer of the console.

use std::net::SocketAddr;

use ::support::Events;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Answer, Hub, KEY, SOON, now_s, request, sign};

/// A token that may read the console, until `exp`.
pub fn ops_until(exp: f64) -> String {
    sign(KEY, &json!({"sub": "ops", "exp": exp, "scope": "queues:read ops:read"}))
}

pub fn ops() -> String {
    ops_until(now_s() + 3600.0)
}

pub fn console(hub: &Hub) -> SocketAddr {
    hub.console_address.unwrap()
}

/// `headers` each with its line break.
pub async fn get(hub: &Hub, path: &str, headers: &str) -> Answer {
    request(console(hub), &format!("GET {path} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n")).await
}

/// The JSON that the console answers.
pub async fn read(hub: &Hub, path: &str) -> Value {
    let answer = get(hub, path, &format!("Authorization: Bearer {}\r\n", ops())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    serde_json::from_str(&answer.body).unwrap()
}

/// An open stream, and every snapshot that it brought.
pub struct Viewer {
    events: Events,
    pub hub: Value,
    pub seen: Vec<Value>,
}

impl Viewer {
    pub async fn connect(hub: &Hub) -> Self {
        Self::with_token(hub, &ops()).await
    }

    pub async fn with_token(hub: &Hub, token: &str) -> Self {
        let mut events = Self::open(console(hub), token).await;
        let hub = serde_json::from_str(&events.data("hub").await).unwrap();
        Self { events, hub, seen: Vec::new() }
    }

    /// The stream or refusal as it is. HTTP/1.0, so that the body is not in chunks.
    pub async fn open(address: SocketAddr, token: &str) -> Events {
        let connection = TcpStream::connect(address).await.unwrap();
        let text = format!("GET /console/live HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n");
        Events::request(connection, &text).await.unwrap().patience(SOON)
    }

    /// Reads one event of snapshots; the reason of the end, if it is that.
    pub async fn next(&mut self) -> Option<String> {
        let block = self.events.next().await.expect("an event");
        let data: Value = serde_json::from_str(&block.data).unwrap();
        match block.event.as_deref() {
            Some("history") => self.seen.extend(data["snapshots"].as_array().unwrap().clone()),
            Some("snapshot") => self.seen.push(data),
            Some("end") => return Some(data["reason"].as_str().unwrap().to_owned()),
            other => panic!("{other:?}"),
        }
        None
    }

    /// Reads until the condition is true.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let reading = async {
            while !condition(self) {
                assert_eq!(self.next().await, None, "{what}");
            }
        };
        tokio::time::timeout(SOON, reading).await.unwrap_or_else(|_| panic!("{what}"));
    }

    /// Reads to the end; the reason.
    pub async fn end(&mut self) -> String {
        loop {
            if let Some(reason) = self.next().await {
                assert_eq!(self.events.next().await, None, "nothing follows");
                return reason;
            }
        }
    }

    /// The sum of a count over all snapshots, such as `/closes/4408`; 0 where it is left out.
    pub fn sum(&self, pointer: &str) -> u64 {
        let counts = self.seen.iter().filter_map(|snapshot| snapshot.pointer(pointer));
        counts.map(|count| count.as_u64().unwrap()).sum()
    }

    pub fn last(&self, pointer: &str) -> Option<&Value> {
        self.seen.last()?.pointer(pointer)
    }
}
