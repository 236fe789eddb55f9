//! What the record must hold, and what is known of the feeds, in plain Rust.

use std::collections::{BTreeMap, BTreeSet};

use runtime::record::Idempotency;
use shared::limits::FEED_ENTRIES_MAX;
use shared::notification::{Notification, Quiet};

use super::feed::short;
use super::ops::{Op, USERS};

/// The model of a whole record; a clone of it is a backup.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Empty until the record was asked for it.
    pub epoch: String,
    pub users: [UserKept; USERS],
    /// Idempotency keys: what each stands for.
    pub keys: BTreeMap<String, KeyKept>,
    /// The same of imports.
    pub import_keys: BTreeMap<String, KeyKept>,
}

#[derive(Clone, Debug, Default)]
pub struct UserKept {
    pub counter: i64,
    pub entries: BTreeMap<i64, EntryKept>,
    /// Whether the user does not want the quiet kind in the feed.
    pub mutes: bool,
}

#[derive(Clone, Debug)]
pub struct KeyKept {
    pub user: usize,
    pub seq: i64,
    pub id: String,
    pub quiet: Option<Quiet>,
    /// Nothing else is left of the entry.
    pub is_erased: bool,
    pub request_hash: String,
    pub created_at_ms: i64,
}

#[derive(Clone)]
pub struct EntryKept {
    pub id: String,
    pub json: String,
    pub expires_at_ms: Option<i64>,
    pub is_read: bool,
    pub is_deleted: bool,
}

impl std::fmt::Debug for EntryKept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&short(&self.json))?;
        let flags = [
            (self.is_read, " read"),
            (self.is_deleted, " deleted"),
            (self.expires_at_ms.is_some(), " expires"),
        ];
        flags.iter().filter(|flag| flag.0).try_for_each(|flag| f.write_str(flag.1))
    }
}

impl EntryKept {
    pub fn is_live(&self, now_ms: i64) -> bool {
        !self.is_deleted && self.expires_at_ms.is_none_or(|at| at > now_ms)
    }
}

impl UserKept {
    /// Entries that are not deleted, newest first.
    pub fn undeleted(&self) -> impl Iterator<Item = (i64, &EntryKept)> {
        let all = self.entries.iter().rev().map(|(seq, entry)| (*seq, entry));
        all.filter(|(_, entry)| !entry.is_deleted)
    }

    pub fn by_json(&self, json: &str) -> Option<&EntryKept> {
        self.entries.values().find(|entry| entry.json == json)
    }

    /// Entries that a load brings to a feed.
    pub fn window(&self) -> impl Iterator<Item = (i64, &EntryKept)> {
        self.undeleted().take(FEED_ENTRIES_MAX)
    }
}

impl Kept {
    pub fn commit(
        &mut self,
        at: usize,
        notification: &Notification,
        idempotency: Option<Idempotency>,
    ) {
        let seq = notification.seq;
        let entry = EntryKept {
            id: notification.id.clone(),
            json: notification.to_json(),
            expires_at_ms: notification.draft.expires_at_ms,
            is_read: notification.muted_at_ms().is_some(),
            is_deleted: false,
        };
        let kept = &mut self.users[at];
        kept.counter = kept.counter.max(seq);
        kept.entries.insert(seq, entry);
        if let Some(Idempotency { key, request_hash }) = idempotency {
            let kept = KeyKept {
                user: at,
                seq,
                id: notification.id.clone(),
                quiet: notification.quiet,
                is_erased: false,
                request_hash,
                created_at_ms: notification.created_at_ms,
            };
            self.keys.insert(key, kept);
        }
    }
}

/// What is not certain about a user's feed.
#[derive(Clone, Debug, Default)]
pub struct Doubt {
    /// A delivery failed, and nothing brought the feed up to date since.
    pub is_behind: bool,
    /// Marks are in the record and did not reach the feed.
    pub marks_are_stale: bool,
    /// Bytes that the record deleted and that could not be taken out of the feed.
    pub undead: BTreeSet<String>,
    /// Bytes that the record dropped when their time was over; the feed need not follow.
    pub pruned: BTreeSet<String>,
    /// Entries taken out of the list since it was full: nothing takes their places.
    pub vacant: usize,
    /// The record was put back under the same epoch and nothing was created since.
    pub is_tainted: bool,
    /// Some of the list was lost at some time, if only out of a full feed window: what was
    /// published may be published again.
    pub lost_data: bool,
}

/// A copy of a record and what it holds.
#[derive(Clone)]
pub struct Backup {
    pub kept: Kept,
    pub file: Vec<u8>,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kept.fmt(f)
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Expected {
    pub kept: Kept,
    pub backup: Option<Backup>,
    pub doubts: [Doubt; USERS],
    /// Bytes that must have been published by now.
    pub must_be_heard: BTreeSet<String>,
    /// Bytes that were never delivered because there were too many at once.
    pub skipped: BTreeSet<String>,
    /// Epochs that numbers were counted in twice.
    pub tainted_epochs: BTreeSet<String>,
}

impl Expected {
    pub fn note_loss(&mut self, op: &Op) {
        for (at, doubt) in self.doubts.iter_mut().enumerate() {
            doubt.lost_data |= match op {
                Op::FlushAll | Op::Erase { .. } => true,
                Op::ListGone { user } => *user == at,
                Op::ForeignTrim { user, .. } | Op::ForeignReplace { user, .. } => *user == at,
                _ => false,
            };
        }
    }

    /// Everything of the user is in the feed: what it shows was published.
    pub fn delivered(&mut self, user: usize) {
        self.doubts[user].is_behind = false;
        let kept = &self.kept.users[user];
        for (_, entry) in kept.window() {
            if !self.skipped.contains(&entry.json) {
                self.must_be_heard.insert(entry.json.clone());
            }
        }
        self.skip_beyond_window(user);
    }

    /// What a load passes over now may come into the feed window later, when others are deleted.
    pub fn skip_beyond_window(&mut self, user: usize) {
        for (_, entry) in self.kept.users[user].undeleted().skip(FEED_ENTRIES_MAX) {
            if !self.must_be_heard.contains(&entry.json) {
                self.skipped.insert(entry.json.clone());
            }
        }
    }

    /// The record was replaced by one that is `kept`.
    pub fn replaced(&mut self, kept: Kept, same_epoch: bool) {
        self.kept = kept;
        for (kept, doubt) in self.kept.users.iter().zip(&mut self.doubts) {
            // What is back is as good as new.
            let is_gone = |json: &String| kept.by_json(json).is_none_or(|entry| entry.is_deleted);
            doubt.undead.retain(is_gone);
            doubt.pruned.retain(is_gone);
            doubt.is_tainted = same_epoch;
            doubt.lost_data = true;
            doubt.is_behind = true;
            doubt.marks_are_stale = true;
        }
    }
}
