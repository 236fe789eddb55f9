//! The permissions that the hub needs of its Redis user: neither fewer nor more.

use std::collections::BTreeSet;

use shared::live::Live;
use shared::{permissions, script};

use crate::support::{Hub, Options, RedisServer, until};

/// Rules of a Redis user (`ACL SETUSER`) with the listed permissions only.
fn rules(lines: &str) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for line in lines.lines() {
        let (pattern, commands) = line.split_once(' ').unwrap();
        for command in commands.split(' ') {
            rules.insert(format!("+{}", command.to_lowercase()));
            let kind = if command.ends_with("SUBSCRIBE") || command.ends_with("PUBLISH") {
                '&'
            } else {
                '~'
            };
            rules.insert(format!("{kind}{pattern}"));
        }
    }
    rules
}

#[tokio::test]
async fn the_check_finds_nothing_missing_in_exactly_the_listed_permissions() {
    let redis = RedisServer::start().await;
    let client = redis::Client::open(redis.url().replace("redis://", "redis://hub:x@")).unwrap();
    let each = [Live::All, Live::Own, Live::Bridge];
    let of_functions = each.map(|live| permissions::functions(live, false));
    let of_hubs = each.map(|live| permissions::hub(live, false));
    let others = [permissions::push_worker(false)];
    for lines in of_functions.into_iter().chain(of_hubs).chain(others) {
        let set_user = ["ACL", "SETUSER", "hub", "reset", "on", "nopass", "+@connection"];
        let rules = rules(&lines);
        let words = set_user.into_iter().chain(rules.iter().map(String::as_str));
        redis.command(&words.collect::<Vec<_>>()).await;
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut check = redis::cmd("EVAL");
        check.arg(script::PERMISSIONS.source).arg(0).arg(&lines);
        let missing: Vec<String> = check.query_async(&mut connection).await.unwrap();
        assert_eq!(missing, <[String; 0]>::default(), "{lines}");
    }
}

/// What Redis has refused: it logs that.
async fn refused(hub: &Hub) -> Vec<redis::Value> {
    hub.redis.run("ACL LOG").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_exactly_these_permissions_is_enough() {
    for live in [Live::All, Live::Own, Live::Bridge] {
        let redis = RedisServer::start().await;
        let wanted = rules(&permissions::hub(live, false));
        // The hub also asks whether the server is a node of a cluster (INFO), and does without an answer.
        let reset = ["reset", "on", "nopass", "+@connection", "+info"];
        let words = ["ACL", "SETUSER", "hub"].into_iter().chain(reset);
        redis.command(&words.chain(wanted.iter().map(String::as_str)).collect::<Vec<_>>()).await;
        let redis_url = Some(redis.url().replace("redis://", "redis://hub:x@"));
        let metrics_token = Some("scrape".to_owned());
        let options = Options { live, redis_url, metrics_token, ..Options::default() };
        let hub = Hub::start_on(redis, options).await;
        hub.until_ready().await;
        let (mut alice, _) = hub.connect_v1("alice").await;
        if live == Live::Bridge {
            until("the bridge listens", async || hub.metric("bridge").await == 1.0).await;
            let of_others = r#"{"notification":{"userId":"alice","id":"theirs"}}"#;
            until("a message of another service arrives", async || {
                hub.redis.publish_to_all(of_others).await;
                hub.metric(r#"bridged_total{outcome="forwarded"}"#).await > 0.0
            })
            .await;
            alice.notification().await;
        } else {
            let ours = hub.redis.create("alice", "e1", 1).await;
            assert_eq!(alice.notification().await, ours);
        }
        assert_eq!(refused(&hub).await, [], "{live:?}");
    }
}

#[tokio::test]
async fn a_missing_permission_makes_the_hub_not_ready_and_is_named() {
    let hub = Hub::start().await;
    hub.until_ready().await;
    hub.redis.command(&["ACL", "SETUSER", "default", "-getdel"]).await;
    // The hub checks now and then.
    until("the hub is not ready", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && answer.body.contains("GETDEL on bw:ticket:*")
    })
    .await;
    hub.redis.command(&["ACL", "SETUSER", "default", "+@all"]).await;
    hub.until_ready().await;
}
