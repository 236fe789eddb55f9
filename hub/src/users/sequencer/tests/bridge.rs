//! Other services' elements that were not forwarded because the forwarding hub had ended, with newer
//! messages behind them.

use super::outages::mixed;
use super::*;
use crate::limits::{BRIDGE_PERIODS_KEPT, RECENT_MAX};

const FIRST: u32 = BRIDGE_PERIODS_KEPT;

/// A user at `e5`, below a foreign `x`, with a bridge.
fn bridged() -> User {
    let mut user = User::new();
    user.sequencer.set_period(FIRST);
    user.head_with(Some(at("e", 5)), Some(mark(b"x")));
    assert_eq!(user.heard(), ["welcome:e5"]);
    user
}

/// Another hub forwards from now on, and the list is compared.
fn taken_over(user: &mut User, seq: i64, words: &str) -> Vec<String> {
    user.sequencer.unsync();
    let newest = words.split(' ').next_back().unwrap();
    let newest = newest.parse().map_or(newest.to_owned(), |seq: i64| text("e", seq));
    if user.head_with(Some(at("e", seq)), Some(mark(newest.as_bytes()))).is_some() {
        user.feed(mixed(seq, words));
    }
    user.heard()
}

#[test]
fn newer_messages_do_not_hide_what_was_not_forwarded() {
    let mut user = bridged();
    user.take(foreign("a"));
    // `b` and `c` were not forwarded.
    user.take(ours("e", 6));
    user.take(foreign("d"));
    assert_eq!(user.heard(), ["a", "e6", "d"]);
    assert_eq!(taken_over(&mut user, 6, "5 x a b 6 c d"), ["b", "c"]);
    assert_eq!(taken_over(&mut user, 6, "5 x a b 6 c d"), [""; 0]);
    // The next holder's messages, and another loss.
    user.take(foreign("f"));
    assert_eq!(taken_over(&mut user, 6, "5 x a b 6 c d e f"), ["f", "e"]);
}

#[test]
fn what_is_still_on_its_way_is_not_sent_twice() {
    let mut user = bridged();
    user.take(foreign("a"));
    assert_eq!(taken_over(&mut user, 5, "5 x a b c d"), ["a", "b", "c", "d"]);
    // Something that was only published comes in between.
    for text in ["only", "c", "d"] {
        user.take(foreign(text));
    }
    assert_eq!(user.heard(), ["only"]);
    // Much later the same text is another message.
    user.sequencer.set_period(FIRST + 2);
    user.take(foreign("b"));
    assert_eq!(user.heard(), ["b"]);
}

#[test]
fn a_read_in_between_hides_nothing() {
    let mut user = bridged();
    user.take(foreign("a"));
    user.sequencer.recheck();
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"b"))), None);
    assert_eq!(user.take(ours("e", 7)), Some(FeedQuery::Feed));
    user.feed(mixed(7, "5 x a b 6 7"));
    assert_eq!(user.heard(), ["a", "e6", "e7"]);
    assert_eq!(taken_over(&mut user, 7, "5 x a b 6 7"), ["b"]);
    // A user without messages.
    let mut user = bridged();
    user.sequencer.recheck();
    user.head_with(Some(at("e", 5)), Some(mark(b"b")));
    assert_eq!(taken_over(&mut user, 5, "5 x b"), ["b"]);
}

#[test]
fn what_was_never_published_is_not_sent_when_the_bridge_changes_much_later() {
    let mut user = bridged();
    user.take(foreign("a"));
    user.sequencer.recheck();
    // `b` was appended only.
    user.head_with(Some(at("e", 5)), Some(mark(b"b")));
    for period in FIRST + 1..=FIRST + BRIDGE_PERIODS_KEPT {
        user.sequencer.set_period(period);
    }
    user.take(foreign("c"));
    assert_eq!(taken_over(&mut user, 5, "5 x a b d c"), ["a", "c", "d"]);
}

#[test]
fn messages_that_are_in_no_feed_do_not_keep_elements_from_being_found() {
    let mut user = bridged();
    for text in ["a", "only", "alone"] {
        user.take(foreign(text));
    }
    user.sequencer.set_period(FIRST + BRIDGE_PERIODS_KEPT);
    user.take(foreign("other"));
    user.heard();
    assert_eq!(taken_over(&mut user, 5, "5 x a b"), ["b"]);
}

/// It would be sent twice.
#[test]
fn elements_of_a_service_that_publishes_other_bytes_are_left_out() {
    let mut user = bridged();
    user.take(foreign("A"));
    user.take(foreign("B"));
    assert_eq!(taken_over(&mut user, 5, "5 x a b c"), ["A", "B"]);
}

#[test]
fn few_messages_are_remembered() {
    let mut user = bridged();
    for n in 0..10_000 {
        user.take(foreign(&format!("m{n}")));
    }
    let recent = user.sequencer.recent.as_ref().unwrap();
    assert!(recent.len() <= RECENT_MAX);
    let last: Vec<_> = (9_990..10_000).map(|n| format!("m{n}")).collect();
    user.heard();
    let words = format!("{} lost {}", last[..5].join(" "), last[5..].join(" "));
    assert_eq!(taken_over(&mut user, 5, &words), ["lost"]);
    assert!(user.sequencer.recent.is_none());
}
