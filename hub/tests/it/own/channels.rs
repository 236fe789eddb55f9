//! Users' own channels on one Redis.

use std::collections::BTreeSet;
use std::time::Duration;

use ::support::eventually_within;
use futures_util::future::join_all;
use hub::config::Pace;
use shared::live::Live;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::crowd::{Member, reach};
use crate::delivery::faults::create_for_all;
use crate::support::{Client, Hub, Options, RedisServer, SOON, token, until};

fn own() -> Options {
    Options { live: Live::Own, metrics_token: Some("scrape".to_owned()), ..Options::default() }
}

fn lingering(time: Duration) -> Options {
    Options { pace: Pace { channel_linger: time, ..Pace::default() }, ..own() }
}

/// The users whose channels are subscribed.
async fn subscribed(redis: &RedisServer) -> BTreeSet<String> {
    let channels: Vec<String> = redis.run("PUBSUB SHARDCHANNELS bw:live:*").await;
    let user = |channel: &String| {
        let user = channel.strip_prefix("bw:live:{notifications:")?.strip_suffix('}')?;
        Some(user.to_owned())
    };
    channels.iter().filter_map(user).collect()
}

async fn until_subscribed(redis: &RedisServer, users: &[&str]) {
    let expected: BTreeSet<String> = users.iter().map(|user| (*user).to_owned()).collect();
    until(&format!("subscribed: {users:?}"), async || subscribed(redis).await == expected).await;
}

async fn member(hub: &Hub, user: String) -> Member {
    let client = Client::connect(hub.address, &token(&user), Some("bellwire.v1")).await;
    Member::new(user, client.unwrap()).await
}

