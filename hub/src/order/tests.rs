use proptest::prelude::*;

use super::*;
use crate::feed::{Entry, Ours};

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn at(epoch: &str, seq: i64) -> Position {
    Position { epoch: epoch.into(), seq }
}

fn ours(epoch: &str, seq: i64) -> Incoming {
    Incoming::notification(text(epoch, seq).into(), Some(at(epoch, seq)))
}

fn foreign(text: &str) -> Incoming {
    Incoming::notification(text.to_owned().into(), None)
}

fn text(epoch: &str, seq: i64) -> String {
    format!("{epoch}{seq}")
}

fn feed(epoch: &str, head: i64, seqs: impl IntoIterator<Item = i64>) -> Feed {
    let entry = |seq| Entry {
        ours: Some(Ours { seq, created: NOW }),
        is_expired: false,
        notification: text(epoch, seq).into(),
    };
    let entries = seqs.into_iter().map(entry).collect();
    Feed { head: Some(at(epoch, head)), is_intact: false, entries }
}

/// What the sockets heard, as words: `e5` a notification, `gap:e4`, `epoch:e4`, `welcome`.
fn word(event: Event) -> String {
    match event {
        Event::Welcome(None) => "welcome".to_owned(),
        Event::Welcome(Some(Position { epoch, seq })) => format!("welcome:{epoch}{seq}"),
        Event::Notification { text, .. } => String::from_utf8(text.to_vec()).unwrap(),
        Event::Gap { reason, position } => {
            let word = if reason == GapReason::Missed { "gap" } else { "epoch" };
            let Position { epoch, seq } = position.unwrap();
            format!("{word}:{epoch}{seq}")
        }
        Event::Read { unread, .. } => format!("read:{unread}"),
        Event::Reconnect { .. } => unreachable!(),
    }
}

struct User {
    order: Order,
    heard: Vec<String>,
    read: Option<Read>,
}

impl User {
    fn new() -> Self {
        Self { order: Order::default(), heard: Vec::new(), read: Some(Read::Head) }
    }

    /// A user whose feed stands at `e5`, with the welcome behind them.
    fn at_five() -> Self {
        let mut user = Self::new();
        user.head(Some(at("e", 5)));
        assert_eq!(user.heard(), ["welcome:e5"]);
        user
    }

    fn take(&mut self, message: Incoming) -> Option<Read> {
        let read = self.order.take(message, &mut |event| self.heard.push(word(event)));
        self.read = self.read.or(read);
        read
    }

    fn head(&mut self, head: Option<Position>) -> Option<Read> {
        // As in the feeds of `feed`, whose newest element has the head's seq.
        let newest = head.as_ref().map(|at| mark(text(&at.epoch, at.seq).as_bytes()));
        self.head_with(head, newest)
    }

    fn head_with(&mut self, position: Option<Position>, newest: Option<u64>) -> Option<Read> {
        let head = Head { position, newest };
        self.read = self.order.head(head, NOW, &mut |event| self.heard.push(word(event)));
        self.read
    }

    fn feed(&mut self, feed: Feed) {
        self.read = self.order.feed(feed, NOW, &mut |event| self.heard.push(word(event)));
    }

    /// A read of the feed that the sweep has to start again.
    fn due(&mut self) -> Option<Read> {
        self.order.wanted().filter(|read| *read == Read::Feed)
    }

    fn failed(&mut self) {
        let read = self.read.take().unwrap_or(Read::Feed);
        self.order.failed(read, &mut |event| self.heard.push(word(event)));
    }

    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }
}

#[test]
fn the_next_is_delivered_and_doubles_are_dropped() {
    let mut user = User::at_five();
    for seq in [5, 6, 6, 4, 7] {
        assert_eq!(user.take(ours("e", seq)), None);
    }
    assert_eq!(user.heard(), ["e6", "e7"]);
}

