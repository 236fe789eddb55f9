use proptest::prelude::*;

use super::*;
use crate::protocol::GapReason;
use crate::redis::feed_reader::{FeedEntry, Ours};
use shared::wire::{Change, Position, Unread};

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn at(epoch: &str, seq: i64) -> Position {
    Position { epoch: epoch.into(), seq }
}

fn ours(epoch: &str, seq: i64) -> Incoming {
    Incoming::Notification { text: text(epoch, seq).into(), position: Some(at(epoch, seq)) }
}

fn muted(epoch: &str, seq: i64) -> Incoming {
    quiet(epoch, seq, seq)
}

fn quiet(epoch: &str, first: i64, seq: i64) -> Incoming {
    Incoming::Quiet { first, position: at(epoch, seq) }
}

fn change(change: Change, count: u32) -> Incoming {
    Incoming::Change { change, unread: Some(unread(count)) }
}

fn unread(count: u32) -> Unread {
    Unread { count, until_ms: i64::MAX }
}

fn foreign(text: &str) -> Incoming {
    Incoming::Notification { text: text.to_owned().into(), position: None }
}

fn text(epoch: &str, seq: i64) -> String {
    format!("{epoch}{seq}")
}

fn feed(epoch: &str, head: i64, seqs: impl IntoIterator<Item = i64>) -> Feed {
    let entry = |seq| FeedEntry {
        ours: Some(Ours { seq, created: NOW }),
        is_silent: false,
        notification: text(epoch, seq).into(),
    };
    let entries = seqs.into_iter().map(entry).collect();
    Feed { head: Some(at(epoch, head)), entries, ..Feed::default() }
}

/// The events of the sockets as words: `e5` a notification, `gap:e4`, `epoch:e4`, `welcome`.
fn word(event: Outgoing) -> String {
    match event {
        Outgoing::Welcome(Welcome { position: None, .. }) => "welcome".to_owned(),
        Outgoing::Welcome(Welcome { position: Some(Position { epoch, seq }), .. }) => {
            format!("welcome:{epoch}{seq}")
        }
        Outgoing::Notification { text, .. } => String::from_utf8(text.to_vec()).unwrap(),
        Outgoing::Gap { reason, position } => {
            let word = if reason == GapReason::Missed { "gap" } else { "epoch" };
            let Position { epoch, seq } = position.unwrap();
            format!("{word}:{epoch}{seq}")
        }
        Outgoing::Change { change: Change::ReadUpTo(_), unread } => {
            format!("read:{}", unread.unwrap().count)
        }
        Outgoing::Change { unread, .. } => format!("removed:{}", unread.unwrap().count),
        Outgoing::Reconnect { .. } | Outgoing::Pong { .. } | Outgoing::Renewed { .. } => {
            unreachable!()
        }
    }
}

struct User {
    sequencer: Sequencer,
    heard: Vec<String>,
    read: Option<FeedQuery>,
}

impl User {
    fn new() -> Self {
        Self { sequencer: Sequencer::default(), heard: Vec::new(), read: Some(FeedQuery::Head) }
    }

    /// A user whose feed is at `e5`, after the welcome.
    fn at_five() -> Self {
        let mut user = Self::new();
        user.head(Some(at("e", 5)));
        assert_eq!(user.heard(), ["welcome:e5"]);
        user
    }

    fn take(&mut self, message: Incoming) -> Option<FeedQuery> {
        let read = self.sequencer.take(message, &mut |event| self.heard.push(word(event)));
        self.read = self.read.or(read);
        read
    }

    fn head(&mut self, head: Option<Position>) -> Option<FeedQuery> {
        // As in the feeds of `feed`, whose newest element has the head's seq.
        let newest = head.as_ref().map(|at| mark(text(&at.epoch, at.seq).as_bytes()));
        self.head_with(head, newest)
    }

    fn head_with(&mut self, position: Option<Position>, newest: Option<u64>) -> Option<FeedQuery> {
        let head = FeedHead { position, newest, unread: None };
        self.read = self.sequencer.head(head, NOW, &mut |event| self.heard.push(word(event)));
        self.read
    }

    fn feed(&mut self, feed: Feed) {
        self.read = self.sequencer.feed(feed, NOW, &mut |event| self.heard.push(word(event)));
    }

    /// A read of the feed that the sweep has to start again.
    fn due(&mut self) -> Option<FeedQuery> {
        self.sequencer.wanted().filter(|read| *read == FeedQuery::Feed)
    }

    fn failed(&mut self) {
        let read = self.read.take().unwrap_or(FeedQuery::Feed);
        self.sequencer.failed(read, &mut |event| self.heard.push(word(event)));
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
    assert_eq!(user.sequencer.welcome(NOW), None);
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
    assert_eq!(user.take(ours("e", 8)), Some(FeedQuery::Feed));
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
    let read = |count| change(Change::ReadUpTo(1), count);
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

mod bridge;
mod gaps;
mod interleavings;
mod outages;
mod unread;
