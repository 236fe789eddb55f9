//! A subscriber of the channel `notifications`, like an existing gateway, or of `bw:events`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::redis_server::RedisServer;
use crate::wait::eventually;

/// Everything published since the subscription.
pub struct Published {
    messages: Arc<Mutex<Vec<String>>>,
    connection: MultiplexedConnection,
}

/// Starts a message for this subscriber only; not JSON, so hubs skip it.
const MARK: &str = "mark ";

impl Published {
    pub async fn subscribe(redis: &RedisServer) -> Self {
        Self::on(redis, shared::keys::NOTIFICATIONS_CHANNEL).await
    }

    /// Of read marks and removals.
    pub async fn events(redis: &RedisServer) -> Self {
        Self::on(redis, shared::keys::EVENTS_CHANNEL).await
    }

    async fn on(redis: &RedisServer, channel: &str) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        let mut pubsub = client.get_async_pubsub().await.unwrap();
        pubsub.subscribe(channel).await.unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let connection = redis.connection().await;
        let taken = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Some(message) = pubsub.on_message().next().await {
                taken.lock().unwrap().push(message.get_payload().unwrap());
            }
        });
        Self { messages, connection }
    }

    /// The messages so far, exactly as published.
    pub fn messages(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap();
        messages.iter().filter(|text| !text.starts_with(MARK)).cloned().collect()
    }

    /// Waits until all earlier messages have arrived, by publishing a mark and waiting for it.
    async fn caught_up(&self) {
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("{MARK}{}", MARKS.fetch_add(1, Ordering::Relaxed));
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(shared::keys::NOTIFICATIONS_CHANNEL).arg(&mark);
        let _: i64 = publish.query_async(&mut self.connection.clone()).await.unwrap();
        let is_here = || self.messages.lock().unwrap().contains(&mark);
        eventually("the mark arrives", async || is_here().then_some(())).await;
    }

    /// Waits for `count` messages; fails on more.
    pub async fn exactly(&self, count: usize) -> Vec<String> {
        let what = format!("{count} published messages");
        eventually(&what, async || (self.messages().len() >= count).then_some(())).await;
        let messages = self.messages();
        assert_eq!(messages.len(), count, "{messages:#?}");
        messages
    }

    /// The seqs of `user`'s messages so far, in the order of publishing.
    pub async fn seqs(&self, user: &str) -> Vec<i64> {
        self.caught_up().await;
        let messages = self.messages();
        let parsed = messages.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        parsed
            .filter(|message| message["notification"]["userId"] == user)
            .map(|message| message["bw"]["seq"].as_i64().unwrap())
            .collect()
    }
}
