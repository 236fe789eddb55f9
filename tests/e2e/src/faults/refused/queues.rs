//! Queues: each message is in one place.

use shared::keys;
use shared::script::{self, Script};

use super::{Call, Case, call, check};

fn queue(script: &'static Script, more: &[&str], args: &[&str]) -> Call {
    let mut all = keys::queue("work").to_vec();
    all.extend(more.iter().map(|key| (*key).to_owned()));
    let mut words = vec!["1209600", "0123456789abcdef"];
    words.extend_from_slice(args);
    call(script, &all, &words)
}

fn send(delay_ms: &str, more: &[&str], payloads: &[&str]) -> Call {
    let mut keys = vec!["bw:once:{work}:once"];
    keys.extend_from_slice(more);
    let mut args = vec![delay_ms, "60", "300"];
    args.extend_from_slice(payloads);
    queue(&script::QUEUE_SEND, &keys, &args)
}

fn receive(visibility_ms: &str) -> Call {
    queue(&script::QUEUE_RECEIVE, &[], &["2", visibility_ms, "2", "100", "100000"])
}

fn two() -> Vec<Call> {
    vec![send("0", &[], &["1", "2", "3"])]
}

fn received() -> Vec<Call> {
    let mut calls = two();
    calls.push(receive("60000"));
    calls
}

const RECEIPTS: [&str; 2] = ["0123456789abcdefa1:1", "0123456789abcdefa2:1"];

fn settle(script: &'static Script, args: &[&str]) -> Call {
    let mut all = args.to_vec();
    all.extend(RECEIPTS);
    queue(script, &[], &all)
}

fn dead() -> Call {
    queue(&script::QUEUE_DEAD, &[], &["", "10", "10000"])
}

#[tokio::test]
async fn a_send() {
    check(cases_of_sends()).await;
}

fn cases_of_sends() -> Vec<Case> {
    vec![
        Case::new("send", two(), send("0", &[], &["4", "5"])),
        Case::new("send with a dedup id", two(), send("0", &["bw:dedup:{work}:d"], &["4"])),
        Case::new("send with a delay", two(), send("600000", &[], &["4", "5"])),
        Case::new("first", Vec::new(), send("600000", &["bw:dedup:{work}:d"], &["4"])),
    ]
}

#[tokio::test]
async fn a_receive() {
    check(cases_of_receives()).await;
}

fn cases_of_receives() -> Vec<Case> {
    let mut over = two();
    // Over at once: their time is counted from now.
    over.push(receive("0"));
    let mut given_back = received();
    given_back.push(settle(&script::QUEUE_NACK, &["0", "no", "0"]));
    let mut promoted = vec![send("1", &[], &["4"])];
    promoted.extend(two());
    let mut dying = over.clone();
    dying.push(receive("0"));
    vec![
        Case::new("receive", two(), receive("60000")).reads(vec![dead()]),
        Case::new("receive again", given_back, receive("60000")).reads(vec![dead()]),
        Case::new("receive what is over", over, receive("60000")).reads(vec![dead()]),
        Case::new("receive what is due", promoted, receive("60000"))
            .command(&["ZADD", "bw:delayed:{work}", "XX", "1", "0123456789abcdefa1"])
            .reads(vec![dead()]),
        Case::new("receive what dies", dying, receive("60000")).reads(vec![dead()]),
    ]
}

#[tokio::test]
async fn a_use() {
    check(cases_of_uses()).await;
}

fn cases_of_uses() -> Vec<Case> {
    let keys = [keys::QUEUES.to_owned(), keys::QUEUES_TOUCHED.to_owned()];
    let touch = |name: &str, max: &str| call(&script::QUEUES_TOUCH, &keys, &[name, "1000", max]);
    let old = ["ZADD", &keys[1], "XX", "1000000000", "old"];
    vec![
        Case::new("first use", Vec::new(), touch("new", "10")),
        Case::new("drops what is old", vec![touch("old", "10")], touch("new", "10")).command(&old),
        Case::new(
            "drops what is too much",
            vec![touch("a", "2"), touch("b", "2")],
            touch("c", "2"),
        )
        .command(&["ZINCRBY", &keys[1], "-9", "a"]),
    ]
}

#[tokio::test]
async fn a_word_about_messages() {
    check(cases_of_words()).await;
}

fn cases_of_words() -> Vec<Case> {
    let mut buried = received();
    buried.push(settle(&script::QUEUE_NACK, &["0", "no", "1"]));
    vec![
        Case::new("ack", received(), settle(&script::QUEUE_ACK, &[])),
        Case::new("nack", received(), settle(&script::QUEUE_NACK, &["0", "no", "0"])),
        Case::new("nack for later", received(), settle(&script::QUEUE_NACK, &["60000", "no", "0"])),
        Case::new("bury", received(), settle(&script::QUEUE_NACK, &["0", "no", "1"])),
        Case::new("extend", received(), settle(&script::QUEUE_EXTEND, &["90000"])),
        Case::new("dead", buried.clone(), dead()),
        Case::new("stats", buried.clone(), queue(&script::QUEUE_STATS, &[], &[])).any_answer(),
        Case::new("redrive", buried, queue(&script::QUEUE_REDRIVE, &[], &["10"])),
    ]
}

/// Only where nothing is refused: a page is answered whether or not it may drop a name.
fn cases_of_pages() -> Vec<Case> {
    let keys = [keys::QUEUES.to_owned(), keys::QUEUES_TOUCHED.to_owned()];
    let touch = call(&script::QUEUES_TOUCH, &keys, &["a", "1000", "10"]);
    let page = call(&script::QUEUES_PAGE, &keys, &["", "10", "1000"]);
    vec![
        Case::new("page", vec![touch.clone()], page.clone()),
        Case::new("page of names without a time", vec![touch], page)
            .command(&["ZADD", &keys[0], "0", "b"]),
    ]
}

/// As a cluster gets them: the same.
pub(in crate::faults) fn cases() -> Vec<Case> {
    let uses = [cases_of_uses(), cases_of_pages()].concat();
    [cases_of_sends(), cases_of_receives(), uses, cases_of_words()].concat()
}
