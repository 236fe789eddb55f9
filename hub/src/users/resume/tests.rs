use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::{Protocol, Welcome};
use crate::redis::feed_reader::{FeedEntry, Ours};

fn at(epoch: &str, seq: i64) -> Position {
    Position { epoch: epoch.into(), seq }
}

/// A feed of epoch `e`, oldest first: numbers are Bellwire's, other words are foreign, `!n` is
/// expired or muted.
fn feed(head: i64, is_intact: bool, words: &str) -> Feed {
    let entry = |word: &str| {
        let (word, is_silent) = word.strip_prefix('!').map_or((word, false), |word| (word, true));
        let created = Duration::ZERO;
        let ours = word.parse().ok().map(|seq| Ours { seq, created });
        FeedEntry { ours, is_silent, notification: format!(r#"{{"id":"id-{word}"}}"#).into() }
    };
    let entries = words.split_whitespace().map(entry).collect();
    Feed { head: Some(at("e", head)), is_intact, entries, unread: None }
}

fn welcome(position: &Position) -> Outgoing {
    Outgoing::Welcome(Welcome { position: Some(position.clone()), ..Welcome::default() })
}

/// The client's events in the words of [`feed`], and the position it has reached.
fn replay(cursor: &Cursor, feed: &Feed) -> (String, Option<i64>) {
    let Replay { events, upto } = cursor.replay(feed);
    let word = |event: &Outgoing| match event {
        Outgoing::Notification { text, position } => {
            let text = std::str::from_utf8(text).unwrap();
            let word = text.trim_start_matches(r#"{"id":"id-"#).trim_end_matches(r#""}"#);
            assert_eq!(position.as_ref().map(|p| p.seq), word.parse().ok());
            word.to_owned()
        }
        Outgoing::Gap { reason, position } => {
            let word = if *reason == GapReason::Missed { "gap" } else { "epoch" };
            format!("{word}:{}", position.as_ref().map_or(-1, |position| position.seq))
        }
        other => panic!("{other:?}"),
    };
    (events.iter().map(word).collect::<Vec<_>>().join(" "), upto.map(|position| position.seq))
}

fn after(seq: i64, feed: &Feed) -> String {
    let (words, upto) = replay(&Cursor::At(at("e", seq)), feed);
    assert_eq!(upto, feed.head.as_ref().map(|head| head.seq.max(seq)));
    words
}

#[test]
fn everything_above_the_cursor_in_order_with_foreign_ones_in_their_places() {
    let feed = feed(7, true, "w 3 4 x 5 !6 y 7 z");
    assert_eq!(after(3, &feed), "4 x 5 y 7 z");
    assert_eq!(after(4, &feed), "x 5 y 7 z");
    assert_eq!(after(6, &feed), "y 7 z");
    assert_eq!(after(7, &feed), "z");
    // Its entry is gone, but the next one is there: nothing is missing.
    assert_eq!(after(2, &feed), "3 4 x 5 y 7 z");
}

#[test]
fn a_hole_is_a_gap_unless_it_must_be_a_deletion() {
    assert_eq!(after(1, &feed(7, true, "4 5 6 7")), "gap:3 4 5 6 7");
    assert_eq!(after(1, &feed(7, false, "1 2 4 6")), "2 gap:3 4 gap:5 6 gap:7");
    assert_eq!(after(1, &feed(7, true, "1 2 4 6")), "2 4 6");
    assert_eq!(after(1, &feed(7, true, "")), "gap:7");
    assert_eq!(after(7, &feed(7, false, "")), "");
}

#[test]
fn a_feed_that_is_behind_has_nothing_and_one_of_another_epoch_is_unreachable() {
    assert_eq!(replay(&Cursor::At(at("e", 9)), &feed(7, true, "6 7")), (String::new(), Some(9)));
    let other = Cursor::At(at("f", 3));
    assert_eq!(replay(&other, &feed(7, true, "4 5 6 7")), ("epoch:7".to_owned(), Some(7)));
    assert!(!other.replay(&feed(7, true, "4 5 6 7")).is_complete());
    let nothing = Feed::default();
    // The feed may be loaded again, with the client's entries.
    assert_eq!(replay(&Cursor::At(at("e", 3)), &nothing), ("gap:-1".to_owned(), Some(3)));
    for cursor in [Cursor::Id("id-3".into()), Cursor::Unknown] {
        assert_eq!(replay(&cursor, &nothing), ("gap:-1".to_owned(), None));
    }
}

#[test]
fn an_id_is_found_at_any_position() {
    let feed = feed(7, true, "4 x 5 7");
    for (id, words) in [("id-4", "x 5 7"), ("id-x", "5 7"), ("id-7", ""), ("id-9", "gap:7")] {
        let found = replay(&Cursor::Id(id.into()), &feed);
        assert_eq!(found, (words.to_owned(), Some(7)), "{id}");
    }
}

#[test]
fn cursors_are_parsed_or_rejected_by_name() {
    let parse = |raw: &str| Cursor::from_query(&shared::path::query_pairs(raw).unwrap());
    assert_eq!(parse("x=1"), Ok(None));
    assert_eq!(parse("since=seq:5&epoch=e"), Ok(Some(Cursor::At(at("e", 5)))));
    assert_eq!(parse("epoch=e%3A1&since=seq%3A0"), Ok(Some(Cursor::At(at("e:1", 0)))));
    assert_eq!(parse("since=id:a"), Ok(Some(Cursor::Id("a".into()))));
    for (raw, code, field) in [
        ("since=5&epoch=e", Code::InvalidField, "since"),
        ("since=seq:-1&epoch=e", Code::InvalidField, "since"),
        ("since=seq:x&epoch=e", Code::InvalidField, "since"),
        ("since=id:", Code::InvalidField, "since"),
        ("since=seq:5", Code::MissingField, "epoch"),
        ("since=seq:5&epoch=", Code::InvalidField, "epoch"),
        ("epoch=e", Code::MissingField, "since"),
    ] {
        let error = parse(raw).unwrap_err();
        assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{raw}");
    }
    assert!(parse(&format!("since=id:{}", "x".repeat(300))).is_err());
    assert_eq!(Cursor::from_event_id(b"e:x:5"), Cursor::At(at("e:x", 5)));
    let long = "e".repeat(300) + ":5";
    for other in [&b""[..], b"5", b":5", b"e:", b"e:-1", b"\xff:5", long.as_bytes()] {
        assert_eq!(Cursor::from_event_id(other), Cursor::Unknown);
    }
}

proptest! {
    /// An id that the hub sends is parsed as the same position, for any epoch.
    #[test]
    fn an_event_id_comes_back_as_it_was_sent(epoch in "[ -~\\PC]{1,40}", seq in 0..=i64::MAX) {
        let position = Position { epoch: epoch.as_str().into(), seq };
        let block = welcome(&position).encode(Protocol::Events).unwrap();
        let id = block.strip_prefix(b"id: ").and_then(|id| id.strip_suffix(b"\n\n")).unwrap();
        prop_assert_eq!(Cursor::from_event_id(id), Cursor::At(position));
    }

    #[test]
    fn cursors_from_outside_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        query in "((since|epoch|x)=?(seq:|id:|seq%3A)?-?[0-9a-z%+:]{0,25}&?){0,4}",
    ) {
        match Cursor::from_event_id(&bytes) {
            Cursor::At(position) => prop_assert!(position.seq >= 0 && !position.epoch.is_empty()),
            other => prop_assert_eq!(other, Cursor::Unknown),
        }
        if let Ok(Ok(Some(Cursor::At(position)))) =
            shared::path::query_pairs(&query).map(|pairs| Cursor::from_query(&pairs))
        {
            prop_assert!(position.seq >= 0 && !position.epoch.is_empty());
        }
    }
}

#[test]
fn a_replay_above_the_size_limit_is_a_gap() {
    let mut large = feed(2, true, "1 x y z 2");
    for entry in &mut large.entries[1..4] {
        let filler = "z".repeat(REPLAY_BYTES_MAX / 3);
        entry.notification = format!(r#"{{"id":"id-x","z":"{filler}"}}"#).into();
    }
    assert_eq!(after(1, &large), "gap:2");
    assert_eq!(after(2, &large), "");
    large.entries.remove(1);
    assert!(Cursor::At(at("e", 1)).replay(&large).is_complete());
}

#[test]
fn a_feed_that_only_other_services_write_is_resumed_by_id() {
    let by_id = |id: &str, words| {
        let feed = Feed { head: None, ..feed(0, false, words) };
        replay(&Cursor::Id(format!("id-{id}").into()), &feed)
    };
    assert_eq!(by_id("x", "w x y z"), ("y z".to_owned(), None));
    assert_eq!(by_id("z", "w x y z"), (String::new(), None));
    assert_eq!(by_id("a", "w x y z"), ("gap:-1".to_owned(), None));
    // The companion is gone, and with it the epoch.
    assert_eq!(by_id("x", "w x 1 z"), ("gap:-1".to_owned(), None));
}
