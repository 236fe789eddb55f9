//! What `/readyz` says about a Redis that is there and cannot be used.

use ::support::ports;
use ::support::redis_server::Options as RedisOptions;
use shared::live::Live;

use crate::delivery::relay::{functions, relay_to};
use crate::support::{Hub, Options, RedisServer, until};

const PASSWORD: &str = "a-password-that-no-answer-may-hold";

/// A cluster of one node, which serves the slots up to `last`.
async fn node(last: u16, password: Option<&'static str>) -> ::support::RedisServer {
    let cluster_port = Some(ports::free());
    let options =
        RedisOptions { may_leave_keys: true, cluster_port, password, ..RedisOptions::default() };
    let node = ::support::RedisServer::start_with(options).await;
    node.command(&["CLUSTER", "ADDSLOTSRANGE", "0", &last.to_string()]).await;
    node
}

async fn hub(redis_url: String, live: Live) -> Hub {
    let options = Options { live, redis_url: Some(redis_url), ..Options::default() };
    Hub::start_on(RedisServer::prepare(), options).await
}

/// Waits until the hub is not ready for this reason.
async fn says(hub: &Hub, reason: &str) {
    until(reason, async || {
        let answer = hub.get("/readyz").await;
        assert!(!answer.body.contains(PASSWORD), "{}", answer.body);
        answer.status == 503 && answer.body.contains(reason)
    })
    .await;
}

fn at(node: &::support::RedisServer, login: &str) -> String {
    format!("redis+cluster://{login}{}", node.address())
}

const LIVES: [Live; 3] = [Live::All, Live::Bridge, Live::Own];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_is_not_one_redis() {
    let node = node(16_383, None).await;
    for live in LIVES {
        let hub = hub(node.url(), live).await;
        says(&hub, "this is a node of a cluster: use redis+cluster://").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_without_a_master_are_named() {
    let node = node(16_000, None).await;
    let hub = hub(at(&node, ""), Live::Own).await;
    says(&hub, "the hash slots 16001 to 16383 have no server").await;
    node.command(&["CLUSTER", "ADDSLOTSRANGE", "16001", "16383"]).await;
    hub.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named() {
    let node = node(16_383, Some(PASSWORD)).await;
    for live in LIVES {
        for login in [":wrong@", ""] {
            let hub = hub(at(&node, login), live).await;
            let reason = if login.is_empty() { "NOAUTH" } else { "AuthenticationFailed" };
            says(&hub, reason).await;
        }
    }
    let hub = hub(at(&node, &format!(":{PASSWORD}@")), Live::Own).await;
    hub.until_ready().await;
    // The same on one Redis.
    let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
    let redis = ::support::RedisServer::start_with(options).await;
    for live in LIVES {
        let hub = self::hub(format!("redis://:wrong@{}", redis.address()), live).await;
        says(&hub, "WRONGPASS").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_name_is_noticed() {
    let node = node(16_383, None).await;
    let endpoint = ["CONFIG", "SET", "cluster-preferred-endpoint-type"];
    node.command(&[endpoint.as_slice(), &["hostname"]].concat()).await;
    let hub = hub(at(&node, ""), Live::Own).await;
    says(&hub, "announces no host name, set its cluster-announce-hostname").await;
    // Then the port counts, at the host that was asked.
    node.command(&[endpoint.as_slice(), &["unknown-endpoint"]].concat()).await;
    hub.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_for_the_cluster_is_named() {
    let node = node(16_383, None).await;
    let user = ["ACL", "SETUSER", "hub", "on", "nopass", "~*", "&*", "+@all"];
    for (denied, named) in [
        ("-cluster|slots", "cluster|slots"),
        ("-cluster|info", "lacks permissions: CLUSTER INFO"),
        ("-asking", "lacks permissions: ASKING"),
    ] {
        node.command(&[user.as_slice(), &[denied]].concat()).await;
        let hub = hub(at(&node, "hub:x@"), Live::Own).await;
        says(&hub, named).await;
        node.command(&user).await;
        hub.until_ready().await;
    }
}

const ALL: (&str, &str) = ("200 OK", r#"{"sent":0,"pending":0,"live":"all"}"#);
const BRIDGE: (&str, &str) = ("200 OK", r#"{"sent":0,"pending":0,"live":"bridge"}"#);
const OWN: (&str, &str) = ("200 OK", r#"{"sent":0,"pending":0,"live":"own"}"#);
const SILENT: (&str, &str) = ("200 OK", r#"{"sent":0,"pending":0}"#);

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_publish_where_the_hub_does_not_listen_are_named() {
    for (live, answers, reason) in [
        (Live::Own, &[ALL, BRIDGE], "publish with live = all, which a hub with live = own does"),
        (Live::Bridge, &[ALL, OWN], "publish with live = all, which a hub with live = bridge"),
        (Live::All, &[OWN, SILENT], "publish with live = own, which a hub with live = all does"),
    ] {
        let (url, requests) = functions(answers).await;
        let (relay, _directory) = relay_to(url);
        let options = Options { live, relay, ..Options::default() };
        let hub = Hub::start_on(RedisServer::start().await, options).await;
        says(&hub, reason).await;
        // The next call, with another answer.
        let called = requests.lock().len();
        until("the relay is called again", async || {
            hub.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
            requests.lock().len() > called
        })
        .await;
        hub.until_ready().await;
    }
}
