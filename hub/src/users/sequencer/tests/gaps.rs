//! Jumps, deletions and other epochs while the subscription is established.

use super::*;

#[test]
fn entries_missing_in_the_feed_are_a_gap() {
    let mut user = User::at_five();
    user.take(ours("e", 12));
    user.feed(feed("e", 12, [8, 9, 12]));
    assert_eq!(user.heard(), ["gap:e7", "e8", "e9", "gap:e11", "e12"]);
}

#[test]
fn deletions_from_an_intact_feed_are_not_a_gap() {
    let mut user = User::at_five();
    user.take(ours("e", 12));
    user.feed(Feed { is_intact: true, ..feed("e", 13, [4, 7, 8, 12]) });
    assert_eq!(user.heard(), ["e7", "e8", "e12"]);
    assert_eq!(user.take(ours("e", 14)), None);
    // No entry below the hole: the missing ones may have been trimmed.
    let mut user = User::at_five();
    user.take(ours("e", 12));
    user.feed(Feed { is_intact: true, ..feed("e", 12, [8, 10, 12]) });
    assert_eq!(user.heard(), ["gap:e7", "e8", "e10", "e12"]);
}

#[test]
fn the_first_socket_may_have_the_feed_read_at_once() {
    let mut user = User::new();
    user.take(ours("e", 7));
    user.take(foreign("x"));
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["welcome:e7", "x"]);
    assert_eq!(user.take(ours("e", 8)), None);
    let mut user = User::new();
    user.take(ours("e", 7));
    user.feed(Feed::default());
    assert_eq!(user.heard(), ["welcome", "e7"]);
}

#[test]
fn a_feed_that_knows_nothing_of_a_jump_does_not_stop_it() {
    let mut user = User::at_five();
    user.take(ours("e", 8));
    user.feed(Feed::default());
    assert_eq!(user.heard(), ["gap:e7", "e8"]);
}

#[test]
fn a_jump_waits_for_the_feed_over_an_outage_but_not_for_ever() {
    let mut user = User::at_five();
    user.take(ours("e", 8));
    user.failed();
    user.take(ours("e", 9));
    assert_eq!(user.sequencer.wanted(), Some(FeedQuery::Feed));
    assert_eq!(user.sequencer.wanted(), None);
    assert!(user.heard().is_empty());
    user.feed(feed("e", 9, 1..=9));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "e9"]);
    user.take(ours("e", 11));
    for _ in 0..FEED_READS_FAILED_MAX {
        user.failed();
        assert!(user.heard().is_empty());
    }
    user.failed();
    assert_eq!(user.heard(), ["gap:e10", "e11"]);
    assert_eq!(user.sequencer.wanted(), Some(FeedQuery::Head));
}

#[test]
fn a_new_epoch_replaces_the_old_and_late_messages_do_not_bring_it_back() {
    let mut user = User::at_five();
    assert_eq!(user.take(ours("f", 1)), Some(FeedQuery::Feed));
    user.feed(feed("f", 1, 1..=1));
    assert_eq!(user.take(ours("e", 6)), Some(FeedQuery::Feed));
    user.take(ours("f", 2));
    user.feed(feed("f", 2, 1..=2));
    assert_eq!(user.heard(), ["epoch:f0", "f1", "f2"]);
}

#[test]
fn a_former_epoch_is_accepted_if_the_feed_has_it() {
    let mut user = User::at_five();
    user.take(ours("f", 1));
    user.feed(feed("f", 1, 1..=1));
    user.take(ours("e", 6));
    user.feed(feed("e", 6, 1..=6));
    user.take(ours("e", 7));
    assert_eq!(user.heard(), ["epoch:f0", "f1", "epoch:e5", "e6", "e7"]);
}

#[test]
fn a_position_that_the_feed_does_not_know_changes_nothing() {
    for forged in [ours("x", 9), ours("e", 50), ours("e", i64::MAX)] {
        let mut user = User::at_five();
        assert_eq!(user.take(forged), Some(FeedQuery::Feed));
        user.feed(feed("e", 5, 1..=5));
        user.take(ours("e", 6));
        assert_eq!(user.heard(), ["e6"]);
    }
}

#[test]
fn a_publication_during_a_read_is_not_lost() {
    // The last message for a while: no later one shows a jump.
    let mut user = User::at_five();
    user.take(ours("e", 7));
    for seq in [8, 9] {
        user.take(ours("e", seq));
    }
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "e9"]);
    // One more is missing, or the record was replaced: the feed is read again, and only once.
    for (newer, expected) in [
        (feed("e", 9, 1..=9), ["e6", "e7", "e8", "e9"].as_slice()),
        (feed("f", 1, 1..=1), &["e6", "e7", "epoch:f0", "f1"]),
    ] {
        let position = newer.head.clone().unwrap();
        let mut user = User::at_five();
        user.take(ours("e", 7));
        user.take(ours(&position.epoch, position.seq));
        user.feed(feed("e", 7, 1..=7));
        assert_eq!(user.read, Some(FeedQuery::Feed));
        user.feed(newer);
        assert_eq!((user.read, user.heard()), (None, expected.iter().map(|&w| w.into()).collect()));
    }
    let mut user = User::at_five();
    user.take(ours("e", 7));
    user.take(ours("e", i64::MAX));
    user.take(ours("e", 8));
    user.feed(feed("e", 7, 1..=7));
    user.feed(feed("e", 8, 1..=8));
    assert_eq!((user.read, user.heard()), (None, ["e6", "e7", "e8"].map(String::from).into()));
}

