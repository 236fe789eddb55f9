//! Messages missed while the subscription, Redis or the user was away.

use super::*;

#[test]
fn after_an_outage_everything_above_is_replayed_once() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    assert!(user.sequencer.needs_head());
    assert_eq!(user.head(Some(at("e", 8))), Some(FeedQuery::Feed));
    user.take(ours("e", 9));
    user.feed(feed("e", 9, 2..=9));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "e9"]);
    assert!(!user.sequencer.needs_head());
}

#[test]
fn after_an_outage_a_live_jump_does_not_wait_for_its_turn() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    assert_eq!(user.take(ours("e", 8)), Some(FeedQuery::Feed));
    assert_eq!(
        user.sequencer.head(
            FeedHead { position: Some(at("e", 8)), ..FeedHead::default() },
            NOW,
            &mut |_| ()
        ),
        None
    );
    user.feed(feed("e", 8, 2..=8));
    assert_eq!(user.heard(), ["e6", "e7", "e8"]);
}

#[test]
fn after_an_outage_a_feed_that_is_gone_keeps_the_position() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    user.head(None);
    user.take(ours("e", 6));
    assert_eq!(user.heard(), ["e6"]);
}

#[test]
fn after_an_outage_a_new_epoch_is_a_gap_before_live_messages() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    assert_eq!(user.take(ours("f", 3)), Some(FeedQuery::Feed));
    user.feed(feed("f", 4, 1..=4));
    assert_eq!(user.heard(), ["epoch:f2", "f3", "f4"]);

    let mut user = User::at_five();
    user.sequencer.unsync();
    assert_eq!(user.head(Some(at("f", 4))), None);
    user.take(ours("f", 5));
    assert_eq!(user.heard(), ["epoch:f4", "f5"]);
}

#[test]
fn a_feed_that_began_during_an_outage_is_replayed_from_where_it_is_new() {
    let mut user = User::new();
    user.head(None);
    user.sequencer.unsync();
    assert_eq!(user.head(Some(at("e", 2))), Some(FeedQuery::Feed));
    user.feed(feed("e", 2, 1..=2));
    assert_eq!(user.heard(), ["welcome", "e1", "e2"]);

    // A lost feed, loaded again with older entries.
    let mut user = User::new();
    user.head(None);
    user.sequencer.unsync();
    user.head(Some(at("e", 4)));
    let mut loaded = feed("e", 4, 1..=4);
    for entry in &mut loaded.entries[..2] {
        entry.ours.as_mut().unwrap().created = NOW - Duration::from_secs(3600);
    }
    user.feed(loaded);
    assert_eq!(user.heard(), ["welcome", "e3", "e4"]);
}

/// The feed `words`, oldest first: numbers are Bellwire's, other words are foreign.
pub(super) fn mixed(head: i64, words: &str) -> Feed {
    let entry = |word: &str| match word.parse() {
        Ok(seq) => feed("e", head, [seq]).entries.remove(0),
        Err(_) => FeedEntry { ours: None, is_silent: false, notification: word.to_owned().into() },
    };
    Feed { entries: words.split(' ').map(entry).collect(), ..feed("e", head, []) }
}

#[test]
fn after_an_outage_foreign_elements_are_delivered_once() {
    let mut user = User::at_five();
    user.take(foreign("x"));
    user.sequencer.unsync();
    // The same newest element: nothing new.
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"x"))), None);
    user.sequencer.unsync();
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"z"))), Some(FeedQuery::Feed));
    // A message that was on its way is not delivered twice.
    user.take(foreign("z"));
    user.feed(mixed(6, "w 5 x y 6 z"));
    assert_eq!(user.heard(), ["x", "z", "e6", "y"]);
    // From then on the newest element is known again.
    user.sequencer.unsync();
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"z"))), None);
    user.sequencer.unsync();
    user.head_with(Some(at("e", 6)), Some(mark(b"a")));
    user.feed(mixed(6, "5 x y 6 z a"));
    assert_eq!(user.heard(), ["a"]);
}

#[test]
fn a_recheck_without_an_outage_delivers_only_our_entries() {
    let mut user = User::at_five();
    user.sequencer.recheck();
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"x"))), None);
    user.sequencer.recheck();
    assert_eq!(user.head_with(Some(at("e", 7)), Some(mark(b"y"))), Some(FeedQuery::Feed));
    user.feed(mixed(7, "5 x 6 7 y"));
    assert_eq!(user.heard(), ["e6", "e7"]);
}

