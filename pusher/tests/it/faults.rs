use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use shared::campaign_push::State;
use shared::{CampaignId, keys};
use support::push_service::fcm_ok;
use support::{eventually, eventually_within};

use crate::support::World;

const SOON: Duration = Duration::from_secs(60);

fn counts(sent: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for token in sent {
        *counts.entry(token).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_nobody_out_and_few_in_doubt() {
    let world = World::start(|_| fcm_ok()).await;
    world.users(20_000, json!({})).await;
    let mut first = world.worker().await;
    world.until("it is under way", |it| it.sent > 2000).await;
    first.process.kill();
    let at_kill = world.sent().len();
    let settled = world.progress().await;
    // What the service got, and Redis does not know: all that may come twice.
    let unsettled = at_kill.saturating_sub(usize::try_from(settled.sent).unwrap());
    // One more on each connection: written, and not read by the service yet.
    let in_doubt = unsettled + 8;
    let second = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed, done.remaining()), (20_000, 0, 0));
    let counts = counts(world.sent());
    assert_eq!(counts.len(), 20_000, "everyone was attempted");
    let doubles: usize = counts.values().map(|count| count - 1).sum();
    assert!(doubles <= in_doubt, "{doubles} doubles, {in_doubt} in doubt");
    assert!(second.metric("bellwire_push_doubtful_blocks_total").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_drop_sends_nobody_twice_and_says_who_is_unknown() {
    let world = World::start(|_| fcm_ok().after(Duration::from_millis(20))).await;
    world.users(2000, json!({"doubt": "drop"})).await;
    let mut first = world.worker().await;
    world.until("it is under way", |it| it.sent > 200).await;
    first.process.kill();
    let _second = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert!(done.failed > 0, "{done:?}");
    assert_eq!(done.sent + done.failed, 2000);
    let counts = counts(world.sent());
    assert!(counts.values().all(|count| *count == 1));
    let responses = world.responses().await;
    let unknown: BTreeSet<&str> = responses
        .iter()
        .filter(|it| it["result"] == "unknown")
        .map(|it| it["userId"].as_str().unwrap())
        .collect();
    assert_eq!(i64::try_from(unknown.len()).unwrap(), done.failed);
    // Whoever is not unknown was sent to.
    assert!(
        (0..2000)
            .map(|n| format!("u{n}"))
            .all(|user| { unknown.contains(user.as_str()) || counts.contains_key(&user) })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_at_once_send_each_job_once() {
    let world = World::start(|_| fcm_ok()).await;
    for n in 0..1000 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    let _workers = tokio::join!(world.worker(), world.worker());
    eventually_within(SOON, "all are settled", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    let counts = counts(world.sent());
    assert_eq!(counts.len(), 1000);
    assert!(counts.values().all(|count| *count == 1));
    assert_eq!(world.functions.stale(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_functions_are_away_results_wait_and_nothing_is_sent_twice() {
    let world = World::start(|_| fcm_ok().after(Duration::from_millis(300))).await;
    for n in 0..20 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    let worker = world.worker().await;
    eventually_within(SOON, "pushes are on their way", async || {
        (!world.sent().is_empty()).then_some(())
    })
    .await;
    world.functions.set_away(true);
    eventually_within(SOON, "all are sent", async || (world.sent().len() == 20).then_some(()))
        .await;
    let (status, _) = eventually_within(SOON, "it is not ready", async || {
        Some(worker.ready().await).filter(|(status, _)| *status == 503)
    })
    .await;
    assert_eq!(status, 503);
    world.functions.push("late", 1, json!({}));
    world.functions.set_away(false);
    eventually_within(SOON, "all are settled", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    assert_eq!(world.sent().len(), 21);
    assert_eq!(worker.ready().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_waits_for_functions_that_are_away() {
    let world = World::start(|_| fcm_ok()).await;
    world.functions.set_away(true);
    world.users(200, json!({})).await;
    let _worker = world.worker().await;
    world.until("a block is claimed", |it| it.claimed > 0).await;
    // Longer than a lease: it is renewed meanwhile.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(world.sent().is_empty());
    world.functions.set_away(false);
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, world.sent().len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_jobs_go_on_and_a_campaign_continues_afterwards() {
    let world = World::start(|_| fcm_ok()).await;
    world.users(3000, json!({"rate": 1000})).await;
    let worker = world.worker().await;
    world.until("it is under way", |it| it.sent > 300).await;
    world.redis.pause();
    world.functions.push("alice", 1, json!({}));
    eventually_within(SOON, "the job is sent", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    eventually_within(SOON, "it is not ready", async || {
        (worker.ready().await.0 == 503).then_some(())
    })
    .await;
    world.redis.resume();
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed), (3000, 0));
    let counts = counts(world.sent());
    assert_eq!(counts.len(), 3001);
    let doubles = counts.values().filter(|count| **count > 1).count();
    assert_eq!(doubles, 0, "the worker lived, and knows what it sent");
    assert_eq!(worker.ready().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_signal_finishes_what_is_on_its_way_and_gives_back_the_rest() {
    let world = World::start(|_| fcm_ok().after(Duration::from_millis(100))).await;
    for n in 0..40 {
        world.functions.push(&format!("j{n}"), 1, json!({}));
    }
    world.users(400, json!({"rate": 2000})).await;
    let mut worker = world.worker().await;
    world.until("it is under way", |it| it.sent > 0).await;
    assert!(worker.end().await.success());
    // Everything that was sent is settled, and nothing else is claimed.
    let stopped = world.progress().await;
    assert_eq!(stopped.claimed, 0, "{stopped:?}");
    let of_jobs = |sent: &[String]| sent.iter().filter(|token| token.starts_with('j')).count();
    let sent = world.sent();
    let to_users = sent.len() - of_jobs(&sent);
    assert_eq!(i64::try_from(to_users).unwrap(), stopped.sent);
    assert_eq!(40 - world.functions.jobs_left(), of_jobs(&sent));
    assert!(stopped.remaining() > 0);
    let _next = world.worker().await;
    world.until("it is done", |it| it.state == State::Done).await;
    eventually_within(SOON, "all jobs are sent", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    let counts = counts(world.sent());
    assert_eq!(counts.len(), 440);
    assert!(counts.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_that_wait_or_are_broken_leave_room_for_others() {
    let world = World::start(|_| fcm_ok()).await;
    for n in 0..40 {
        let id = CampaignId::parse(&format!("other-{n}")).unwrap();
        let [_, _, push, ..] = keys::campaign_push(&id);
        match n % 2 {
            0 => world.redis.command(&["HSET", &push, "state", "paused"]).await,
            _ => world.redis.command(&["SET", &push, "not a campaign's"]).await,
        };
        world.redis.command(&["EXPIRE", &push, "600"]).await;
        world.redis.command(&["ZADD", "bw:pushing", "9999999999999", &id.to_string()]).await;
    }
    let _worker = world.worker().await;
    // Answered in the look that begins the campaigns above.
    world.redis.command(&["RPUSH", "bw:push:tests", r#"{"nonce":"n1","userId":"a"}"#]).await;
    world.redis.command(&["EXPIRE", "bw:push:tests", "60"]).await;
    eventually("the worker has looked", async || {
        world.redis.run_words::<Option<String>>(&["GET", "bw:push:test:n1"]).await
    })
    .await;
    world.users(3, json!({})).await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!(progress.sent, 3);
    let listed: usize = world.redis.run("ZCARD bw:pushing").await;
    assert!(listed >= 40, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_redis_refuses_hold_nothing_up() {
    let world = World::start(|_| fcm_ok()).await;
    world.redis.command(&["SET", "campaign:spring:responses", "x", "EX", "600"]).await;
    world.users(50, json!({"responses": "all"})).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, world.sent().len()), (50, 50));
}
