//! Campaigns: each user once, each response once.

use shared::script;

use super::{Call, Case, call, check};

fn keys(more: &[&str]) -> Vec<String> {
    let all = ["campaign:c", "bw:campaign:{campaign:c}"].iter().chain(more);
    all.map(|key| (*key).to_owned()).collect()
}

const RESPONSES: &str = "campaign:c:responses";
const ONCE: &str = "bw:once:{campaign:c}:once";
/// Those of a push.
const PUSH: [&str; 5] = [
    "bw:push:{campaign:c}",
    "bw:pushblocks:{campaign:c}",
    "bw:pushretry:{campaign:c}",
    "bw:pushdead:{campaign:c}",
    "bw:pushblock:{campaign:c}",
];

fn add(mode: &str, users: &[&str]) -> Call {
    let mut args = vec!["86400", "60", mode, "5"];
    args.extend_from_slice(users);
    call(&script::CAMPAIGN_ADD, &keys(&[ONCE]), &args)
}

fn respond(responses: &[&str]) -> Call {
    let mut args = vec!["86400", "60", "3"];
    args.extend_from_slice(responses);
    call(&script::CAMPAIGN_RESPOND, &keys(&[RESPONSES, ONCE]), &args)
}

#[tokio::test]
async fn every_call() {
    let three = || vec![add("append", &["a", "b", "c"]), respond(&["1", "2"])];
    let next = |count: &str| call(&script::CAMPAIGN_NEXT, &keys(&[]), &["86400", count]);
    let progress = || call(&script::CAMPAIGN_PROGRESS, &keys(&[RESPONSES]), &["86400"]);
    let removed = keys(&[&[RESPONSES, ONCE][..], &PUSH].concat());
    let mut cases = vec![
        Case::new("append", three(), add("append", &["d", "e"])),
        Case::new("begin", Vec::new(), add("append", &["d", "e"])),
        Case::new("replace", three(), add("replace", &["d"])),
        Case::new("too many", three(), add("append", &["d", "e", "f"])),
        Case::new("next", three(), next("2")),
        Case::new("the last ones", three(), next("9")),
        Case::new("of another service", Vec::new(), next("1")).command(&[
            "RPUSH",
            "campaign:c",
            "x",
            "y",
        ]),
        Case::new("respond", three(), respond(&["3"])),
        Case::new("too many responses", three(), respond(&["3", "4"])),
        Case::new("progress", three(), progress()).command(&["LPOP", "campaign:c"]).any_answer(),
        Case::new("delete", three(), call(&script::CAMPAIGN_DELETE, &removed, &["60"])),
        Case::new(
            "page",
            three(),
            call(&script::CAMPAIGN_PAGE, &[RESPONSES.to_owned()], &["86400", "0", "9"]),
        ),
    ];
    for case in &mut cases {
        case.reads = vec![progress()];
    }
    check(cases).await;
}
