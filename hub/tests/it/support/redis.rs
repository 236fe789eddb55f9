//! The harness's redis-server, and the writes of services.

use std::ops::Deref;

use ::support::redis_server::{Options, Persistence};
use shared::notification::{Draft, Notification};
use shared::{UserId, keys};

use super::now_s;

/// The test's own redis-server.
pub struct RedisServer(::support::RedisServer);

/// These tests write feeds and other keys as services do, without an expiry.
const OPTIONS: Options = Options { persistence: Persistence::None, may_leave_keys: true };

impl RedisServer {
    pub async fn start() -> Self {
        Self(::support::RedisServer::start_with(OPTIONS).await)
    }

    /// Prepares a server that is not running yet: `restart` starts it.
    pub fn prepare() -> Self {
        Self(::support::RedisServer::prepare(OPTIONS))
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
        &self.0
    }
}

/// An own notification as the serialiser writes it, created now.
pub fn ours(user: &str, seq: i64) -> String {
    ours_until(user, seq, None)
}

/// The same with an expiry time.
pub fn ours_until(user: &str, seq: i64, expires_at_ms: Option<i64>) -> String {
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
            expires_at_ms,
        },
        created_at_ms,
    };
    notification.to_json()
}