#[test]
fn foreign_messages_are_always_delivered() {
    let mut user = User::at_five();
    for message in ["x", "x"] {
        assert_eq!(user.take(foreign(message)), None);
    }
    assert_eq!(user.heard(), ["x", "x"]);
}

#[test]
fn messages_wait_for_the_first_head_and_come_after_the_welcome() {
    let mut user = User::new();
    assert_eq!(user.order.welcome(), None);
    user.take(ours("e", 5));
    user.take(foreign("x"));
    user.take(ours("e", 6));
    assert!(user.heard().is_empty());
    user.head(Some(at("e", 5)));
    assert_eq!(user.heard(), ["welcome:e5", "x", "e6"]);
}

#[test]
fn a_jump_is_caught_up_before_what_made_it_known() {
    let mut user = User::at_five();
    assert_eq!(user.take(ours("e", 8)), Some(Read::Feed));
    assert_eq!(user.take(foreign("x")), None);
    assert_eq!(user.take(ours("e", 9)), None);
    assert!(user.heard().is_empty());
    user.feed(feed("e", 10, 1..=10));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "x", "e9", "e10"]);
    // On its way when the feed was read.
    user.take(ours("e", 10));
    assert!(user.heard().is_empty());
}

#[test]
fn read_marks_wait_with_the_notifications_before_them() {
    let read = |unread| Incoming::read(shared::wire::Marked::UpTo(1), unread);
    let mut user = User::new();
    user.take(read(1));
    user.head(Some(at("e", 5)));
    assert_eq!(user.heard(), ["welcome:e5", "read:1"]);
    user.take(ours("e", 7));
    user.take(read(2));
    assert!(user.heard().is_empty());
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["e6", "e7", "read:2"]);
    user.take(read(0));
    assert_eq!(user.heard(), ["read:0"]);
}

#[test]
fn what_the_feed_does_not_hold_is_a_gap() {
    let mut user = User::at_five();
    user.take(ours("e", 12));
    user.feed(feed("e", 12, [8, 9, 12]));
    assert_eq!(user.heard(), ["gap:e7", "e8", "e9", "gap:e11", "e12"]);
}

#[test]
fn what_was_deleted_from_a_feed_that_holds_everything_else_is_no_gap() {
    let mut user = User::at_five();
    user.take(ours("e", 12));
    user.feed(Feed { is_intact: true, ..feed("e", 13, [4, 7, 8, 12]) });
    assert_eq!(user.heard(), ["e7", "e8", "e12"]);
    assert_eq!(user.take(ours("e", 14)), None);
    // Nothing below the hole: what is missing may have been pushed out.
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
    assert_eq!(user.order.wanted(), Some(Read::Feed));
    assert_eq!(user.order.wanted(), None);
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
    assert_eq!(user.order.wanted(), Some(Read::Head));
}

#[test]
fn a_new_epoch_replaces_the_old_and_late_messages_do_not_bring_it_back() {
    let mut user = User::at_five();
    assert_eq!(user.take(ours("f", 1)), Some(Read::Feed));
    user.feed(feed("f", 1, 1..=1));
    assert_eq!(user.take(ours("e", 6)), Some(Read::Feed));
    user.take(ours("f", 2));
    user.feed(feed("f", 2, 1..=2));
    assert_eq!(user.heard(), ["epoch:f0", "f1", "f2"]);
}

#[test]
fn an_epoch_that_comes_back_is_believed_when_the_feed_says_so() {
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
        assert_eq!(user.take(forged), Some(Read::Feed));
        user.feed(feed("e", 5, 1..=5));
        user.take(ours("e", 6));
        assert_eq!(user.heard(), ["e6"]);
    }
}

