//! Schemathesis makes up requests from `docs/openapi.json`, valid and invalid ones and sequences of
//! them, and holds every answer against it. All its checks are on.
//!
//! `BELLWIRE_SCHEMATHESIS_SEED=random` and `BELLWIRE_SCHEMATHESIS_SECONDS=600` search further.

use support::push_tester::PushTester;
use support::{Functions, RedisServer, Schemathesis};

use crate::api::routes::{RESOURCES, everything};

/// What a test of every day may take; the second one only sees 401s.
const SECONDS: u64 = 75;
const SECONDS_WITHOUT_TOKEN: u64 = 10;

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("BELLWIRE_SCHEMATHESIS_{name}")).ok()
}

fn seconds(default: u64) -> u64 {
    let wanted = variable("SECONDS");
    wanted.map_or(default, |text| text.parse().expect("BELLWIRE_SCHEMATHESIS_SECONDS: a number"))
}

fn run(functions: &Functions, seconds: u64) -> Schemathesis {
    let run = Schemathesis::against(&functions.url(), seconds);
    match variable("SEED").as_deref() {
        Some("random") => run,
        Some(seed) => run.arguments(&["--seed", seed]),
        None => run.arguments(&["--seed", "20261129"]),
    }
}

#[tokio::test]
async fn answers_are_as_the_document_says_whatever_is_asked() {
    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis).resources(RESOURCES).start().await;
    let _worker = PushTester::start(&redis).await;
    run(&functions, seconds(SECONDS)).token(&everything()).run().await;
    assert!(!functions.output().contains("wasm trap"), "{}", functions.output());
}

#[tokio::test]
async fn without_a_token_answers_are_as_the_document_says_too() {
    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis).resources(RESOURCES).start().await;
    run(&functions, seconds(SECONDS_WITHOUT_TOKEN)).run().await;
}
