//! Test pushes: none waits for ever.

use shared::script;

use super::{Case, call, check};

#[tokio::test]
async fn every_call() {
    check(cases()).await;
}

pub(in crate::faults) fn cases() -> Vec<Case> {
    let tests = ["bw:push:tests".to_owned()];
    let ask = |max: &str| call(&script::PUSH_TEST, &tests, &["{}", "60", max]);
    let before = || vec![ask("100")];
    vec![
        Case::new("the first one", Vec::new(), ask("100")),
        Case::new("another one", before(), ask("100")),
        Case::new("one too many", before(), ask("1")),
    ]
}