#[test]
fn what_is_published_while_the_feed_is_read_is_not_lost() {
    // The last word for a while: nothing follows that would show a jump.
    let mut user = User::at_five();
    user.take(ours("e", 7));
    for seq in [8, 9] {
        user.take(ours("e", seq));
    }
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "e9"]);
    // One more is missing, or the record was replaced: the feed is asked again, and only once.
    for (newer, expected) in [
        (feed("e", 9, 1..=9), ["e6", "e7", "e8", "e9"].as_slice()),
        (feed("f", 1, 1..=1), &["e6", "e7", "epoch:f0", "f1"]),
    ] {
        let position = newer.head.clone().unwrap();
        let mut user = User::at_five();
        user.take(ours("e", 7));
        user.take(ours(&position.epoch, position.seq));
        user.feed(feed("e", 7, 1..=7));
        assert_eq!(user.read, Some(Read::Feed));
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
    user.order.unsync();
    assert_eq!(user.take(ours("e", 7)), Some(Read::Feed));
    // The sweep's, which was on its way before.
    user.order.failed(Read::Head, &mut |event| user.heard.push(word(event)));
    assert!(user.heard().is_empty() && user.order.is_held());
    user.feed(feed("e", 7, 1..=7));
    assert_eq!(user.heard(), ["e6", "e7"]);
}

#[test]
fn a_head_that_no_publisher_of_ours_has_written_stops_nothing() {
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
fn a_feed_that_did_not_exist_starts_wherever_it_starts() {
    let mut user = User::new();
    user.head(None);
    user.take(ours("e", 7));
    assert_eq!(user.heard(), ["welcome", "e7"]);
}

#[test]
fn after_an_outage_everything_above_is_replayed_once() {
    let mut user = User::at_five();
    user.order.unsync();
    assert!(user.order.needs_head());
    assert_eq!(user.head(Some(at("e", 8))), Some(Read::Feed));
    user.take(ours("e", 9));
    user.feed(feed("e", 9, 2..=9));
    assert_eq!(user.heard(), ["e6", "e7", "e8", "e9"]);
    assert!(!user.order.needs_head());
}

#[test]
fn after_an_outage_a_live_jump_does_not_wait_for_its_turn() {
    let mut user = User::at_five();
    user.order.unsync();
    assert_eq!(user.take(ours("e", 8)), Some(Read::Feed));
    assert_eq!(
        user.order.head(Head { position: Some(at("e", 8)), newest: None }, NOW, &mut |_| ()),
        None
    );
    user.feed(feed("e", 8, 2..=8));
    assert_eq!(user.heard(), ["e6", "e7", "e8"]);
}

#[test]
fn after_an_outage_a_feed_that_is_gone_keeps_the_position() {
    let mut user = User::at_five();
    user.order.unsync();
    user.head(None);
    user.take(ours("e", 6));
    assert_eq!(user.heard(), ["e6"]);
}

#[test]
fn after_an_outage_a_new_epoch_is_told_and_only_what_is_live_delivered() {
    let mut user = User::at_five();
    user.order.unsync();
    assert_eq!(user.take(ours("f", 3)), Some(Read::Feed));
    user.feed(feed("f", 4, 1..=4));
    assert_eq!(user.heard(), ["epoch:f2", "f3", "f4"]);

    let mut user = User::at_five();
    user.order.unsync();
    assert_eq!(user.head(Some(at("f", 4))), None);
    user.take(ours("f", 5));
    assert_eq!(user.heard(), ["epoch:f4", "f5"]);
}

#[test]
fn a_feed_that_began_during_an_outage_is_replayed_from_where_it_is_new() {
    let mut user = User::new();
    user.head(None);
    user.order.unsync();
    assert_eq!(user.head(Some(at("e", 2))), Some(Read::Feed));
    user.feed(feed("e", 2, 1..=2));
    assert_eq!(user.heard(), ["welcome", "e1", "e2"]);

    // A lost feed, loaded again with its past.
    let mut user = User::new();
    user.head(None);
    user.order.unsync();
    user.head(Some(at("e", 4)));
    let mut loaded = feed("e", 4, 1..=4);
    for entry in &mut loaded.entries[..2] {
        entry.ours.as_mut().unwrap().created = NOW - Duration::from_secs(3600);
    }
    user.feed(loaded);
    assert_eq!(user.heard(), ["welcome", "e3", "e4"]);
}

/// The feed `words`, oldest first: numbers are ours, other words are foreign.
fn mixed(head: i64, words: &str) -> Feed {
    let entry = |word: &str| match word.parse() {
        Ok(seq) => feed("e", head, [seq]).entries.remove(0),
        Err(_) => Entry { ours: None, is_expired: false, notification: word.to_owned().into() },
    };
    Feed { entries: words.split(' ').map(entry).collect(), ..feed("e", head, []) }
}

#[test]
fn after_an_outage_elements_of_other_services_are_told_once() {
    let mut user = User::at_five();
    user.take(foreign("x"));
    user.order.unsync();
    // The same newest: nothing came.
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"x"))), None);
    user.order.unsync();
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"z"))), Some(Read::Feed));
    // One that was on its way is not told twice.
    user.take(foreign("z"));
    user.feed(mixed(6, "w 5 x y 6 z"));
    assert_eq!(user.heard(), ["x", "z", "e6", "y"]);
    // From then on the newest is known again.
    user.order.unsync();
    assert_eq!(user.head_with(Some(at("e", 6)), Some(mark(b"z"))), None);
    user.order.unsync();
    user.head_with(Some(at("e", 6)), Some(mark(b"a")));
    user.feed(mixed(6, "5 x y 6 z a"));
    assert_eq!(user.heard(), ["a"]);
}

