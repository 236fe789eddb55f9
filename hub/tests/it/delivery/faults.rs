//! Faults during delivery: every kind of client receives everything once and in order, and the
//! existing service survives. Presence under faults: `presence/faults.rs`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::redis::ours;
use crate::support::{Client, Events, Gateway, Hub, Options, Program, RedisServer, token, until};
use ::support::Proxy;

/// One user's clients, one of each kind.
struct Clients {
    v1: Client,
    raw: Client,
    events: Events,
}

impl Clients {
    async fn connect(hub: &Hub, user: &str) -> Self {
        let (v1, _) = hub.connect_v1(user).await;
        let raw = hub.connect(user).await;
        let mut events = hub.events(user, "", "").await;
        // With a feed, the position comes before the first notification.
        if hub.redis.exists(user).await {
            assert!(events.next().await.unwrap().id.is_some());
        }
        Self { v1, raw, events }
    }

    async fn get(&mut self, notification: &str) {
        assert_eq!(self.v1.notification().await, notification);
        assert_eq!(self.raw.text().await, notification);
        assert_eq!(self.events.data("notification").await, notification);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_losing_its_data_during_delivery_loses_and_doubles_nothing() {
    let hub = Hub::start().await;
    let mut gateway = Gateway::start(&hub.redis).await;
    gateway.call(json!(["open", "alice"])).await;
    let mut record = vec![hub.redis.create("alice", "e1", 1).await];
    let mut clients = Clients::connect(&hub, "alice").await;
    for is_failover in [false, true] {
        record.push(hub.redis.create("alice", "e1", record.len() as i64 + 1).await);
        clients.get(record.last().unwrap()).await;
        if is_failover {
            // The subscription breaks as well, and misses all messages published meanwhile.
            hub.redis.kill();
            hub.until_not_ready().await;
            hub.redis.restart().await;
        } else {
            hub.redis.command(&["FLUSHALL"]).await;
        }
        // The next creates find a cold feed. The record does not know the newest published entry.
        let known = record.len() as i64;
        record.extend((known + 1..known + 4).map(|seq| ours("alice", seq)));
        hub.redis.load("alice", "e1", &record, known - 2).await;
        for notification in &record[record.len() - 3..] {
            clients.get(notification).await;
        }
        // A client that returns now finds all of it in the feed.
        let query = format!("?since=seq:{}&epoch=e1", record.len() - 1);
        let mut back = hub.resume("alice", &query, "bellwire.raw").await;
        assert_eq!(&back.text().await, record.last().unwrap());
    }
    assert!(clients.v1.is_silent().await && clients.raw.is_silent().await);
    let theirs = json!({"userId": "alice", "text": "theirs"});
    gateway.insist(json!(["notify", theirs])).await;
    clients.get(&theirs.to_string()).await;
    // The gateway received all of it too, doubles included, as the raw channel promises.
    let received = gateway.call(json!(["received", "alice"])).await;
    assert_eq!(received.as_array().unwrap().last(), Some(&theirs));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_resuming_on_an_older_feed_gets_the_entries_that_others_received_before() {
    let hub = Hub::start().await;
    let mut record = vec![hub.redis.create("alice", "e1", 1).await];
    let mut clients = Clients::connect(&hub, "alice").await;
    for seq in 2..=5 {
        record.push(hub.redis.create("alice", "e1", seq).await);
        clients.get(record.last().unwrap()).await;
    }
    // The feed after a failover to an older replica.
    hub.redis.load("alice", "e1", &record[..2], 2).await;
    let (mut behind, mut between) = tokio::join!(
        hub.resume("alice", "?since=seq:1&epoch=e1", "bellwire.raw"),
        hub.resume("alice", "?since=seq:4&epoch=e1", "bellwire.raw"),
    );
    assert_eq!(behind.text().await, record[1]);
    // The relay sends the rest; then new entries follow.
    hub.redis.load("alice", "e1", &record, 2).await;
    record.push(hub.redis.create("alice", "e1", 6).await);
    for notification in &record[2..] {
        assert_eq!(&behind.text().await, notification);
    }
    for notification in &record[4..] {
        assert_eq!(&between.text().await, notification);
    }
    clients.get(&record[5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_delays_messages_and_loses_none() {
    let redis = RedisServer::start().await;
    let mut gateway = Gateway::start(&redis).await;
    let proxy = Proxy::to(&redis.address()).await;
    proxy.delay(Duration::ZERO, Duration::from_millis(300));
    let options = Options { redis_url: Some(proxy.url()), ..Options::default() };
    let hub = Hub::start_on(redis, options).await;
    hub.until_ready().await;
    hub.redis.create("alice", "e1", 1).await;
    let mut clients = Clients::connect(&hub, "alice").await;
    for seq in 2..=4 {
        let notification = hub.redis.create("alice", "e1", seq).await;
        clients.get(&notification).await;
    }
    // A gap: the hub reads the feed, slowly, while more is published.
    let missed = hub.redis.push("alice", "e1", 5).await;
    let mut live = Vec::new();
    for seq in 6..=20 {
        live.push(hub.redis.create("alice", "e1", seq).await);
    }
    clients.get(&missed).await;
    for notification in &live {
        clients.get(notification).await;
    }
    // Blocks Redis for a while, as a slow script would.
    let busy = "local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end \
                local start = ms() repeat until ms() > start + 400";
    hub.redis.command(&["EVAL", busy, "0"]).await;
    clients.get(&hub.redis.create("alice", "e1", 21).await).await;
    hub.until_online(&["alice"]).await;
    gateway.call(json!(["feed", "alice"])).await;
}

async fn resume(hub: &Program, user: &str, seq: i64) -> Client {
    let connection = TcpStream::connect(hub.address()).await.unwrap();
    let query = format!("?since=seq:{seq}&epoch=e1");
    let protocol = if user.ends_with('0') { "bellwire.raw" } else { "bellwire.v1" };
    let token = token(user);
    let connecting = Client::connect_to(connection, &query, &token, Some(protocol));
    let mut client = connecting.await.unwrap();
    if protocol == "bellwire.v1" {
        assert!(client.text().await.contains("welcome"));
    }
    client
}

/// Receives exactly these, in order.
async fn get(client: &mut Client, seqs: std::ops::RangeInclusive<i64>) {
    for seq in seqs {
        let text = client.text().await;
        assert!(text.contains(&format!(r#""seq":{seq},"#)), "expected seq {seq}: {text}");
    }
}

/// Kills a hub with 1,000 sockets while notifications flow. All of them resume on another hub, or on
/// the same one after its restart.
async fn killed_with_sockets(has_another: bool) {
    const SOCKETS: usize = 1_000;
    let redis = RedisServer::start().await;
    let mut gateway = Gateway::start(&redis).await;
    let killed = Program::start(&redis).await;
    let another = if has_another { Some(Program::start(&redis).await) } else { None };
    let users: Vec<String> = (0..SOCKETS).map(|user| format!("u{user}")).collect();
    create_for_all(&redis, &users, 1).await;
    let mut clients = join_all(users.iter().map(|user| resume(&killed, user, 0))).await;
    create_for_all(&redis, &users, 2).await;
    join_all(clients.iter_mut().map(|client| get(client, 1..=2))).await;
    // Half of the clients have received seq 3 when the hub dies.
    let (first, second) = users.split_at(SOCKETS / 2);
    create_for_all(&redis, first, 3).await;
    join_all(clients[..SOCKETS / 2].iter_mut().map(|client| get(client, 3..=3))).await;
    killed.kill();
    create_for_all(&redis, second, 3).await;
    create_for_all(&redis, first, 4).await;
    let start = Instant::now();
    let next = match another {
        Some(another) => another,
        None => Program::start(&redis).await,
    };
    drop(clients);
    let back = users.iter().enumerate().map(|(at, user)| {
        let next = &next;
        async move {
            let (had, last) = if at < SOCKETS / 2 { (3, 4) } else { (2, 3) };
            let mut client = resume(next, user, had).await;
            get(&mut client, had + 1..=last).await;
            client
        }
    });
    let mut clients = join_all(back).await;
    let which = if has_another { "another hub" } else { "the only one, started again" };
    eprintln!(
        "{:>6.2} s  hub killed with {SOCKETS} sockets, {which}",
        start.elapsed().as_secs_f64()
    );
    create_for_all(&redis, second, 4).await;
    create_for_all(&redis, &users, 5).await;
    join_all(clients.iter_mut().enumerate().map(|(at, client)| async move {
        get(client, if at < SOCKETS / 2 { 5..=5 } else { 4..=5 }).await;
    }))
    .await;
    let online = gateway.call(json!(["online"])).await;
    assert_eq!(online.as_array().unwrap().len(), SOCKETS);
}

pub async fn create_for_all(redis: &RedisServer, users: &[String], seq: i64) {
    for page in users.chunks(100) {
        join_all(page.iter().map(|user| redis.create(user, "e1", seq))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_killed_hub_resume_elsewhere_without_loss_or_doubles() {
    tokio::join!(killed_with_sockets(true), killed_with_sockets(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_service_and_the_hub_share_the_set_of_online_users() {
    let hub = Hub::start().await;
    let mut gateway = Gateway::start(&hub.redis).await;
    let _alice = hub.connect("alice").await;
    hub.until_online(&["alice"]).await;
    for user in ["alice", "theirs"] {
        gateway.call(json!(["open", user])).await;
    }
    assert_eq!(hub.online().await, ["alice", "theirs"]);
    // The service's tab closes and it removes alice, who is still on the hub: the hub adds her again.
    gateway.call(json!(["close", "alice"])).await;
    assert_eq!(gateway.call(json!(["online"])).await, json!(["theirs"]));
    let start = Instant::now();
    while hub.online().await != ["alice", "theirs"] {
        assert!(start.elapsed() < Duration::from_secs(20), "alice was not added again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gateway.call(json!(["close", "theirs"])).await;
    until("only alice is online", async || hub.online().await == ["alice"]).await;
}