#[test]
fn a_head_that_cannot_be_read_does_not_end_the_wait_for_the_feed() {
    let mut user = User::at_five();
    user.sequencer.unsync();
    assert_eq!(user.take(ours("e", 7)), Some(FeedQuery::Feed));
    // The sweep's read, which was already under way.
    user.sequencer.failed(FeedQuery::Head, &mut |event| user.heard.push(word(event)));
    assert!(user.heard().is_empty() && user.sequencer.is_held());
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["e6", "e7"]);
}

#[test]
fn extreme_heads_do_not_panic() {
    for head in [i64::MIN, i64::MAX] {
        let mut user = User::new();
        user.head(Some(at("e", head)));
        for seq in [1, i64::MAX] {
            user.take(ours("e", seq));
            user.failed();
        }
    }
}

#[test]
fn a_new_feed_may_start_at_any_seq() {
    let mut user = User::new();
    user.head(None);
    user.take(ours("e", 7));
    assert_eq!(user.heard(), ["welcome", "e7"]);
}

#[test]
fn a_muted_entry_takes_its_place_and_is_not_shown() {
    let mut user = User::at_five();
    for message in [muted("e", 6), muted("e", 6), ours("e", 7), muted("e", 8)] {
        assert_eq!(user.take(message), None);
    }
    assert_eq!((user.heard(), user.sequencer.seq()), (vec!["e7".to_owned()], Some(8)));
    // It shows a jump like any other.
    assert_eq!(user.take(muted("e", 10)), Some(FeedQuery::Feed));
    user.take(ours("e", 11));
    user.feed(feed("e", 11, 1..=11));
    assert_eq!(user.heard(), ["e9", "e11"]);
    let mut user = User::at_five();
    assert_eq!(user.take(ours("e", 8)), Some(FeedQuery::Feed));
    user.take(muted("e", 9));
    let mut missed = feed("e", 8, 1..=8);
    missed.entries[5].is_silent = true;
    user.feed(missed);
    assert_eq!((user.heard(), user.sequencer.seq()), (vec!["e7".into(), "e8".into()], Some(9)));
    // The first entry of a feed, and one of a new epoch.
    let mut user = User::new();
    user.head(None);
    assert_eq!(user.take(muted("e", 1)), None);
    assert_eq!(user.take(muted("f", 1)), Some(FeedQuery::Feed));
    user.feed(feed("f", 1, 1..=1));
    assert_eq!(user.heard(), ["welcome", "epoch:f0"]);
}

/// A feed whose entries above the seq `shown` are not delivered.
fn quiet_above(shown: i64, feed: Feed) -> Feed {
    let entries = feed.entries.into_iter().map(|entry| {
        let is_silent = entry.ours.unwrap().seq > shown;
        FeedEntry { is_silent, ..entry }
    });
    Feed { entries: entries.collect(), ..feed }
}

#[test]
fn imported_entries_take_many_places_at_once() {
    let mut user = User::at_five();
    // The list holds the newest hundred of them only.
    for message in
        [quiet("e", 6, 505), quiet("e", 6, 505), quiet("e", 300, 505), quiet("e", 400, 506)]
    {
        assert_eq!(user.take(message), None);
    }
    assert_eq!(user.take(ours("e", 507)), None);
    assert_eq!((user.heard(), user.sequencer.seq()), (vec!["e507".to_owned()], Some(507)));

    // Those below their first place are missed, and those only.
    assert_eq!(user.take(quiet("e", 509, 1008)), Some(FeedQuery::Feed));
    user.take(ours("e", 1009));
    let read = Feed { is_intact: false, ..feed("e", 1009, (508..=508).chain(909..=1009)) };
    let read = quiet_above(508, read);
    user.feed(read);
    assert_eq!(user.heard(), ["e508", "e1009"]);
    let mut user = User::at_five();
    assert_eq!(user.take(quiet("e", 10, 509)), Some(FeedQuery::Feed));
    user.feed(quiet_above(9, feed("e", 509, 410..=509)));
    assert_eq!((user.heard(), user.sequencer.seq()), (vec!["gap:e9".to_owned()], Some(509)));

    // A feed that begins with them, and one that is not known to be empty.
    let mut user = User::new();
    user.head(None);
    assert_eq!(user.take(quiet("e", 401, 500)), None);
    assert_eq!(user.take(ours("e", 501)), None);
    assert_eq!(user.heard(), ["welcome", "e501"]);
    let mut user = User::new();
    user.take(quiet("e", 1, 500));
    user.head(Some(at("e", 500)));
    assert_eq!((user.heard(), user.sequencer.seq()), (vec!["welcome:e500".to_owned()], Some(500)));
}
