use std::time::Duration;

use support::process::run;
use support::push_service::fcm_ok;
use support::{eventually, within};

use crate::support::World;

const LIMIT: Duration = Duration::from_secs(20);

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
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bellwire-push"));
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
