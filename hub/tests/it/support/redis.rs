//! The harness's redis-server, and the writes of services.

use std::ops::Deref;

use ::support::redis_server::Options;
use shared::live::Live;
use shared::notification::{Draft, Notification, Quiet};
use shared::wire::Message;
use shared::{UserId, keys};

use super::now_s;

/// The test's own redis-server.
pub struct RedisServer {
    server: ::support::RedisServer,
    /// The channels on which it publishes.
    pub live: Live,
}

/// These tests write feeds and other keys as services do, without an expiry.
fn options() -> Options {
    Options { may_leave_keys: true, ..Options::default() }
}

impl RedisServer {
    pub async fn start() -> Self {
        let server = ::support::RedisServer::start_with(options()).await;
        Self { server, live: Live::All }
    }

    /// Prepares a server that is not running yet: `restart` starts it.
    pub fn prepare() -> Self {
        Self { server: ::support::RedisServer::prepare(options()), live: Live::All }
    }

    /// Whether a user has a feed.
    pub async fn exists(&self, user: &str) -> bool {
        let user = UserId::parse(user).unwrap();
        let mut exists = redis::cmd("EXISTS");
        exists.arg(keys::feed_companion(&user));
        exists.query_async(&mut self.connection().await).await.unwrap()
    }

    /// Publishes as another service does; on own channels as its bridge does. What names no user is
    /// for alice.
    pub async fn publish(&self, message: &str) {
        if self.live == Live::All {
            return self.publish_to_all(message).await;
        }
        let user = Message::parse(message.as_bytes()).map(|message| message.user_id.into_owned());
        self.command(&["SPUBLISH", &live(user.as_deref().unwrap_or("alice")), message]).await;
    }

    /// Publishes as another service does.
    pub async fn publish_to_all(&self, message: &str) {
        self.command(&["PUBLISH", keys::NOTIFICATIONS_CHANNEL, message]).await;
    }

    /// Publishes an event, or something else where events are published.
    pub async fn event(&self, user: &str, event: &str) {
        let (command, channel) = match self.live {
            Live::All => ("PUBLISH", keys::EVENTS_CHANNEL.to_owned()),
            _ => ("SPUBLISH", live(user)),
        };
        self.command(&[command, &channel, event]).await;
    }

    /// Restores a feed that Redis has lost, as the functions do from the record.
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

    /// Publishes an own notification without touching the feed.
    pub async fn publish_ours(&self, user: &str, epoch: &str, seq: i64) -> String {
        let notification = ours(user, seq);
        self.publish_at(&notification, epoch, seq).await;
        notification
    }

    async fn publish_at(&self, notification: &str, epoch: &str, seq: i64) {
        let bw = format!(r#"{{"epoch":"{epoch}","seq":{seq}}}"#);
        self.publish(&format!(r#"{{"notification":{notification},"bw":{bw}}}"#)).await;
    }

    /// Adds an own notification to the feed without publishing it, like a lost message.
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

    /// Appends and publishes, as the functions do.
    pub async fn create(&self, user: &str, epoch: &str, seq: i64) -> String {
        let notification = self.push(user, epoch, seq).await;
        self.publish_at(&notification, epoch, seq).await;
        notification
    }
}

impl Deref for RedisServer {
    type Target = ::support::RedisServer;

    fn deref(&self) -> &::support::RedisServer {
        &self.server
    }
}

/// The user's own channel.
fn live(user: &str) -> String {
    keys::live_channel(&UserId::parse(user).unwrap())
}

/// An own notification as the serialiser writes it, created now.
pub fn ours(user: &str, seq: i64) -> String {
    ours_until(user, seq, None)
}

/// A muted one.
pub fn ours_muted(user: &str, seq: i64) -> String {
    quiet(user, seq, Quiet::Muted)
}

/// One that is not delivered live.
pub fn quiet(user: &str, seq: i64, why: Quiet) -> String {
    Notification { quiet: Some(why), ..notification(user, seq, None) }.to_json()
}

/// The same with an expiry time.
pub fn ours_until(user: &str, seq: i64, expires_at_ms: Option<i64>) -> String {
    notification(user, seq, expires_at_ms).to_json()
}

fn notification(user: &str, seq: i64, expires_at_ms: Option<i64>) -> Notification {
    let created_at_ms = (now_s() * 1000.0) as i64;
    let hex = format!("{created_at_ms:012x}");
    Notification {
        id: format!("{}-{}-7000-8000-{seq:012x}", &hex[..8], &hex[8..]),
        seq,
        draft: Draft {
            user_id: UserId::parse(user).unwrap(),
            title: "Title".to_owned(),
            body: None,
            kind: None,
            data: Some(r#"{"empty":[ ],"large":12345678901234567890}"#.to_owned()),
            expires_at_ms,
        },
        created_at_ms,
        quiet: None,
    }
}
