//! Redis loses data: its primary dies with what no replica has, or everything is flushed.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};
use shared::{CampaignId, keys};
use support::push_service::fcm_ok;
use support::{Functions, RedisServer, Sentinel, eventually, eventually_within};
use tokio::time::sleep;

use super::{CAMPAIGN, RECOVERY, Stage, names};

const USERS: usize = 2000;
/// Users per second: the campaign outlasts a failover of four seconds.
const RATE: usize = 250;
/// Time between two creates, which have a push each.
const CREATE_EVERY: Duration = Duration::from_millis(50);
/// Pushes that the former primary alone knows of.
const FORGOTTEN: usize = 100;

/// From now on, what the primary answers is lost with it.
async fn cut_off(replica: &RedisServer, primary: &RedisServer) {
    primary.command(&["ACL", "SETUSER", "default", "-psync", "-sync"]).await;
    primary.command(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    eventually("the replica is cut off", async || {
        let info: String = replica.run("INFO replication").await;
        info.contains("master_link_status:down").then_some(())
    })
    .await;
}

/// Users that this server counts as sent to.
async fn settled_on(server: &RedisServer) -> usize {
    let [_, _, push, ..] = keys::campaign_push(&CampaignId::parse(CAMPAIGN).unwrap());
    server.run_words(&["HGET", &push, "sent"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_forgets_leaves_nobody_out_and_doubles_only_what_was_in_doubt() {
    let sentinel = Sentinel::start().await;
    let functions = Functions::at(&sentinel.url(), "127.0.0.1:*").start().await;
    let stage = Stage::start(functions, &sentinel.url(), |_| fcm_ok()).await;
    let users = names(USERS);
    stage.give_tokens(&users).await;
    stage.start_campaign(&users, RATE).await;
    stage.until("the campaign is under way", |it| it["sent"].as_u64() > Some(150)).await;

    let is_over = AtomicBool::new(false);
    let creating = async {
        let mut ids = Vec::new();
        while !is_over.load(SeqCst) {
            let at = ids.len();
            let when = ["always", "offline"][at % 2];
            ids.push(stage.notify(&users[at % 20], json!({"when": when})).await);
            sleep(CREATE_EVERY).await;
        }
        ids
    };
    let failing = async {
        let (former, replica) = (sentinel.primary().await, sentinel.replica().await);
        cut_off(replica, former).await;
        let before = stage.sent().pushes();
        eventually("pushes are sent that the replica does not know of", async || {
            (stage.sent().pushes() > before + FORGOTTEN).then_some(())
        })
        .await;
        former.kill();
        // Sentinel takes a second to notice.
        let settled = settled_on(replica).await;
        sentinel.replaced(former.port()).await;
        let at_takeover = stage.sent().pushes();
        eventually_within(RECOVERY, "the worker goes on by itself", async || {
            (stage.sent().pushes() > at_takeover + FORGOTTEN).then_some(())
        })
        .await;
        stage.is_ready("the worker is ready again").await;
        is_over.store(true, SeqCst);
        (settled, at_takeover)
    };
    let (ids, (settled, at_takeover)) = join(creating, failing).await;

    let done = stage.until("the campaign is done", |it| it["state"] == "done").await;
    assert_eq!((&done["sent"], &done["failed"]), (&json!(USERS), &json!(0)), "{done}");
    let sent = stage.sent();
    assert_eq!(sent.users.len(), USERS, "everyone was attempted");
    // What FCM had got, and the replica did not know.
    let in_doubt = at_takeover - settled;
    assert!(in_doubt >= FORGOTTEN, "nothing was forgotten: {at_takeover} {settled}");
    assert!(sent.doubles() <= in_doubt, "{} doubles, {in_doubt} in doubt", sent.doubles());
    // The record knows what Redis forgot.
    assert!(ids.len() > 5, "{} were created", ids.len());
    stage.pushed_once(&ids).await;
}

/// The record has the notifications' pushes; a campaign is in Redis alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_ends_the_campaign_and_loses_no_notification() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let stage = Stage::start(functions, &redis.url(), |_| fcm_ok()).await;
    let users = names(1000);
    stage.give_tokens(&users).await;
    stage.start_campaign(&users, 100).await;
    stage.until("the campaign is under way", |it| it["sent"].as_u64() > Some(50)).await;
    let mut ids = Vec::new();
    for user in &users[..20] {
        ids.push(stage.notify(user, json!({"when": "unread", "afterSeconds": 2})).await);
    }
    redis.command(&["FLUSHALL"]).await;
    let gone = stage.call("GET", &format!("/campaigns/{CAMPAIGN}/push"), &Value::Null).await;
    gone.expect_problem(404, "not_found");
    stage.pushed_once(&ids).await;
    // It is loaded anew, and the worker takes it up.
    stage.start_campaign(&users[..50], 1000).await;
    let done = stage.until("the campaign is done", |it| it["state"] == "done").await;
    assert_eq!((&done["sent"], &done["total"]), (&json!(50), &json!(50)), "{done}");
    stage.is_ready("the worker is ready").await;
}