#[test]
fn a_feed_of_foreign_elements_only_is_caught_up_too() {
    let only = |words| Feed { head: None, ..mixed(0, words) };
    let mut user = User::new();
    user.head_with(None, None);
    user.sequencer.unsync();
    assert_eq!(user.head_with(None, Some(mark(b"y"))), Some(FeedQuery::Feed));
    user.feed(only("x y"));
    user.take(foreign("z"));
    user.sequencer.unsync();
    // Elements that cannot be placed are not delivered: they may be duplicates.
    user.head_with(None, Some(mark(b"b")));
    user.feed(only("a b"));
    assert_eq!(user.heard(), ["welcome", "x", "y", "z"]);
    // The list is gone.
    user.sequencer.unsync();
    assert_eq!(user.head_with(None, None), None);
}

#[test]
fn an_expired_entry_counts_and_is_not_shown() {
    let mut user = User::new();
    user.head(Some(at("e", 1)));
    assert_eq!(user.take(ours("e", 5)), Some(FeedQuery::Feed));
    let mut missed = feed("e", 5, 2..=5);
    missed.entries[1].is_silent = true;
    user.feed(missed);
    assert_eq!(user.heard(), ["welcome:e1", "e2", "e4", "e5"]);
}

#[test]
fn after_an_outage_foreign_elements_around_muted_ones_are_delivered_once() {
    let mut user = User::at_five();
    user.take(foreign("x"));
    user.take(muted("e", 6));
    user.sequencer.unsync();
    let with_muted = |head, words| {
        let mut feed = mixed(head, words);
        let muted = feed.entries.iter_mut().filter(|entry| entry.notification == "e6");
        muted.for_each(|entry| entry.is_silent = true);
        feed
    };
    // Its element is newer than the newest that was heard: the feed is read, and has nothing new.
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"e6"))), Some(FeedQuery::Feed));
    user.feed(with_muted(6, "5 x 6"));
    assert_eq!(user.heard(), ["x"]);
    user.sequencer.unsync();
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"y"))), Some(FeedQuery::Feed));
    user.feed(with_muted(6, "5 x 6 y"));
    assert_eq!(user.heard(), ["y"]);
}

#[test]
fn without_redis_the_welcome_has_no_position_and_a_gap_follows() {
    let mut user = User::new();
    user.failed();
    assert_eq!(user.heard(), ["welcome"]);
    user.take(ours("e", 7));
    assert_eq!(user.heard(), ["gap:e6", "e7"]);

    let mut user = User::new();
    user.failed();
    user.head(Some(at("e", 7)));
    assert_eq!(user.heard(), ["welcome", "gap:e7"]);
}

#[test]
fn held_messages_are_bounded() {
    let mut user = User::at_five();
    user.take(ours("e", 7));
    for seq in 8..2000 {
        user.take(ours("e", seq));
    }
    user.feed(feed("e", 1999, 1900..=1999));
    let heard = user.heard();
    assert_eq!(heard[..2], ["gap:e6", "e7"]);
    // As many as may be held, a gap, and the feed's entries among the dropped ones.
    assert_eq!(heard.len(), 1 + crate::limits::HELD_MESSAGES_MAX + 1 + 100);
    assert_eq!(user.take(ours("e", 2000)), None);
}

/// Other services append first and publish then: the feed may be read in between.
#[test]
fn a_foreign_element_that_was_replayed_is_not_sent_again_when_it_is_published() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"b"))), Some(FeedQuery::Feed));
    user.feed(mixed(5, "5 a b"));
    assert_eq!(user.heard(), ["a", "b"]);
    for text in ["b", "a"] {
        user.take(foreign(text));
    }
    assert!(user.heard().is_empty());
    // The same text is another message from then on, and after any other one.
    user.take(foreign("a"));
    assert_eq!(user.heard(), ["a"]);
    user.sequencer.unsync();
    user.head_with(Some(at("e", 5)), Some(mark(b"c")));
    user.feed(mixed(5, "5 a b a c"));
    user.take(foreign("d"));
    user.take(foreign("c"));
    assert_eq!(user.heard(), ["c", "d", "c"]);
}
