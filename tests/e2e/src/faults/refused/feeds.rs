//! Feeds: what is appended lies there once, was published once, and counts as unread.

use shared::live::Live;
use shared::{UserId, keys, script};

use super::{Bench, Call, Case, Refusal, call, check};

const NOW: &str = "2026-02-01T00:00:00.000Z";

fn feed() -> Vec<String> {
    let user = UserId::parse("alice").unwrap();
    vec![keys::feed(&user), keys::feed_companion(&user)]
}

/// Entries 6 and 7 are muted, those above imported.
fn element(seq: i64) -> String {
    let quiet = match seq {
        ..=5 => "",
        6..=7 => "\"muted\":true,",
        8.. => "\"imported\":true,",
    };
    format!(
        "{{\"id\":\"018f0000-0000-7000-8000-00000000000{seq}\",\"userId\":\"alice\",\"seq\":{seq},\
         {quiet}\"title\":\"t\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}}"
    )
}

/// Entries `seqs` with three as the most that a feed holds.
fn push(mode: &str, after: i64, publish_after: i64, seqs: &[i64]) -> Call {
    push_on(keys::NOTIFICATIONS_CHANNEL, mode, after, publish_after, seqs)
}

fn push_on(channels: &str, mode: &str, after: i64, publish_after: i64, seqs: &[i64]) -> Call {
    let (after, publish_after) = (after.to_string(), publish_after.to_string());
    let head = seqs.last().copied().unwrap_or(0).to_string();
    let mut call = call(
        &script::FEED_PUSH,
        &feed(),
        &[mode, "e", &after, &publish_after, "3", "600", &head, "1", "1=5;", channels],
    );
    for seq in seqs {
        // One that expires some day: asks for the time.
        let expires = match *seq {
            2 => "99999999999999".to_owned(),
            6..=7 => "-1".to_owned(),
            8.. => (-1 - seq).to_string(),
            _ => "0".to_owned(),
        };
        call.args.extend([seq.to_string(), element(*seq), expires]);
    }
    call
}

/// Entry `seq` for alice and, if there are to be two users, for bob.
fn push_many(mode: &str, seq: i64, users: usize) -> Call {
    let bob = UserId::parse("bob").unwrap();
    let keys = [feed(), vec![keys::feed(&bob), keys::feed_companion(&bob)]].concat();
    let mut call = call(&script::FEED_PUSH_MANY, &keys[..2 * users], &["e", "3", "600"]);
    for _ in 0..users {
        let (after, head, channel) = (seq - 1, i64::from(mode == "load"), "notifications");
        call.args.extend([mode.to_owned(), after.to_string(), head.to_string()]);
        call.args.extend([channel.to_owned(), seq.to_string(), element(seq), "0".to_owned()]);
    }
    call
}

fn read() -> Call {
    call(&script::FEED_READ, &feed(), &["10", "3", NOW, "newest", ""])
}

/// Without an event: a delete that is repeated tells of itself again.
fn delete(id: &str, seq: &str) -> Call {
    delete_and_tell(id, seq, "")
}

fn delete_and_tell(id: &str, seq: &str, event: &str) -> Call {
    delete_on(keys::EVENTS_CHANNEL, id, seq, event)
}

fn delete_on(channels: &str, id: &str, seq: &str, event: &str) -> Call {
    call(&script::FEED_DELETE, &feed(), &["2", "600", id, "e", seq, "3", NOW, channels, event])
}

fn cases_of_pushes() -> Vec<Case> {
    let foreign = "{\"userId\":\"alice\"}";
    vec![
        Case::new("push", vec![push("load", 0, 0, &[1])], push("push", 1, 0, &[2])),
        Case::new("push as one of many", vec![push("load", 0, 0, &[1])], push_many("push", 2, 1)),
        Case::new("load as one of many", Vec::new(), push_many("load", 1, 1)),
        Case::new("push two", vec![push("load", 0, 0, &[1])], push("push", 1, 0, &[2, 3])),
        Case::new("trim", vec![push("load", 0, 0, &[1, 2, 3])], push("push", 3, 0, &[4, 5])),
        Case::new("push of a muted one", vec![push("load", 0, 0, &[5])], push("push", 5, 0, &[6])),
        Case::new("push around muted ones", vec![push("load", 4, 4, &[5])], {
            push("push", 5, 0, &[6, 7])
        }),
        Case::new("load of muted ones", Vec::new(), push("load", 3, 3, &[4, 5, 6])),
        Case::new("load of imported ones", Vec::new(), push("load", 7, 7, &[8, 9])),
        Case::new("imported ones to a warm feed", vec![push("load", 6, 6, &[7])], {
            push("load", 6, 6, &[7, 8, 9])
        })
        .command(&["LPUSH", &feed()[0], foreign]),
        Case::new("first load", Vec::new(), push("load", 0, 0, &[1, 2])),
        Case::new("load", vec![push("load", 0, 0, &[1, 2])], push("load", 0, 2, &[1, 2, 3]))
            .command(&["RPUSH", &feed()[0], foreign])
            .command(&["DEL", &feed()[1]]),
        Case::new("load and trim", vec![push("load", 0, 0, &[2])], push("load", 2, 2, &[3, 4, 5]))
            .command(&["LPUSH", &feed()[0], foreign])
            .command(&["HDEL", &feed()[1], "epoch"]),
    ]
}