/// The commands that Redis executes, as `MONITOR` shows them, until the one with `last`.
async fn monitor(redis: &RedisServer, last: &str) -> tokio::task::JoinHandle<Vec<String>> {
    let mut connection = TcpStream::connect(redis.address()).await.unwrap();
    connection.write_all(b"MONITOR\r\n").await.unwrap();
    assert_eq!(connection.read_u8().await.unwrap(), b'+');
    let last = last.to_owned();
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(&last) {
            let read = tokio::time::timeout(SOON, connection.read_buf(&mut bytes)).await;
            assert!(read.unwrap().unwrap() > 0);
        }
        String::from_utf8(bytes).unwrap().lines().map(str::to_lowercase).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_is_read_only_after_the_channel_is_subscribed() {
    let redis = RedisServer::start().await;
    redis
        .command(&["ACL", "SETUSER", "hub", "on", "nopass", "~*", "&*", "+@all", "-ssubscribe"])
        .await;
    let redis_url = Some(redis.url().replace("redis://", "redis://hub:x@"));
    let hub = Hub::start_on(redis, Options { redis_url, ..own() }).await;
    hub.until_not_ready().await;
    let address = hub.address;
    let connecting = tokio::spawn(async move {
        Client::connect(address, &token("alice"), Some("bellwire.v1")).await.unwrap()
    });
    let users = async || hub.metric("users").await;
    until("the user has joined", async || users().await == 1.0).await;
    // Redis never confirms it; the user is read without it, but not before 1.5 s.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(hub.metric(r#"reads_total{of="heads"}"#).await, 0.0);
    let _alice = Member::new("alice".to_owned(), connecting.await.unwrap()).await;
    assert_eq!(hub.metric(r#"reads_total{of="heads"}"#).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_while_a_user_joins_arrives_once() {
    const LAST: i64 = 6;
    let hub = Hub::start_with(own()).await;
    let users: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
    let publishing = async {
        for seq in 1..=LAST {
            create_for_all(&hub.redis, &users, seq).await;
        }
    };
    let joining = join_all(users.iter().map(|user| member(&hub, user.clone())));
    let ((), mut crowd) = tokio::join!(publishing, joining);
    reach(&mut crowd, LAST).await;
    // Nothing comes twice afterwards.
    create_for_all(&hub.redis, &users, LAST + 1).await;
    reach(&mut crowd, LAST + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_hears_nothing_for_users_of_others() {
    let hub = Hub::start_with(own()).await;
    let (mut alice, _) = hub.connect_v1("alice").await;
    for n in 0..500 {
        let user = format!("other{n}");
        hub.redis.publish(&format!(r#"{{"notification":{{"userId":"{user}"}}}}"#)).await;
    }
    hub.redis.publish_to_all(r#"{"notification":{"userId":"alice","n":1}}"#).await;
    hub.redis.publish(r#"{"notification":{"userId":"alice","n":2}}"#).await;
    assert_eq!(alice.notification().await, r#"{"userId":"alice","n":2}"#);
    assert_eq!(hub.metric(r#"messages_total{channel="notifications"}"#).await, 1.0);
    assert_eq!(hub.metric(r#"undelivered_total{reason="not_here"}"#).await, 0.0);
    assert_eq!(hub.metric("channels").await, 1.0);
    assert_eq!(hub.metric("channel_connections").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_outlives_its_user_for_the_linger() {
    let hub = Hub::start_with(lingering(Duration::from_millis(600))).await;
    drop(hub.connect("alice").await);
    hub.until_online(&[]).await;
    let calls = hub.redis.calls("ssubscribe").await;
    let mut alice = member(&hub, "alice".to_owned()).await;
    assert_eq!(hub.redis.calls("ssubscribe").await, calls, "a return within the linger is free");
    tokio::time::sleep(Duration::from_millis(900)).await;
    until_subscribed(&hub.redis, &["alice"]).await;
    hub.redis.create("alice", "e1", 1).await;
    alice.reach(1).await;
    drop(alice);
    until_subscribed(&hub.redis, &[]).await;
    // After it, the user pays again.
    let _alice = member(&hub, "alice".to_owned()).await;
    assert_eq!(hub.redis.calls("ssubscribe").await, calls + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_joins_and_leaves_end_with_the_right_channels() {
    const USERS: usize = 1_500;
    let hub = Hub::start_with(lingering(Duration::from_millis(50))).await;
    let user = |n: usize| format!("u{n}");
    let mut crowd: Vec<Option<Member>> = (0..USERS).map(|_| None).collect();
    for round in 0..3_i64 {
        let changes = crowd.iter_mut().enumerate().map(async |(n, slot)| {
            // Some leave, some come, some do both at once.
            if !(n + round as usize).is_multiple_of(3) && slot.take().is_none() || n % 5 == 0 {
                *slot = Some(member(&hub, user(n)).await);
            }
        });
        join_all(changes).await;
        let here: Vec<String> = crowd.iter().flatten().map(|member| member.user.clone()).collect();
        assert!((USERS / 5..USERS).contains(&here.len()), "{}", here.len());
        create_for_all(&hub.redis, &here, 1_000 + round).await;
        join_all(crowd.iter_mut().flatten().map(async |member| {
            // Whatever was created before this round was for others, or is in the welcome.
            let frame = member.client.json().await;
            let frame = if frame["type"] == "gap" { member.client.json().await } else { frame };
            assert_eq!(frame["notification"]["seq"], 1_000 + round, "{}: {frame}", member.user);
        }))
        .await;
    }
    let here: BTreeSet<String> = crowd.iter().flatten().map(|it| it.user.clone()).collect();
    eventually_within(SOON, "only the present users are subscribed", async || {
        (subscribed(&hub.redis).await == here).then_some(())
    })
    .await;
    assert_eq!(hub.metric("channels").await, here.len() as f64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_subscription_loses_and_doubles_nothing() {
    let hub = Hub::start_with(own()).await;
    let users: Vec<String> = (0..300).map(|n| format!("u{n}")).collect();
    let mut crowd = join_all(users.iter().map(|user| member(&hub, user.clone()))).await;
    for seq in 1..=8 {
        create_for_all(&hub.redis, &users, seq).await;
        if seq % 3 == 0 {
            hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        }
        if seq == 5 {
            // Not subscriptions, nor what the sockets have reached; they have to have reached it.
            reach(&mut crowd, 5).await;
            hub.redis.command(&["FLUSHALL"]).await;
        }
    }
    create_for_all(&hub.redis, &users, 9).await;
    let last = async |member: &mut Member| {
        // The feed that was flushed may leave a gap, but no double.
        while member.seq < 9 {
            let frame = member.client.json().await;
            let seq = frame["notification"]["seq"].as_i64().or(frame["seq"].as_i64()).unwrap();
            assert!(seq > member.seq || frame["type"] == "gap", "{}: {frame}", member.user);
            member.seq = member.seq.max(seq);
        }
    };
    join_all(crowd.iter_mut().map(last)).await;
    hub.until_ready().await;
    assert_eq!(hub.metric(r#"channel_joins_total{cause="first"}"#).await, 300.0);
    assert!(hub.metric(r#"channel_joins_total{cause="closed"}"#).await >= 300.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_subscription_is_named_and_ends_with_the_permission() {
    let redis = RedisServer::start().await;
    let may = ["ACL", "SETUSER", "hub", "on", "nopass", "~*", "&*", "+@all"];
    redis.command(&[may.as_slice(), &["-ssubscribe"]].concat()).await;
    let redis_url = Some(redis.url().replace("redis://", "redis://hub:x@"));
    let hub = Hub::start_on(redis, Options { redis_url, ..own() }).await;
    until("the hub names the command", async || {
        let answer = hub.get("/readyz").await;
        let text = answer.body.to_lowercase();
        answer.status == 503 && text.contains("ssubscribe") && text.contains("permissions")
    })
    .await;
    // A user is welcomed all the same, and brought up to date once it is allowed.
    let mut alice = member(&hub, "alice".to_owned()).await;
    hub.redis.create("alice", "e1", 1).await;
    hub.redis.command(&may).await;
    hub.until_ready().await;
    hub.redis.create("alice", "e1", 2).await;
    alice.reach(2).await;
    let refused = hub.redis.run::<String>("INFO commandstats").await;
    let calls = refused.lines().find_map(|line| line.strip_prefix("cmdstat_ssubscribe:"));
    let rejected = calls.and_then(|line| line.split("rejected_calls=").nth(1)?.split(',').next());
    let rejected: u32 = rejected.unwrap().parse().unwrap();
    assert!((1..500).contains(&rejected), "{rejected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_hub_probes_its_own_channel() {
    let wait = Duration::from_millis(300);
    let pace =
        Pace { subscription_silence: wait, subscription_pong_deadline: wait, ..Pace::default() };
    let hub = Hub::start_with(Options { pace, ..own() }).await;
    let seen = monitor(&hub.redis, r#""n\":3}"#).await;
    let probes = seen.await.unwrap();
    let probes = probes.iter().filter(|line| line.contains("spublish"));
    assert!(probes.clone().count() >= 3);
    assert!(probes.clone().all(|line| line.contains(r#""spublish" "bw:probe:0""#)));
    assert_eq!(hub.get("/readyz").await.status, 200);
    assert_eq!(hub.metric(r#"redis_lost_total{of="subscription"}"#).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_unsubscribes_before_it_closes_its_connection() {
    let pace = Pace { drain_spread: Duration::from_millis(200), ..Pace::default() };
    let mut hub = Hub::start_with(Options { pace, ..own() }).await;
    let users: Vec<String> = (0..700).map(|n| format!("u{n}")).collect();
    let crowd = join_all(users.iter().map(|user| member(&hub, user.clone()))).await;
    let before = hub.redis.calls("sunsubscribe").await;
    let reading = tokio::spawn(join_all(
        crowd.into_iter().map(|mut member| async move { member.client.close_code().await }),
    ));
    hub.stop().await;
    assert_eq!(hub.redis.calls("sunsubscribe").await - before, 700);
    assert!(reading.await.unwrap().iter().all(|code| *code == 1012));
}
