//! Push tokens: what the record has, in the order of its revisions.

use shared::script;

use super::{Call, Case, call, check};

const TOKEN: &str = "user:alice:token";
const COMPANION: &str = "bw:token:{user:alice:token}";

fn keys() -> Vec<String> {
    vec![TOKEN.to_owned(), COMPANION.to_owned()]
}

/// Those of two users.
fn many() -> Vec<String> {
    let others = ["user:bob:token".to_owned(), "bw:token:{user:bob:token}".to_owned()];
    keys().into_iter().chain(others).collect()
}

fn write(verb: &str, rev: &str, token: &str) -> Call {
    call(&script::TOKEN_WRITE, &keys(), &["600", "600", "60", verb, rev, token])
}

fn refill(token: &str) -> Call {
    call(&script::TOKEN_REFILL, &keys(), &["600", "600", "60", "5", token])
}

#[tokio::test]
async fn every_call() {
    let set = vec![write("set", "4", "old")];
    let mut cases = cases();
    cases.extend([
        Case::new("read of many", set, call(&script::TOKEN_READ, &many(), &["600"])),
        Case::new("refill of many", Vec::new(), {
            let args = ["600", "600", "60", "5", "new", "6", ""];
            call(&script::TOKEN_REFILL, &many(), &args)
        }),
    ]);
    check(cases).await;
}

/// Those of one user.
pub(in crate::faults) fn cases() -> Vec<Case> {
    let set = || vec![write("set", "4", "old")];
    vec![
        Case::new("set", set(), write("set", "5", "new")),
        Case::new("drop", set(), write("drop", "5", "old")).any_answer(),
        Case::new("remove", set(), write("remove", "5", "")).any_answer(),
        Case::new("erase", set(), write("erase", "5", "")).any_answer(),
        Case::new("refill", Vec::new(), refill("new")),
        Case::new("refill with nothing", Vec::new(), refill("")),
        Case::new("read", set(), call(&script::TOKEN_READ, &keys(), &["600"])),
        Case::new("read of another service's", Vec::new(), {
            call(&script::TOKEN_READ, &keys(), &["600"])
        })
        .command(&["SET", TOKEN, "theirs", "EX", "500"]),
    ]
}