#[test]
fn a_look_without_an_outage_finds_ours_and_leaves_what_others_only_pushed() {
    let mut user = User::at_five();
    user.order.recheck();
    assert_eq!(user.head_with(Some(at("e", 5)), Some(mark(b"x"))), None);
    user.order.recheck();
    assert_eq!(user.head_with(Some(at("e", 7)), Some(mark(b"y"))), Some(Read::Feed));
    user.feed(mixed(7, "5 x 6 7 y"));
    assert_eq!(user.heard(), ["e6", "e7"]);
}

#[test]
fn a_user_of_other_services_only_misses_nothing_either() {
    let only = |words| Feed { head: None, ..mixed(0, words) };
    let mut user = User::new();
    user.head_with(None, None);
    user.order.unsync();
    assert_eq!(user.head_with(None, Some(mark(b"y"))), Some(Read::Feed));
    user.feed(only("x y"));
    user.take(foreign("z"));
    user.order.unsync();
    // What nobody can place is not told: it may have been told already.
    user.head_with(None, Some(mark(b"b")));
    user.feed(only("a b"));
    assert_eq!(user.heard(), ["welcome", "x", "y", "z"]);
    // A list that is gone.
    user.order.unsync();
    assert_eq!(user.head_with(None, None), None);
}

#[test]
fn an_expired_entry_counts_and_is_not_shown() {
    let mut user = User::new();
    user.head(Some(at("e", 1)));
    assert_eq!(user.take(ours("e", 5)), Some(Read::Feed));
    let mut missed = feed("e", 5, 2..=5);
    missed.entries[1].is_expired = true;
    user.feed(missed);
    assert_eq!(user.heard(), ["welcome:e1", "e2", "e4", "e5"]);
}

#[test]
fn without_redis_the_welcome_says_nothing_and_the_gap_is_told_later() {
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
fn what_waits_is_bounded() {
    let mut user = User::at_five();
    user.take(ours("e", 7));
    for seq in 8..2000 {
        user.take(ours("e", seq));
    }
    user.feed(feed("e", 1999, 1900..=1999));
    let heard = user.heard();
    assert_eq!(heard[..2], ["gap:e6", "e7"]);
    // As many as may wait, a gap, and what the feed holds of those that were dropped.
    assert_eq!(heard.len(), 1 + crate::limits::HELD_MESSAGES_MAX + 1 + 100);
    assert_eq!(user.take(ours("e", 2000)), None);
}

mod interleavings;
