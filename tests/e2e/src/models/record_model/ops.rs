//! What can happen, in random order.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::redis::Fault;

pub const USERS: usize = 3;

/// One thing that happens. Numbers that pick something are taken modulo what there is.
#[derive(Clone, Debug)]
pub enum Op {
    Create {
        user: usize,
        expires: bool,
        key: Option<u8>,
        body: u8,
    },
    /// `many` entries for the users in turn, with keys for some.
    Batch {
        users: Vec<usize>,
        many: u8,
        key: Option<u8>,
    },
    /// `many` entries of another system for the users in turn, every other one read there, with keys
    /// for some.
    Import {
        users: Vec<usize>,
        many: u8,
        key: Option<u8>,
    },
    Read {
        user: usize,
    },
    /// Whether the user wants the kind of some entries in the feed.
    Prefer {
        user: usize,
        feed: bool,
    },
    /// Expired, evicted, or deleted by another service.
    ListGone {
        user: usize,
    },
    CompanionGone {
        user: usize,
    },
    FlushAll,
    /// Both keys are about to expire.
    Age {
        user: usize,
    },
    ForeignPush {
        user: usize,
        what: u8,
        many: u8,
    },
    /// 100 is what careful services keep.
    ForeignTrim {
        user: usize,
        keep: u8,
    },
    /// The list's expiry is taken away.
    ForeignPersist {
        user: usize,
    },
    ForeignReplace {
        user: usize,
        many: u8,
    },
    /// One of another service's elements is deleted through Bellwire.
    RemoveTheirs {
        user: usize,
        pick: u8,
    },
    MarkUpTo {
        user: usize,
        back: u8,
    },
    MarkIds {
        user: usize,
        picks: Vec<u8>,
    },
    Delete {
        user: usize,
        pick: u8,
    },
    Erase {
        user: usize,
    },
    Relay,
    /// A backup of the record.
    Save,
    /// The backup is put back; `rotates` is the documented step after it.
    Restore {
        rotates: bool,
    },
    /// Another record, which is empty.
    Swap,
    Rotate,
    /// Drops what has expired and releases all idempotency keys.
    Prune,
    /// Milliseconds go by.
    Wait {
        seconds: u8,
    },
    /// Fates of the next calls of Redis.
    Faults {
        fates: Vec<Option<Fault>>,
    },
    Away {
        is_away: bool,
    },
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(Fault::Before)), 1 => Just(Some(Fault::After))]
}

/// Sequences of operations, with those that only a record in one file can have.
pub fn ops(has_backups: bool) -> impl Strategy<Value = Vec<Op>> {
    let user = || 0..USERS;
    let backups = if has_backups { 2 } else { 1 };
    let key = || prop_oneof![2 => Just(None), 1 => (0..4u8).prop_map(Some)];
    let op = prop_oneof![
        24 => (user(), proptest::bool::weighted(0.2), key(), 0..3u8)
            .prop_map(|(user, expires, key, body)| Op::Create { user, expires, key, body }),
        6 => (vec(user(), 1..4), prop_oneof![3 => 1..8u8, 1 => 60..121u8], key())
            .prop_map(|(users, many, key)| Op::Batch { users, many, key }),
        4 => (vec(user(), 1..4), prop_oneof![3 => 1..6u8, 1 => 60..141u8], key())
            .prop_map(|(users, many, key)| Op::Import { users, many, key }),
        12 => user().prop_map(|user| Op::Read { user }),
        3 => (user(), any::<bool>()).prop_map(|(user, feed)| Op::Prefer { user, feed }),
        3 => user().prop_map(|user| Op::ListGone { user }),
        2 => user().prop_map(|user| Op::CompanionGone { user }),
        2 => Just(Op::FlushAll),
        2 => user().prop_map(|user| Op::Age { user }),
        8 => (user(), 0..4u8, prop_oneof![5 => 1..3u8, 1 => 90..110u8])
            .prop_map(|(user, what, many)| Op::ForeignPush { user, what, many }),
        3 => (user(), prop_oneof![2 => 0..12u8, 1 => Just(100u8)])
            .prop_map(|(user, keep)| Op::ForeignTrim { user, keep }),
        1 => user().prop_map(|user| Op::ForeignPersist { user }),
        3 => (user(), 1..6u8).prop_map(|(user, many)| Op::ForeignReplace { user, many }),
        5 => (user(), any::<u8>()).prop_map(|(user, pick)| Op::RemoveTheirs { user, pick }),
        5 => (user(), 0..4u8).prop_map(|(user, back)| Op::MarkUpTo { user, back }),
        5 => (user(), vec(any::<u8>(), 1..4)).prop_map(|(user, picks)| Op::MarkIds { user, picks }),
        6 => (user(), any::<u8>()).prop_map(|(user, pick)| Op::Delete { user, pick }),
        1 => user().prop_map(|user| Op::Erase { user }),
        6 => Just(Op::Relay),
        backups => Just(Op::Save),
        backups => any::<bool>().prop_map(|rotates| Op::Restore { rotates }),
        1 => Just(Op::Swap),
        1 => Just(Op::Rotate),
        1 => Just(Op::Prune),
        2 => (1..50u8).prop_map(|seconds| Op::Wait { seconds }),
        6 => vec(fault(), 1..5).prop_map(|fates| Op::Faults { fates }),
        2 => any::<bool>().prop_map(|is_away| Op::Away { is_away }),
    ];
    vec(op, 1..40)
}

/// What other services write; one of them writes the same several times.
pub fn foreign(what: u8, number: u64) -> String {
    match what {
        0 => format!(r#"{{"id":{number},"text":"theirs"}}"#),
        1 => format!(r#"{{"id":"x{number}","seq":3,"a":[]}}"#),
        2 => format!("garbage {number}"),
        _ => format!("{{}}{}", " ".repeat(number as usize)),
    }
}
