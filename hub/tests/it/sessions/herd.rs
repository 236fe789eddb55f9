//! Thousands of clients reconnect at once, and all are brought up to date.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use redis::AsyncCommands as _;

use crate::delivery::faults::create_for_all;
use crate::support::{Client, Hub, RedisServer};

/// The test's own ends make it 10,000 files; a limit of 20,000 is common.
const SOCKETS: usize = 5_000;
/// Far more than needed, since the machine may be busy.
const ALL_IN: Duration = Duration::from_secs(60);
/// Handshakes at the same time.
const LANES: usize = 1_000;

async fn connect_all(hub: &Hub, users: &[String], query: &str) -> Vec<(usize, Client)> {
    let connecting = users.iter().enumerate().map(|(at, user)| async move {
        let protocol = if at % 2 == 0 { "bellwire.raw" } else { "bellwire.v1" };
        let mut client = hub.resume(user, query, protocol).await;
        if at % 2 == 1 {
            assert!(client.text().await.contains("welcome"));
        }
        (at, client)
    });
    stream::iter(connecting).buffer_unordered(LANES).collect().await
}

async fn get_all(clients: &mut [(usize, Client)], seqs: std::ops::RangeInclusive<i64>) {
    for (at, client) in clients.iter_mut() {
        for seq in seqs.clone() {
            let text = client.text().await;
            let is_his = text.contains(&format!(r#""userId":"u{at}""#));
            assert!(
                is_his && text.contains(&format!(r#""seq":{seq},"#)),
                "expected seq {seq} of {at}: {text}"
            );
        }
    }
}

async fn until_online(hub: &Hub, count: usize) {
    let start = Instant::now();
    let mut connection = hub.redis.connection().await;
    loop {
        let online: usize = connection.scard("online_users").await.unwrap();
        if online == count {
            return;
        }
        assert!(start.elapsed() < ALL_IN, "{online} of {count} are online");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn calls(redis: &RedisServer) -> u64 {
    let mut connection = redis.connection().await;
    let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut connection).await.unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_reconnect_at_once_and_are_brought_up_to_date_after_a_restart_of_redis() {
    let hub = Hub::start().await;
    let users: Vec<String> = (0..SOCKETS).map(|user| format!("u{user}")).collect();
    create_for_all(&hub.redis, &users, 1).await;
    let clients = connect_all(&hub, &users, "").await;
    until_online(&hub, SOCKETS).await;

    let before = calls(&hub.redis).await;
    let start = Instant::now();
    drop(clients);
    let mut clients = connect_all(&hub, &users, "?since=seq:0&epoch=e1").await;
    let all_in = start.elapsed();
    get_all(&mut clients, 1..=1).await;
    until_online(&hub, SOCKETS).await;
    let took = start.elapsed();
    assert!(took < ALL_IN);
    let calls = (calls(&hub.redis).await - before) as f64 / SOCKETS as f64;
    eprintln!(
        "{:>6.2} s  {SOCKETS} gone and back at once; {:.2} s until presence is true; \
         {calls:.2} commands of Redis for each",
        all_in.as_secs_f64(),
        took.as_secs_f64()
    );

    // Every user misses three entries: they are in the feeds, but were not received.
    for page in users.chunks(100) {
        let pushing = page.iter().map(|user| async {
            for seq in 2..=4 {
                hub.redis.push(user, "e1", seq).await;
            }
        });
        futures_util::future::join_all(pushing).await;
    }
    hub.redis.command(&["SAVE"]).await;
    hub.redis.kill();
    hub.until_not_ready().await;
    hub.redis.restart().await;
    let start = Instant::now();
    get_all(&mut clients, 2..=4).await;
    let took = start.elapsed();
    assert!(took < ALL_IN);
    eprintln!("{:>6.2} s  {SOCKETS} sockets up to date after a restart", took.as_secs_f64());
    create_for_all(&hub.redis, &users, 5).await;
    get_all(&mut clients, 5..=5).await;
    until_online(&hub, SOCKETS).await;
}