#[tokio::test]
async fn a_push_or_a_load() {
    let mut cases = cases_of_pushes();
    cases.extend([
        Case::new("load of two", Vec::new(), push_many("load", 1, 2)),
        Case::new("push of two", vec![push_many("load", 1, 2)], push_many("push", 2, 2)),
    ]);
    for case in &mut cases {
        case.reads = vec![read(), call(&script::FEED_HEADS, &feed(), &["e"])];
    }
    check(cases).await;
}

#[tokio::test]
async fn a_mark_or_a_delete() {
    check(cases_of_changes()).await;
}

/// Another service's element.
const THEIRS: &str = r#"{"id":17,"userId":"alice"}"#;

static LPUSH: script::Script =
    script::Script::new("lpush", "redis.call('LPUSH', KEYS[1], ARGV[1])");

/// An entry and one of theirs above it.
fn theirs_on_top() -> Vec<Call> {
    vec![push("load", 0, 0, &[1]), call(&LPUSH, &feed(), &[THEIRS])]
}

/// One of theirs between two entries.
fn theirs_inside() -> Vec<Call> {
    [theirs_on_top(), vec![push("push", 1, 0, &[2])]].concat()
}

fn mark_theirs(channels: &str) -> Call {
    let mut mark = mark_on(channels);
    mark.args.extend(["5".to_owned(), "17".to_owned(), "other".to_owned()]);
    mark
}

/// A repeat finds nothing to tell of.
fn remove(channels: &str, event: &str) -> Call {
    call(&script::FEED_REMOVE, &feed(), &["17", "3", NOW, channels, event])
}

fn mark_on(channels: &str) -> Call {
    let event = "{\"type\":\"read\",\"unread\":";
    let args = ["2", "1=5;2=5;", "600", "3", NOW, channels, event, "e"];
    call(&script::FEED_MARK, &feed(), &args)
}

fn cases_of_changes() -> Vec<Case> {
    let id = |seq: i64| element(seq)[7..43].to_owned();
    let three = || vec![push("load", 0, 0, &[1, 2, 3])];
    let mark = mark_on(keys::EVENTS_CHANNEL);
    let marked_theirs = [theirs_on_top(), vec![mark_theirs(keys::EVENTS_CHANNEL)]].concat();
    vec![
        Case::new("mark", three(), mark.clone()).reads(vec![read()]),
        Case::new("mark of a cold feed", Vec::new(), mark),
        Case::new("delete the newest", three(), delete(&id(3), "3"))
            .reads(vec![read()])
            .any_answer(),
        Case::new("delete the oldest", three(), delete(&id(1), "1"))
            .reads(vec![read()])
            .any_answer(),
        Case::new("delete before its push", three(), delete(&id(4), "4")),
        Case::new("erase", three(), delete("", "0")).any_answer(),
        Case::new("mark of theirs", three(), mark_theirs(keys::EVENTS_CHANNEL))
            .command(&["LPUSH", &feed()[0], THEIRS])
            .reads(vec![read()]),
        Case::new("load beside a mark of theirs", marked_theirs, push("load", 0, 1, &[1, 2]))
            .command(&["HDEL", &feed()[1], "epoch"])
            .reads(vec![read()]),
        Case::new("removal from the top", theirs_on_top(), remove(keys::EVENTS_CHANNEL, ""))
            .command(&["LPUSH", &feed()[0], "{}"])
            .reads(vec![read()])
            .any_answer(),
        Case::new("removal from the middle", theirs_inside(), remove(keys::EVENTS_CHANNEL, ""))
            .command(&["LPUSH", &feed()[0], "{}"])
            .reads(vec![read()])
            .any_answer(),
        Case::new("removal from a cold feed", Vec::new(), remove(keys::EVENTS_CHANNEL, ""))
            .command(&["LPUSH", &feed()[0], THEIRS, THEIRS])
            .any_answer(),
    ]
}

