//! A cluster without faults: delivery, resume, tickets, presence, console, metrics.

use std::sync::Arc;

use hub::config::RedisTarget;
use hub::redis::commands::commands;
use hub::session::tickets::Tickets;
use shared::auth::Claims;
use tokio::time::Instant;

use super::{cluster, connect_at, create, feed, hub, push, until_online};
use crate::console::viewer::read;
use crate::support::{Options, now_s};

/// Users whose feeds are on all masters.
const USERS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

#[tokio::test(flavor = "multi_thread")]
async fn users_of_every_master_are_served() {
    let cluster = cluster().await;
    let mut owners = Vec::new();
    for user in USERS {
        owners.push(cluster.owner_of(&feed(user)).await.port());
    }
    owners.sort_unstable();
    owners.dedup();
    assert_eq!(owners.len(), 3, "the users are on every master");
    let options = Options {
        has_console: true,
        metrics_token: Some("scrape".to_owned()),
        ..Options::default()
    };
    let hub = hub(cluster.url(), options).await;
    let mut clients = Vec::new();
    for user in USERS {
        push(&cluster, user, 1).await;
        clients.push(connect_at(&hub, user, 1).await);
    }
    for (user, client) in USERS.iter().zip(&mut clients) {
        let second = create(&cluster, user, 2).await;
        assert_eq!(client.notification().await, second);
        let third = create(&cluster, user, 3).await;
        let mut resumed = hub.resume(user, "?since=seq:1&epoch=e1", "bellwire.v1").await;
        assert!(resumed.welcome().await.contains(r#""seq":3"#));
        assert_eq!(resumed.notification().await, second);
        assert_eq!(resumed.notification().await, third);
        assert_eq!(client.notification().await, third);
    }
    until_online(&cluster, &USERS).await;
    let fleet = read(&hub, "/console/fleet").await;
    assert_eq!((fleet["hubs"].as_array().unwrap().len(), &fleet["onlineUsers"]), (1, &9.into()));
    assert_eq!(read(&hub, "/console/users/a").await["seq"], 3);
    for master in cluster.masters().await {
        let series = format!("redis_master_connected{{master=\"{}\"}}", master.address());
        assert_eq!(hub.metric(&series).await, 1.0);
    }
    assert_eq!(hub.metric("redis_connected").await, 3.0);
    clients.truncate(4);
    until_online(&cluster, &USERS[..4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_issued_and_redeemed_in_their_own_slots() {
    let cluster = cluster().await;
    let topology = RedisTarget::parse(&cluster.url()).unwrap().topology();
    let commands = commands(topology, Arc::default(), Arc::default());
    let following = commands.clone();
    let following = tokio::spawn(async move { following.run().await });
    let tickets = Tickets::new(commands);
    for number in 0..20 {
        let sub = format!("u{number}");
        let claims =
            Claims { sub: sub.clone(), exp: now_s() + 60.0, nbf: None, scope: String::new() };
        let ticket = tickets.issue(&claims, Instant::now()).await.unwrap();
        assert_eq!(tickets.redeem(&ticket).await.unwrap().user.as_str(), sub);
        assert!(tickets.redeem(&ticket).await.is_err(), "it is redeemed once");
    }
    following.abort();
}
