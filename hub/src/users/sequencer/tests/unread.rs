//! The number of unread entries: known only where Redis told it.

use super::*;

/// A user at `e5` with three unread entries.
fn with_three() -> User {
    let mut user = User::new();
    user.head_unread(5, 3);
    assert_eq!(user.heard(), ["welcome:e5"]);
    assert_eq!(user.unread(), Some(3));
    user
}

impl User {
    /// A read of the head with a number, as the registry hands it on.
    fn head_unread(&mut self, seq: i64, count: u32) {
        self.sequencer.set_unread(Some(&at("e", seq)), Some(super::unread(count)));
        self.head(Some(at("e", seq)));
    }

    fn unread(&self) -> Option<u32> {
        self.sequencer.unread(NOW)
    }
}

#[test]
fn a_notification_makes_it_unknown_and_a_change_or_a_read_known() {
    let mut user = with_three();
    user.take(ours("e", 5));
    assert_eq!(user.unread(), Some(3), "a duplicate changes nothing");
    user.take(ours("e", 6));
    assert_eq!(user.unread(), None);
    user.take(change(Change::ReadUpTo(1), 2));
    assert_eq!(user.unread(), Some(2));
    user.take(change(Change::RemovedIds(Vec::new()), 1));
    assert_eq!(user.unread(), Some(1));
    user.take(foreign("x"));
    assert_eq!(user.unread(), None);
    user.head_unread(6, 4);
    assert_eq!(user.unread(), Some(4));
    assert_eq!(user.heard(), ["e6", "read:2", "removed:1", "x"]);
}

#[test]
fn a_muted_entry_makes_it_unknown() {
    // It is not unread, but it may have moved an unread one out of the feed window.
    let mut user = with_three();
    user.take(muted("e", 6));
    assert_eq!(user.unread(), None);
    user.head_unread(6, 3);
    assert_eq!(user.unread(), Some(3));
}

#[test]
fn it_ends_when_an_entry_expires() {
    let mut user = with_three();
    let soon = Unread { count: 2, until_ms: NOW.as_millis() as i64 + 10 };
    user.take(Incoming::Change { change: Change::ReadUpTo(1), unread: Some(soon) });
    assert_eq!(user.unread(), Some(2));
    assert_eq!(user.sequencer.unread(NOW + Duration::from_millis(10)), None);
}

#[test]
fn it_belongs_to_one_position_and_needs_a_subscription() {
    let mut user = with_three();
    // Read before the notification that was delivered since.
    user.take(ours("e", 6));
    user.sequencer.set_unread(Some(&at("e", 5)), Some(unread(3)));
    assert_eq!(user.unread(), None);
    // Read after one that is still on its way.
    user.sequencer.set_unread(Some(&at("e", 7)), Some(unread(5)));
    assert_eq!(user.unread(), None);
    user.take(ours("e", 7));
    assert_eq!(user.unread(), Some(5));
    user.sequencer.unsync();
    assert_eq!(user.unread(), None);
}

#[test]
fn a_change_that_was_held_does_not_replace_the_number_of_a_later_read() {
    let mut user = with_three();
    assert_eq!(user.take(ours("e", 8)), Some(FeedQuery::Feed));
    user.take(change(Change::ReadUpTo(1), 4));
    user.sequencer.wanted();
    user.sequencer.set_unread(Some(&at("e", 8)), Some(unread(2)));
    user.feed(feed("e", 8, 1..=8));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "read:4"]);
    // It arrived during the read: whichever is newer, the client has the same.
    assert_eq!(user.unread(), Some(4));
}

#[test]
fn changes_are_counted_when_they_are_delivered() {
    let mut user = with_three();
    let before = user.sequencer.changes();
    user.take(ours("e", 6));
    assert_eq!(user.sequencer.changes(), before, "the position says it");
    user.take(change(Change::RemovedAll, 0));
    assert_ne!(user.sequencer.changes(), before);
}
