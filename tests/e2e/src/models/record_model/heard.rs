//! What was published, and what a hub makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};
use serde_json::value::RawValue;
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use shared::notification::{is_quiet, our_id_and_seq};
use shared::wire::ChannelEvent;
use support::{RedisServer, within};

/// A subscriber of the channels.
pub struct Listener {
    pubsub: PubSub,
    marks: u64,
}

/// One published notification, or the place of a quiet one that an event tells of, which has a name
/// instead of the JSON text.
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
        pubsub.subscribe(&[NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL]).await.unwrap();
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
                let heard = stream.next().await.unwrap();
                let message: String = heard.get_payload().unwrap();
                if message == mark {
                    return;
                }
                match heard.get_channel_name() {
                    EVENTS_CHANNEL => messages.extend(quiet(&message)),
                    _ => messages.push(parse(&message)),
                }
            }
        })
        .await;
        messages
    }
}

/// The messages of an event, if it is about places of quiet notifications: one for each place.
fn quiet(text: &str) -> Vec<Message> {
    let event = ChannelEvent::parse(text.as_bytes()).unwrap();
    let ChannelEvent::Quiet { user_id, epoch, first, seq } = event else { return Vec::new() };
    let user = user_id.as_str().to_owned();
    let message = |seq| {
        let json = format!("quiet {user} {seq} {epoch}");
        Message { json, user: user.clone(), epoch: epoch.clone(), seq }
    };
    (first..=seq).map(message).collect()
}

/// How the names of the messages of an entry begin, which all have another epoch.
pub fn name(json: &str) -> String {
    let (_, seq) = our_id_and_seq(json).expect("an entry of ours");
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    match is_quiet(json) {
        true => format!("quiet {} {seq} ", value["userId"].as_str().unwrap()),
        false => json.to_owned(),
    }
}

/// Whether an entry was published, or its place told if it is quiet.
pub fn is_heard(messages: &[Message], json: &str) -> bool {
    let name = name(json);
    messages.iter().any(|message| message.json.starts_with(&name))
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
    assert!(!is_quiet(&json), "a quiet entry was published: {text}");
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
    let skipped: Vec<String> = skipped.iter().map(|json| name(json)).collect();
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let (mut known, mut places) = (BTreeSet::new(), BTreeSet::new());
    for message in messages {
        // An entry that was heard, and is gone since, may lie among the places of imported ones.
        let is_place = message.json.starts_with("quiet ");
        let is_known_place = !places.insert((&message.user, &message.epoch, message.seq));
        let is_new = known.insert(&message.json) && !(is_place && is_known_place);
        let last = last.entry((&message.user, &message.epoch)).or_default();
        let is_excepted = skipped.iter().any(|name| message.json.starts_with(name))
            || tainted_epochs.contains(&message.epoch);
        if is_new && message.seq <= *last && !is_excepted {
            return Err(format!("published late, after {last}: {message:?}"));
        }
        *last = message.seq.max(*last);
    }
    Ok(())
}
