//! What was published, and what a hub makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};
use serde_json::value::RawValue;
use shared::keys::NOTIFICATIONS_CHANNEL;
use shared::notification::our_id_and_seq;
use support::{RedisServer, within};

/// A subscriber of the channel.
pub struct Listener {
    pubsub: PubSub,
    marks: u64,
}

/// One published notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub user: String,
    pub epoch: String,
    pub seq: i64,
    pub json: String,
}

impl Listener {
    pub async fn subscribe(redis: &RedisServer) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        let mut pubsub = client.get_async_pubsub().await.unwrap();
        pubsub.subscribe(NOTIFICATIONS_CHANNEL).await.unwrap();
        Self { pubsub, marks: 0 }
    }

    /// Everything published since the last call.
    pub async fn take(&mut self, connection: &mut MultiplexedConnection) -> Vec<Message> {
        self.marks += 1;
        let mark = format!("mark {}", self.marks);
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(NOTIFICATIONS_CHANNEL).arg(&mark);
        publish.exec_async(connection).await.unwrap();
        let mut messages = Vec::new();
        let mut stream = self.pubsub.on_message();
        within(Duration::from_secs(15), "the mark is heard", async {
            loop {
                let message: String = stream.next().await.unwrap().get_payload().unwrap();
                if message == mark {
                    return;
                }
                messages.push(parse(&message));
            }
        })
        .await;
        messages
    }
}

fn parse(text: &str) -> Message {
    #[derive(serde::Deserialize)]
    struct Published<'a> {
        #[serde(borrow)]
        notification: &'a RawValue,
        bw: Position,
    }
    #[derive(serde::Deserialize)]
    struct Position {
        epoch: String,
        seq: i64,
    }
    let published: Published<'_> = serde_json::from_str(text).unwrap();
    let json = published.notification.get().to_owned();
    let (_, seq) = our_id_and_seq(&json).expect("an entry of ours");
    assert_eq!(seq, published.bw.seq, "the position is the entry's: {text}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let user = value["userId"].as_str().unwrap().to_owned();
    Message { user, epoch: published.bw.epoch, seq, json }
}

/// Checks that a hub, which drops what is not above the last seq, passes on everything that was
/// published: nothing comes for the first time after something newer. Excepted are entries that were
/// `skipped`, since too many were sent at once, and epochs that counted the same numbers twice.
pub fn check_order(
    messages: &[Message],
    skipped: &BTreeSet<String>,
    tainted_epochs: &BTreeSet<String>,
) -> Result<(), String> {
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for message in messages {
        let is_new = known.insert(&message.json);
        let last = last.entry((&message.user, &message.epoch)).or_default();
        let is_excepted =
            skipped.contains(&message.json) || tainted_epochs.contains(&message.epoch);
        if is_new && message.seq <= *last && !is_excepted {
            return Err(format!("published late, after {last}: {message:?}"));
        }
        *last = message.seq.max(*last);
    }
    Ok(())
}
