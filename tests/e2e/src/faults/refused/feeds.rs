//! Feeds: what is appended lies there once, was published once, and counts as unread.

use shared::{UserId, keys, script};

use super::{Bench, Call, Case, Refusal, call, check};

const NOW: &str = "2026-02-01T00:00:00.000Z";

fn feed() -> Vec<String> {
    let user = UserId::parse("alice").unwrap();
    vec![keys::feed(&user), keys::feed_companion(&user)]
}

fn element(seq: i64) -> String {
    format!(
        "{{\"id\":\"018f0000-0000-7000-8000-00000000000{seq}\",\"userId\":\"alice\",\"seq\":{seq},\
         \"title\":\"t\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}}"
    )
}

/// Entries `seqs` with three as the most that a feed holds.
fn push(mode: &str, after: i64, publish_after: i64, seqs: &[i64]) -> Call {
    let (after, publish_after) = (after.to_string(), publish_after.to_string());
    let head = seqs.last().copied().unwrap_or(0).to_string();
    let channel = keys::NOTIFICATIONS_CHANNEL;
    let mut call = call(
        &script::FEED_PUSH,
        &feed(),
        &[mode, "e", &after, &publish_after, "3", "600", &head, "1", "1=5;", channel],
    );
    for seq in seqs {
        // One that expires some day: asks for the time.
        let expires = if *seq == 2 { "99999999999999" } else { "0" };
        call.args.extend([seq.to_string(), element(*seq), expires.to_owned()]);
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
    let channel = keys::EVENTS_CHANNEL;
    call(&script::FEED_DELETE, &feed(), &["2", "600", id, "e", seq, "3", NOW, channel, event])
}

#[tokio::test]
async fn a_push_or_a_load() {
    let foreign = "{\"userId\":\"alice\"}";
    let mut cases = vec![
        Case::new("push", vec![push("load", 0, 0, &[1])], push("push", 1, 0, &[2])),
        Case::new("push two", vec![push("load", 0, 0, &[1])], push("push", 1, 0, &[2, 3])),
        Case::new("trim", vec![push("load", 0, 0, &[1, 2, 3])], push("push", 3, 0, &[4, 5])),
        Case::new("first load", Vec::new(), push("load", 0, 0, &[1, 2])),
        Case::new("load", vec![push("load", 0, 0, &[1, 2])], push("load", 0, 2, &[1, 2, 3]))
            .command(&["RPUSH", &feed()[0], foreign])
            .command(&["DEL", &feed()[1]]),
        Case::new("load and trim", vec![push("load", 0, 0, &[2])], push("load", 2, 2, &[3, 4, 5]))
            .command(&["LPUSH", &feed()[0], foreign])
            .command(&["HDEL", &feed()[1], "epoch"]),
    ];
    for case in &mut cases {
        case.reads = vec![read(), call(&script::FEED_HEADS, &feed(), &["e"])];
    }
    check(cases).await;
}

#[tokio::test]
async fn a_mark_or_a_delete() {
    let id = |seq: i64| element(seq)[7..43].to_owned();
    let three = || vec![push("load", 0, 0, &[1, 2, 3])];
    let event = "{\"type\":\"read\",\"unread\":";
    let mark = call(
        &script::FEED_MARK,
        &feed(),
        &["2", "1=5;2=5;", "600", "3", NOW, keys::EVENTS_CHANNEL, event, "e"],
    );
    check(vec![
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
    ])
    .await;
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
    let three = || vec![push("load", 0, 0, &[1, 2, 3])];
    check(vec![
        Case::new("read", three(), read()).any_answer(),
        Case::new("read after a trim", three(), read())
            .command(&["LPUSH", &feed()[0], "{}"])
            .command(&["LTRIM", &feed()[0], "0", "2"])
            .any_answer(),
        Case::new("entry", three(), call(&script::FEED_ENTRY, &feed(), &[&element(1)[7..43]])),
        Case::new("heads", three(), call(&script::FEED_HEADS, &feed(), &["e"])),
        Case::new("unread", three(), call(&script::FEED_UNREAD, &feed(), &["3", NOW])).any_answer(),
    ])
    .await;
}
