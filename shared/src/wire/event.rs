//! The events on the channel `bw:events`.

use std::borrow::Cow;

use serde::Deserialize;

use super::object;
use crate::UserId;
use crate::ids::check_id;
use crate::limits::MARK_IDS_MAX;
use crate::time::parse_rfc3339;

/// A change of a user's feed that no notification tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// All entries up to this seq were marked as read.
    ReadUpTo(i64),
    /// These entries were marked as read.
    ReadIds(Vec<String>),
    /// These entries were deleted.
    RemovedIds(Vec<String>),
    /// All entries were erased.
    RemovedAll,
}

impl Change {
    /// The ids that it names.
    pub fn ids(&self) -> &[String] {
        match self {
            Change::ReadIds(ids) | Change::RemovedIds(ids) => ids,
            Change::ReadUpTo(_) | Change::RemovedAll => &[],
        }
    }
}

/// The number of unread entries in the feed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    pub count: u32,
    /// The time, in milliseconds since the Unix epoch, at which an entry that it may count expires;
    /// until then only a change of the feed changes the number.
    pub until_ms: i64,
}

impl Unread {
    /// `until` as the scripts write it: RFC 3339, or `~` for no end. Anything else makes a number
    /// that is valid at this moment only.
    pub fn new(count: u32, until: &str) -> Self {
        let until_ms = match until {
            "~" => i64::MAX,
            time => parse_rfc3339(time).unwrap_or(0),
        };
        Self { count, until_ms }
    }
}

/// An event of the channel `bw:events`, reduced to the hub's needs.
#[derive(Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// A user's feed has changed. `unread` is `None` if the feed was not in Redis.
    Change { user_id: UserId, change: Change, unread: Option<Unread> },
    /// Notifications that are not delivered live, muted or imported ones, take the places from
    /// `first` to `seq` in a user's feed.
    Quiet { user_id: UserId, epoch: String, first: i64, seq: i64 },
    /// A hub checks that its subscription receives; `n` numbers its probes.
    Probe { hub: String, n: u64 },
    /// A type that a newer version publishes.
    Other,
}

impl ChannelEvent {
    /// Parses `{"type":"read","userId":…,"upTo":…|"ids":[…],"unread":…,"until":…}`,
    /// `{"type":"removed","userId":…,"ids":[…]|"all":true,"unread":…|null,"until":…}`,
    /// `{"type":"muted","userId":…,"bw":{"epoch":…,"seq":…,"first":…}}`, without `first` if that is
    /// `seq`, and `{"type":"probe","hub":…,"n":…}`; unknown members are ignored. Older versions write
    /// no `until`.
    ///
    /// # Errors
    /// A short text for the log if the event is invalid.
    pub fn parse(payload: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Probe {
            hub: String,
            n: u64,
        }
        let text = std::str::from_utf8(payload).map_err(|_| "not UTF-8")?;
        let typed: Typed<'_> = object(text).ok_or("not a JSON object with a `type`")?;
        match &*typed.kind {
            "read" => parse_change(text, false),
            "removed" => parse_change(text, true),
            "muted" => parse_quiet(text),
            "probe" => {
                let probe: Probe =
                    object(text).ok_or("members of `probe` are missing or invalid")?;
                Ok(ChannelEvent::Probe { hub: probe.hub, n: probe.n })
            }
            _ => Ok(ChannelEvent::Other),
        }
    }

    /// The payload of a probe; `hub` must not need escapes.
    pub fn probe(hub: &str, n: u64) -> String {
        format!(r#"{{"type":"probe","hub":"{hub}","n":{n}}}"#)
    }
}

fn parse_quiet(text: &str) -> Result<ChannelEvent, &'static str> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members {
        user_id: String,
        bw: Place,
    }
    #[derive(Deserialize)]
    struct Place {
        epoch: String,
        seq: i64,
        first: Option<i64>,
    }
    let Members { user_id, bw } =
        object(text).ok_or("members of `muted` are missing or invalid")?;
    let user_id = UserId::parse(&user_id).map_err(|_| "`userId` is not a valid id")?;
    let first = bw.first.unwrap_or(bw.seq);
    match 0 < first && first <= bw.seq {
        true => Ok(ChannelEvent::Quiet { user_id, epoch: bw.epoch, first, seq: bw.seq }),
        false => Err("`first` or `seq` is out of range"),
    }
}

fn parse_change(text: &str, is_removal: bool) -> Result<ChannelEvent, &'static str> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members<'a> {
        user_id: String,
        up_to: Option<i64>,
        ids: Option<Vec<String>>,
        all: Option<bool>,
        unread: Option<u32>,
        #[serde(borrow)]
        until: Option<Cow<'a, str>>,
    }
    let members: Members<'_> = object(text).ok_or("members are missing or invalid")?;
    let user_id = UserId::parse(&members.user_id).map_err(|_| "`userId` is not a valid id")?;
    let change = match (is_removal, members.up_to, members.ids, members.all) {
        (false, Some(seq @ 0..), None, _) => Change::ReadUpTo(seq),
        (false, None, Some(ids), _) => Change::ReadIds(ids),
        (true, _, Some(ids), None) => Change::RemovedIds(ids),
        (true, _, None, Some(true)) => Change::RemovedAll,
        _ => return Err("the entries are missing or out of range"),
    };
    if change.ids().len() > MARK_IDS_MAX {
        return Err("`ids` has too many items");
    }
    if change.ids().iter().any(|id| check_id(id, "id").is_err()) {
        return Err("`ids` contains an invalid id");
    }
    if !is_removal && members.unread.is_none() {
        return Err("`unread` is missing");
    }
    let until = members.until.unwrap_or_default();
    let unread = members.unread.map(|count| Unread::new(count, &until));
    Ok(ChannelEvent::Change { user_id, change, unread })
}
