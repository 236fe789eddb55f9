//! Campaigns: each user once, each response once.

use shared::script;

use super::{Call, Case, call, check};

fn keys(more: &[&str]) -> Vec<String> {
    let all = ["campaign:c", "bw:campaign:{campaign:c}"].iter().chain(more);
    all.map(|key| (*key).to_owned()).collect()
}

const RESPONSES: &str = "campaign:c:responses";
const ONCE: &str = "bw:once:{campaign:c}:once";
const ONCE_OF_RESPONSES: &str = "bw:once:{campaign:c:responses}:once";
/// Those of a push.
const PUSH: [&str; 5] = [
    "bw:push:{campaign:c}",
    "bw:pushblocks:{campaign:c}",
    "bw:pushretry:{campaign:c}",
    "bw:pushdead:{campaign:c}",
    "bw:pushblock:{campaign:c}",
];

fn add(mode: &str, users: &[&str]) -> Call {
    add_with_key(mode, "", users)
}

fn add_with_key(mode: &str, key: &str, users: &[&str]) -> Call {
    let mut args = vec!["86400", "60", mode, "5", "9", key, "digest"];
    args.extend_from_slice(users);
    call(&script::CAMPAIGN_ADD, &keys(&[ONCE]), &args)
}

fn respond(responses: &[&str]) -> Call {
    let mut args = vec!["86400", "60", "3"];
    args.extend_from_slice(responses);
    call(&script::CAMPAIGN_RESPOND, &[RESPONSES, ONCE_OF_RESPONSES].map(str::to_owned), &args)
}

fn three() -> Vec<Call> {
    vec![add("append", &["a", "b", "c"]), respond(&["1", "2"])]
}

fn cases() -> Vec<Case> {
    let next = |count: &str| call(&script::CAMPAIGN_NEXT, &keys(&[]), &["86400", count]);
    let of_responses = [RESPONSES, ONCE_OF_RESPONSES].map(str::to_owned);
    let users = ["RPUSH", "campaign:c", "x", "y"];
    vec![
        Case::new("append", three(), add("append", &["d", "e"])),
        Case::new("begin", Vec::new(), add("append", &["d", "e"])),
        Case::new("replace", three(), add("replace", &["d"])),
        Case::new("with a key", three(), add_with_key("append", "k", &["d", "e"])),
        Case::new("replace with a key", three(), add_with_key("replace", "k", &["d"])),
        Case::new("too many", three(), add("append", &["d", "e", "f"])),
        Case::new("next", three(), next("2")),
        Case::new("the last ones", three(), next("9")),
        Case::new("of another service", Vec::new(), next("1")).command(&users),
        Case::new("respond", three(), respond(&["3"])),
        Case::new("too many responses", three(), respond(&["3", "4"])),
        Case::new(
            "page",
            three(),
            call(&script::CAMPAIGN_PAGE, &of_responses[..1], &["86400", "0", "9"]),
        ),
        Case::new(
            "responses",
            three(),
            call(&script::CAMPAIGN_RESPONSES, &of_responses[..1], &["86400"]),
        ),
        Case::new("clear", three(), call(&script::CAMPAIGN_CLEAR, &of_responses, &["60"])),
    ]
}

#[tokio::test]
async fn every_call() {
    let progress = || call(&script::CAMPAIGN_PROGRESS, &keys(&[RESPONSES]), &["86400"]);
    let removed = keys(&[&[ONCE][..], &PUSH, &[RESPONSES]].concat());
    let mut cases = cases();
    cases.extend([
        Case::new("progress", three(), progress()).command(&["LPOP", "campaign:c"]).any_answer(),
        Case::new("delete", three(), call(&script::CAMPAIGN_DELETE, &removed, &["60"])),
    ]);
    for case in &mut cases {
        case.reads = vec![progress()];
    }
    check(cases).await;
}

/// As a cluster gets them: the responses are in another slot.
pub(in crate::faults) fn cases_of_a_cluster() -> Vec<Case> {
    let progress = call(&script::CAMPAIGN_PROGRESS, &keys(&[]), &["86400", "2", "1000"]);
    let mut cases = cases();
    cases.push(Case::new("progress", three(), progress).command(&["LPOP", "campaign:c"]));
    cases
}
