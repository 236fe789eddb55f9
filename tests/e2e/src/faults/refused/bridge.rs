//! The bridge: one hub holds its lease, and a message of another service is forwarded once.

use shared::script;

use super::{Call, Case, call, check};

const LEASE: &str = "bw:bridge";
/// Far in the future, in milliseconds.
const UNTIL: &str = "4102444800000";
const MESSAGE: &str = r#"{"notification":{"userId":"alice","n":1}}"#;

fn lease(token: &str, next: &str, length: &str) -> Call {
    call(&script::BRIDGE_LEASE, &[LEASE.to_owned()], &[token, next, length])
}

fn forward(until: &str, id: &str) -> Call {
    let keys = ["notifications:alice", "bw:bridged:{notifications:alice}"].map(str::to_owned);
    call(&script::BRIDGE_FORWARD, &keys, &[until, id, "60000", MESSAGE])
}

#[tokio::test]
async fn every_call() {
    check(cases()).await;
}

pub(in crate::faults) fn cases() -> Vec<Case> {
    let held = || vec![lease("ours:0", "ours:0", "60000")];
    vec![
        Case::new("lease taken", Vec::new(), lease("ours:0", "ours:0", "60000")).any_answer(),
        Case::new("lease renewed", held(), lease("ours:0", "ours:1", "60000")).any_answer(),
        Case::new("lease of another", held(), lease("theirs:0", "theirs:0", "60000")),
        Case::new("lease handed back", held(), lease("ours:0", "", "0")),
        Case::new("forwarded", Vec::new(), forward(UNTIL, "ours:1")),
        Case::new("forwarded again", vec![forward(UNTIL, "ours:1")], forward(UNTIL, "ours:1")),
        Case::new("late", Vec::new(), forward("1", "ours:1")),
    ]
}
