//! Pushes of campaigns: each user ends once, whatever is refused.

use shared::script::{self, Script};

use super::{Call, Case, call, check};

fn keys() -> Vec<String> {
    ["campaign:c", "bw:campaign:{campaign:c}", "bw:push:{campaign:c}", "bw:pushblocks:{campaign:c}"]
        .into_iter()
        .chain(["bw:pushretry:{campaign:c}", "bw:pushdead:{campaign:c}"])
        .chain(["bw:pushblock:{campaign:c}"])
        .map(str::to_owned)
        .collect()
}

fn of(script: &'static Script, args: &[&str]) -> Call {
    call(script, &keys(), &[&["86400"], args].concat())
}

fn add(users: &[&str]) -> Call {
    let mut keys = keys()[..2].to_vec();
    keys.push("bw:once:{campaign:c}:once".to_owned());
    call(
        &script::CAMPAIGN_ADD,
        &keys,
        &[&["86400", "60", "append", "9", "9", "", ""], users].concat(),
    )
}

fn start(options: &str) -> Call {
    of(&script::PUSH_START, &[options, "10000", "0"])
}

/// The ramp is of many minutes: what is in the bucket stays.
fn claim(nonce: &str, lease_ms: &str) -> Call {
    of(&script::PUSH_CLAIM, &[nonce, "9", lease_ms, "1000000", "0", "9", "9999"])
}

/// Fills the bucket.
fn fill() -> Call {
    static FILL: Script = Script::new(
        "fill",
        "redis.call('HSET', KEYS[3], 'tokens', 9, 'ramp_ms', 0, 'filled_ms', '9999999999999')",
    );
    of(&FILL, &[])
}

fn settle(bits: &str, counts: [&str; 4], rest: &[&str]) -> Call {
    let head = ["a", "a", "1", "30000", bits];
    of(&script::PUSH_SETTLE, &[&head[..], &counts, rest].concat())
}

fn control(action: &str) -> Call {
    of(&script::PUSH_CONTROL, &[action])
}

fn started(more: &[Call]) -> Vec<Call> {
    [&[add(&["x", "y", "z"]), start("{}"), fill()], more].concat()
}

/// A worker has all three.
fn held(more: &[Call]) -> Vec<Call> {
    started(&[&[claim("a", "30000")], more].concat())
}

/// A worker had all three, and is silent.
fn silent(more: &[Call]) -> Vec<Call> {
    started(&[&[claim("a", "-1"), fill()], more].concat())
}

const NONE: [&str; 3] = ["", "9", "0"];

fn dead() -> Call {
    settle("", ["0", "3", "0", "0"], &["", "9", "0", "k.1 4 5 0 * x", "k.2 4 5 0 * y"])
}

fn put_off() -> Call {
    let later = ["", "9", "2", "0", "k.1 1 5 0 * x", "50000", "k.2 1 5 0 * y"];
    settle("111", ["1", "0", "0", "0"], &later)
}

#[tokio::test]
async fn claims() {
    check(cases_of_claims()).await;
}

fn cases_of_claims() -> Vec<Case> {
    let claim = || claim("b", "30000");
    vec![
        Case::new("claim", started(&[]), claim()),
        Case::new("claim of nothing", held(&[fill()]), claim()),
        Case::new("claim again", started(&[claim(), fill()]), claim()),
        Case::new("claim at the end", held(&[dead(), fill()]), claim()),
        Case::new("claim of a silent one's", silent(&[]), claim()).any_answer(),
        Case::new("claim of those due", held(&[put_off(), fill()]), claim()),
        Case::new("claim of what is cancelled", silent(&[control("cancel")]), claim()),
        Case::new("claim with an empty bucket", held(&[add(&["w"])]), claim()),
        Case::new("claim of what is paused", started(&[control("pause")]), claim()),
        Case::new("claim of paused blocks", silent(&[control("pause")]), claim()),
        Case::new("claim of a lost block", silent(&[claim()]), self::claim("a", "30000")),
    ]
}

#[tokio::test]
async fn settlements() {
    check(cases_of_settlements()).await;
}

fn cases_of_settlements() -> Vec<Case> {
    let paused = ["many_invalid", "9", "0"];
    let responses =
        ["campaign:c:responses".to_owned(), "bw:once:{campaign:c:responses}:n".to_owned()];
    let respond = call(&script::PUSH_RESPOND, &responses, &["86400", "60", "3", "1", "2"]);
    vec![
        Case::new("a part", held(&[]), settle("110", ["1", "0", "1", "0"], &NONE)),
        Case::new("the rest", held(&[]), settle("", ["1", "1", "0", "1"], &NONE)).any_answer(),
        Case::new("dead letters", held(&[]), dead()).any_answer(),
        Case::new("put off", held(&[]), put_off()),
        Case::new("pause", held(&[]), settle("100", ["1", "0", "0", "0"], &paused)),
        Case::new("what is cancelled", held(&[control("cancel")]), put_off()),
        Case::new("of another one", silent(&[claim("b", "9")]), dead()),
        Case::new("respond", Vec::new(), respond).any_answer(),
    ]
}

#[tokio::test]
async fn controls() {
    check([cases_of_controls(), vec![delete(true)]].concat()).await;
}

/// On a cluster the responses are in another slot.
fn delete(has_responses: bool) -> Case {
    let mut keys = keys();
    keys.insert(2, "bw:once:{campaign:c}:once".to_owned());
    keys.extend(has_responses.then(|| "campaign:c:responses".to_owned()));
    Case::new("delete", held(&[]), call(&script::CAMPAIGN_DELETE, &keys, &["60"]))
}

/// As a cluster gets them.
pub(in crate::faults) fn cases_of_a_cluster() -> Vec<Case> {
    [cases_of_claims(), cases_of_settlements(), cases_of_controls(), vec![delete(false)]].concat()
}

fn cases_of_controls() -> Vec<Case> {
    let index = ["bw:pushing".to_owned()];
    let touch = |touched: &str| call(&script::PUSH_TOUCH, &index, &["c", "86400", "1", touched]);
    let redrive = || of(&script::PUSH_REDRIVE, &["100"]);
    vec![
        Case::new("start", vec![add(&["x"])], start("{}")),
        Case::new("other options", started(&[]), start("{\"a\":1}")),
        Case::new("nothing to start", Vec::new(), start("{}")),
        Case::new("start again", held(&[dead()]), start("{\"a\":1}")),
        Case::new("pause", started(&[]), control("pause")),
        Case::new("resume", started(&[control("pause")]), control("resume")),
        Case::new("cancel", held(&[put_off()]), control("cancel")),
        Case::new("redrive", held(&[dead()]), redrive()).any_answer(),
        Case::new("progress", held(&[]), of(&script::PUSH_PROGRESS, &[])),
        Case::new("touch", Vec::new(), touch("")).command(&["ZADD", "bw:pushing", "5", "d"]),
        Case::new("forget", Vec::new(), touch("5"))
            .command(&["ZADD", "bw:pushing", "5", "c"])
            .any_answer(),
    ]
}
