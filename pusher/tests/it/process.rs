use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::json;
use shared::campaign_push::State;
use support::paths;
use support::process::{Signal, run};
use support::push_service::fcm_ok;
use support::{eventually, within};

use crate::support::{World, is_trial};

const LIMIT: Duration = Duration::from_secs(20);
/// Longer than the worker waits for an answer.
const HELD: Duration = Duration::from_secs(60);
/// Less than the 10 s for which pushes in development wait for an answer, which hold a drain up.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn check_config_reads_the_credentials_and_shows_every_setting() {
    let world = World::start(|_| fcm_ok()).await;
    let output = run(world.command(&["check-config"]), LIMIT).await;
    let (shown, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{errors}");
    assert!(shown.contains("connections_per_host = 8  # flag"), "{shown}");
    assert!(shown.contains("# results in: FCM, Web Push"), "{shown}");
    assert!(shown.contains("vapid_public_key must be B"), "{shown}");
    std::fs::write(world.file("account.json"), "{}").unwrap();
    let output = run(world.command(&["check-config"]), LIMIT).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && errors.contains("account.json"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_printed_and_never_replaces_one() {
    let world = World::start(|_| fcm_ok()).await;
    let file = world.file("new.pem");
    let command = || {
        let mut command = std::process::Command::new(paths::program("bellwire-push"));
        command.arg("vapid-key").arg(&file);
        command
    };
    let output = run(command(), LIMIT).await;
    let public = String::from_utf8(output.stdout).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(push::Es256::parse(&text).unwrap().public(), public.trim_end());
    let output = run(command(), LIMIT).await;
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_functions_and_redis_answer() {
    let world = World::start(|_| fcm_ok()).await;
    let mut worker = world.worker().await;
    eventually("it is ready", async || (worker.ready().await.0 == 200).then_some(())).await;
    world.functions.set_refusing(true);
    let body = eventually("it is not ready", async || {
        let (status, body) = worker.ready().await;
        (status == 503).then_some(body)
    })
    .await;
    assert!(body.contains("403"), "{body}");
    world.functions.set_refusing(false);
    eventually("it is ready", async || (worker.ready().await.0 == 200).then_some(())).await;
    let alive = worker.http.get("/healthz").send().await;
    assert_eq!(alive.status, 200);
    let answer = worker.http.get("/metrics").send().await;
    let page = answer.text();
    for family in [
        "bellwire_push_sent_total",
        "bellwire_push_seconds_bucket",
        "bellwire_push_inflight",
        "bellwire_push_held",
        "bellwire_push_oldest_due_seconds",
        "bellwire_push_doubtful_total",
        "bellwire_push_pruned_total",
        "bellwire_push_build_info",
    ] {
        assert!(page.contains(&format!("\n{family}")), "{family}\n{page}");
    }
    let status = within(LIMIT, "it ends", worker.end()).await;
    assert!(status.success());
    let output = worker.process.output();
    assert!(!output.contains("worker.token"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_the_next_worker_sends_what_was_in_doubt() {
    let is_held = Arc::new(AtomicBool::new(true));
    let holding = is_held.clone();
    let world = World::start(move |seen| {
        let waits = holding.load(SeqCst) && !is_trial(seen);
        fcm_ok().after(if waits { HELD } else { Duration::ZERO })
    })
    .await;
    world.users(100, json!({})).await;
    let mut worker = world.worker().await;
    eventually("pushes are on their way", async || (!world.sent().is_empty()).then_some(())).await;
    worker.process.signal(Signal::TERM);
    eventually("it drains", async || {
        let (status, body) = worker.ready().await;
        (status == 503 && body.contains("shutting down")).then_some(())
    })
    .await;
    assert!(worker.process.exit_status().is_none(), "it waits for what is on its way");
    let in_doubt = world.sent();
    worker.process.signal(Signal::TERM);
    let status = worker.process.ended(AT_ONCE).await;
    assert_eq!(status.code(), Some(130), "{}", worker.process.output());
    let left = world.progress().await;
    assert!(left.claimed > 0 && left.sent == 0, "{left:?}");

    is_held.store(false, SeqCst);
    let next = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed, done.remaining()), (100, 0, 0));
    let sent = world.sent();
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), 100, "everyone was attempted");
    for token in &in_doubt {
        let attempts = sent.iter().filter(|it| *it == token).count();
        assert!(attempts > 1, "{token} was in doubt, and not sent again");
    }
    assert!(next.metric("bellwire_push_doubtful_blocks_total").await >= 1.0);
}