/// The calls that publish on the user's own channel, in these ways.
pub(in crate::faults) fn cases_of_own_channels() -> Vec<Case> {
    let user = UserId::parse("alice").unwrap();
    let three = || vec![push("load", 0, 0, &[1, 2, 3])];
    let event = "{\"type\":\"removed\",\"unread\":";
    let mut cases = Vec::new();
    for live in [Live::Own, Live::Bridge] {
        let push_on = |mode: &str, after, seqs: &[i64]| {
            let channels = live.channels(keys::NOTIFICATIONS_CHANNEL, &user);
            push_on(&channels, mode, after, 0, seqs)
        };
        let events = live.channels(keys::EVENTS_CHANNEL, &user);
        cases.extend([
            Case::new("push to the user", three(), push_on("push", 3, &[4, 5])),
            Case::new("load for the user", Vec::new(), push_on("load", 0, &[1, 2])),
            Case::new("muted for the user", vec![push("load", 4, 4, &[5])], {
                push_on("push", 5, &[6, 7])
            }),
            Case::new("mark for the user", three(), mark_on(&events)),
            Case::new("delete for the user", three(), {
                delete_on(&events, &element(2)[7..43], "2", event)
            })
            .any_answer(),
            Case::new("removal for the user", theirs_inside(), remove(&events, event)).any_answer(),
        ]);
    }
    cases
}

/// Pushes whose channels are refused, one or both: nothing is appended or published twice.
#[tokio::test]
async fn a_push_to_own_channels() {
    let is_push = |case: &Case| case.call.script.name == "feed_push";
    let cases: Vec<Case> = cases_of_own_channels().into_iter().filter(is_push).collect();
    let bench = Bench::start().await;
    let user = UserId::parse("alice").unwrap();
    for case in &cases {
        bench.prepare(case).await;
        let answer = bench.eval(&case.call, 1, false).await.unwrap();
        let expected = bench.end(case).await;
        for kept in [keys::NOTIFICATIONS_CHANNEL.to_owned(), keys::live_channel(&user)] {
            bench.check(case, &Refusal::ChannelsBut(kept), &answer, &expected).await;
        }
    }
    check(cases).await;
}

/// As a cluster gets them.
pub(in crate::faults) fn cases_of_a_cluster() -> Vec<Case> {
    let all = [cases_of_pushes(), cases_of_changes(), cases_of_reads(), cases_of_own_channels()];
    all.concat()
}

#[tokio::test]
async fn a_delete_does_not_depend_on_whether_it_may_be_told() {
    let bench = Bench::start().await;
    let event = "{\"type\":\"removed\",\"unread\":";
    for (id, seq) in [(element(2)[7..43].to_owned(), "2"), (String::new(), "0")] {
        let delete = delete_and_tell(&id, seq, event);
        let case = Case::new("delete", vec![push("load", 0, 0, &[1, 2, 3])], delete);
        let mut ends = Vec::new();
        for refusal in [None, Some(Refusal::Channels), Some(Refusal::Command("publish".into()))] {
            bench.permit().await;
            bench.prepare(&case).await;
            if let Some(refusal) = &refusal {
                bench.refuse(&case, refusal).await;
            }
            let answer = bench.eval(&case.call, 1, false).await;
            let mut end = bench.end(&case).await;
            if refusal.is_none() {
                assert_eq!(end.published, 1);
            }
            end.published = 0;
            ends.push((answer, end));
        }
        let (answer, end) = &ends[0];
        assert!(answer.is_ok(), "{answer:?}");
        for other in &ends[1..] {
            assert!(other.0 == *answer && other.1 == *end, "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_read() {
    check(cases_of_reads()).await;
}

fn cases_of_reads() -> Vec<Case> {
    let three = || vec![push("load", 0, 0, &[1, 2, 3])];
    vec![
        Case::new("read", three(), read()).any_answer(),
        Case::new("read after a trim", three(), read())
            .command(&["LPUSH", &feed()[0], "{}"])
            .command(&["LTRIM", &feed()[0], "0", "2"])
            .any_answer(),
        Case::new("entry", three(), call(&script::FEED_ENTRY, &feed(), &[&element(1)[7..43]])),
        Case::new("heads", three(), call(&script::FEED_HEADS, &feed(), &["e"])),
        Case::new("unread", three(), call(&script::FEED_UNREAD, &feed(), &["3", NOW])).any_answer(),
    ]
}
