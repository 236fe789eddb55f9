//! What `/readyz` of the functions says about a Redis that is there and cannot be used.

use support::redis_server::Options;
use support::{Functions, Hub, RedisServer, eventually, logged, ports};

const PASSWORD: &str = "a-password-that-no-answer-may-hold";

/// A cluster of one node, which serves the slots up to `last`.
async fn node(last: u16, password: Option<&'static str>) -> RedisServer {
    let cluster_port = Some(ports::free());
    let node = RedisServer::start_with(Options { cluster_port, password, ..Options::default() });
    let node = node.await;
    node.command(&["CLUSTER", "ADDSLOTSRANGE", "0", &last.to_string()]).await;
    node
}

async fn at(url: &str) -> Functions {
    Functions::at(url, "127.0.0.1:*").start().await
}

/// Waits until the functions are not ready with this code, for this reason.
async fn say(functions: &Functions, code: &str, reason: &str) {
    eventually(reason, async || {
        let answer = functions.get("/readyz").send().await;
        assert!(!answer.text().contains(PASSWORD), "{}", answer.text());
        let problem = answer.json();
        let is_said = problem["detail"].as_str().is_some_and(|text| text.contains(reason));
        (answer.status == 503 && problem["code"] == code && is_said).then_some(())
    })
    .await;
}

async fn are_ready(functions: &Functions) {
    eventually("the functions are ready", async || {
        (functions.get("/readyz").send().await.status == 200).then_some(())
    })
    .await;
}

fn cluster(node: &RedisServer, login: &str) -> String {
    format!("redis+cluster://{login}{}", node.address())
}

#[tokio::test]
async fn a_node_of_a_cluster_is_not_one_redis() {
    let node = node(16_383, None).await;
    let functions = at(&node.url()).await;
    say(&functions, "not_ready", "this is a node of a cluster: use redis+cluster://").await;
    let calls = node.calls("info").await;
    let path = "/users/alice/notifications";
    functions.get(path).token(&support::token("alice", "")).send().await;
    // The count before is one of them.
    assert_eq!(node.calls("info").await, calls + 1, "only /readyz asks");
}

#[tokio::test]
async fn one_redis_is_not_a_cluster() {
    let redis = RedisServer::start().await;
    let functions = at(&cluster(&redis, "")).await;
    say(&functions, "redis_unavailable", "this is not a node of a cluster: use redis://").await;
}

#[tokio::test]
async fn slots_without_a_master_are_named() {
    let node = node(16_000, None).await;
    let functions = at(&cluster(&node, "")).await;
    let gap = "the hash slots 16001 to 16383 have no server";
    say(&functions, "redis_unavailable", gap).await;
    node.command(&["CLUSTER", "ADDSLOTSRANGE", "16001", "16383"]).await;
    are_ready(&functions).await;
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let node = node(16_383, Some(PASSWORD)).await;
    let redis =
        RedisServer::start_with(Options { password: Some(PASSWORD), ..Options::default() }).await;
    let one = format!("redis://:wrong@{}", redis.address());
    for url in [cluster(&node, ":wrong@"), cluster(&node, ""), one] {
        let functions = at(&url).await;
        let reason = "the user or password in redis_url is not accepted";
        say(&functions, "redis_unavailable", reason).await;
    }
    are_ready(&at(&cluster(&node, &format!(":{PASSWORD}@"))).await).await;
}

#[tokio::test]
async fn a_node_without_a_name_is_noticed() {
    let node = node(16_383, None).await;
    let endpoint = ["CONFIG", "SET", "cluster-preferred-endpoint-type"];
    node.command(&[endpoint.as_slice(), &["hostname"]].concat()).await;
    let functions = at(&cluster(&node, "")).await;
    let reason = "announces no host name, set its cluster-announce-hostname";
    say(&functions, "redis_unavailable", reason).await;
    node.command(&[endpoint.as_slice(), &["unknown-endpoint"]].concat()).await;
    are_ready(&functions).await;
}

#[tokio::test]
async fn a_missing_permission_for_the_cluster_is_named() {
    let node = node(16_383, None).await;
    let user = ["ACL", "SETUSER", "functions", "on", "nopass", "~*", "&*", "+@all"];
    for (denied, code, named) in [
        ("-cluster|slots", "redis_unavailable", "lacks permissions: CLUSTER SLOTS"),
        ("-asking", "not_ready", "lacks permissions: ASKING"),
    ] {
        node.command(&[user.as_slice(), &[denied]].concat()).await;
        let functions = at(&cluster(&node, "functions:x@")).await;
        say(&functions, code, named).await;
        node.command(&user).await;
        are_ready(&functions).await;
    }
}

/// Nothing would be delivered live, and nobody would notice.
#[tokio::test]
async fn a_hub_that_does_not_hear_the_functions_says_so() {
    let redis = RedisServer::start().await;
    for (live, heard, reason) in [
        ("all", "own", "the functions publish with live = all, which a hub with live = own"),
        ("own", "all", "the functions publish with live = own, which a hub with live = all"),
    ] {
        let functions = Functions::with(&redis).variable("live", live).start().await;
        assert_eq!(functions.relay().await.expect(200).json()["live"], live);
        let setup = Hub::with(&redis.url()).relay(&functions.url());
        let hub = setup.arguments(&[&format!("--live={heard}")]).start().await;
        eventually("the hub is not ready", async || {
            let answer = hub.http.get("/readyz").send().await;
            (answer.status == 503 && answer.text().contains(reason)).then_some(())
        })
        .await;
        logged(|| hub.output(), &["the settings of functions and hub do not fit", reason]).await;
    }
}
