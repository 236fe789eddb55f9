//! A redis-server of the test's own, and what services do with it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;
use shared::notification::{Draft, Notification};
use shared::{UserId, keys};
use tempfile::TempDir;

use super::{now_s, until};

pub struct RedisServer {
    port: u16,
    /// Where a dump lies between two lives.
    directory: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    pub async fn start() -> Self {
        let mut server = Self::prepare();
        server.run().await;
        server
    }

    /// A place for a server that does not run yet.
    pub fn prepare() -> Self {
        Self { port: free_port(), directory: tempfile::tempdir().unwrap(), child: None }
    }

    /// Starts it, with what the last life has saved.
    pub async fn run(&mut self) {
        let child = self.spawn();
        self.child = Some(child);
        until("Redis answers", async || {
            // Somebody may have taken the port since it was found to be free.
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.port = free_port();
                self.child = Some(self.spawn());
            }
            self.try_connection().await.is_ok()
        })
        .await;
    }

    fn spawn(&self) -> Child {
        Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed")
    }

    /// As kill -9 does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        crate::process::binary::signal(pid, signal);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn try_connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").exec_async(&mut connection).await?;
        Ok(connection)
    }

    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.unwrap()
    }

    pub async fn command(&self, words: &[&str]) {
        let (name, arguments) = words.split_first().unwrap();
        let mut command = redis::cmd(name);
        command.arg(arguments).exec_async(&mut self.connection().await).await.unwrap();
    }

    /// Whether a user has a feed.
    pub async fn exists(&self, user: &str) -> bool {
        let user = UserId::parse(user).unwrap();
        let mut exists = redis::cmd("EXISTS");
        exists.arg(keys::feed_companion(&user));
        exists.query_async(&mut self.connection().await).await.unwrap()
    }

    /// Publishes as another service does.
    pub async fn publish(&self, message: &str) {
        self.command(&["PUBLISH", "notifications", message]).await;
    }

    /// Brings a feed that Redis has lost back, as the functions do from the record.
    pub async fn load(
        &self,
        user: &str,
        epoch: &str,
        notifications: &[String],
        publish_after: i64,
    ) {
        let head = i64::try_from(notifications.len()).unwrap();
        let id = UserId::parse(user).unwrap();
        redis::pipe()
            .atomic()
            .del(keys::feed(&id))
            .lpush(keys::feed(&id), notifications)
            .cmd("HSET")
            .arg(keys::feed_companion(&id))
            .arg(&["epoch", epoch, "head", &head.to_string(), "n", &head.to_string()])
            .exec_async(&mut self.connection().await)
            .await
            .unwrap();
        for (seq, notification) in (1..).zip(notifications).filter(|(seq, _)| *seq > publish_after)
        {
            self.publish_at(notification, epoch, seq).await;
        }
    }

    /// Publishes one of ours without touching the feed.
    pub async fn publish_ours(&self, user: &str, epoch: &str, seq: i64) -> String {
        let notification = ours(user, seq);
        self.publish_at(&notification, epoch, seq).await;
        notification
    }

    async fn publish_at(&self, notification: &str, epoch: &str, seq: i64) {
        let bw = format!(r#"{{"epoch":"{epoch}","seq":{seq}}}"#);
        self.publish(&format!(r#"{{"notification":{notification},"bw":{bw}}}"#)).await;
    }

    /// Puts one of ours into the feed without publishing it: what a hub hears of it is lost.
    pub async fn push(&self, user: &str, epoch: &str, seq: i64) -> String {
        let notification = ours(user, seq);
        let user = UserId::parse(user).unwrap();
        redis::pipe()
            .atomic()
            .cmd("LPUSH")
            .arg(keys::feed(&user))
            .arg(&notification)
            .cmd("HSET")
            .arg(keys::feed_companion(&user))
            .arg(&["epoch", epoch, "head", &seq.to_string()])
            .exec_async(&mut self.connection().await)
            .await
            .unwrap();
        notification
    }

    /// Both, as the functions do.
    pub async fn create(&self, user: &str, epoch: &str, seq: i64) -> String {
        let notification = self.push(user, epoch, seq).await;
        self.publish_at(&notification, epoch, seq).await;
        notification
    }
}

/// Below the ports that connections get: thousands of sockets of other tests come and go, and one of
/// them would take it before the server does.
fn free_port() -> u16 {
    std::iter::repeat_with(|| fastrand::u16(10_000..32_000))
        .take(100)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("a free port")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As the one serialiser writes it, created now.
pub fn ours(user: &str, seq: i64) -> String {
    let created_at_ms = (now_s() * 1000.0) as i64;
    let hex = format!("{created_at_ms:012x}");
    let notification = Notification {
        id: format!("{}-{}-7000-8000-{seq:012x}", &hex[..8], &hex[8..]),
        seq,
        draft: Draft {
            user_id: UserId::parse(user).unwrap(),
            title: "Title".to_owned(),
            body: None,
            kind: None,
            data: Some(r#"{"empty":[ ],"large":12345678901234567890}"#.to_owned()),
            expires_at_ms: None,
        },
        created_at_ms,
    };
    notification.to_json()
}
