//! Whether a due push is sent, at the time of its claim.

use runtime::record::{ClaimedPush, PushEntry};
use shared::limits::PUSH_TTL_S_MAX;
use shared::notification::PushWhen;

use crate::addresses::Known;

/// What becomes of a claimed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is handed out.
    Send,
    /// It is removed: nothing will be sent.
    Skip,
    /// It is claimed again after its lease: what Redis knows is missing.
    Wait,
}

/// The entry of a job, with the seconds that the push has left; `None` if it is deleted, expired,
/// or read while the push is for unread ones only.
pub fn worth_sending(job: &ClaimedPush, now_ms: i64) -> Option<(&PushEntry, i64)> {
    let entry = job.entry.as_ref()?;
    let left_ms = job.options.deadline_ms(job.created_at_ms, entry.expires_at_ms) - now_ms;
    let is_read = job.options.when == PushWhen::Unread && entry.read_at_ms.is_some();
    // A host whose clock is behind must not answer a longer time than services accept.
    let left_s = ((left_ms + 999) / 1000).min(PUSH_TTL_S_MAX);
    (left_ms > 0 && !is_read).then_some((entry, left_s))
}

/// What becomes of a job that is worth sending. Unknown presence counts as offline.
pub fn for_user(job: &ClaimedPush, entry: &PushEntry, known: &Known) -> Verdict {
    let is_wanted = known.addresses.preferences.wants_push(entry.kind.as_deref());
    let is_late = job.options.when == PushWhen::Offline && known.is_online == Some(true);
    if !is_wanted || is_late {
        return Verdict::Skip;
    }
    match (known.addresses.devices.is_empty(), known.has_all_tokens) {
        (false, _) => Verdict::Send,
        (true, true) => Verdict::Skip,
        (true, false) => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use runtime::record::{AddressedDevice, Addresses, PushJobId};
    use serde_json::Map;
    use shared::notification::PushOptions;
    use shared::{Preferences, UserId};

    use super::*;

    fn user() -> UserId {
        UserId::parse("alice").unwrap()
    }

    fn job(options: &str) -> ClaimedPush {
        let entry = PushEntry {
            id: "id".to_owned(),
            title: "title".to_owned(),
            body: None,
            kind: Some("order".to_owned()),
            data: None,
            expires_at_ms: Some(60_000),
            read_at_ms: None,
        };
        ClaimedPush {
            id: PushJobId { user: user(), seq: 1, rev: 1 },
            attempts: 0,
            options: PushOptions::from_json(options).unwrap(),
            done: BTreeSet::new(),
            created_at_ms: 1_000,
            entry: Some(entry),
        }
    }

    fn known(is_online: Option<bool>, devices: usize, preferences: &str) -> Known {
        let device = AddressedDevice {
            device: "default".to_owned(),
            kind: "fcm".to_owned(),
            rev: 1,
            locale: None,
            time_zone: None,
            address: Map::new(),
        };
        let preferences = Preferences::from_json(preferences).unwrap();
        let devices = vec![device; devices];
        let addresses = Addresses { user: user(), devices, preferences };
        Known { addresses, is_online, has_all_tokens: true }
    }

    #[test]
    fn an_entry_that_nobody_needs_is_not_worth_sending() {
        let left = |job: &ClaimedPush, now_ms| worth_sending(job, now_ms).map(|(_, left_s)| left_s);
        let always = job(r#"{"when":"always","afterSeconds":10,"ttlSeconds":20}"#);
        assert_eq!(left(&always, 11_000), Some(20));
        assert_eq!(left(&always, 30_999), Some(1), "rounded up");
        assert_eq!(left(&always, 31_000), None, "its lifetime has ended");
        let forever = job(r#"{"when":"always"}"#);
        assert_eq!(left(&forever, 1_000), Some(59), "until the entry expires");
        assert_eq!(left(&forever, 60_000), None);
        let deleted = ClaimedPush { entry: None, ..job(r#"{"when":"always"}"#) };
        assert_eq!(left(&deleted, 1_000), None);
        for (when, expected) in [("always", Some(59)), ("offline", Some(59)), ("unread", None)] {
            let mut read = job(&format!(r#"{{"when":"{when}"}}"#));
            read.entry.as_mut().unwrap().read_at_ms = Some(1);
            assert_eq!(left(&read, 1_000), expected, "{when}");
        }
    }

    #[test]
    fn users_decide_by_presence_preferences_and_devices() {
        let verdict = |when: &str, known: &Known| {
            let job = job(&format!(r#"{{"when":"{when}"}}"#));
            for_user(&job, job.entry.as_ref().unwrap(), known)
        };
        for (online, expected) in
            [(Some(true), Verdict::Skip), (Some(false), Verdict::Send), (None, Verdict::Send)]
        {
            assert_eq!(verdict("offline", &known(online, 1, "{}")), expected, "{online:?}");
            assert_eq!(verdict("unread", &known(online, 1, "{}")), Verdict::Send);
        }
        for (preferences, expected) in [
            (r#"{"push":false}"#, Verdict::Skip),
            (r#"{"kinds":{"order":{"push":false}}}"#, Verdict::Skip),
            (r#"{"kinds":{"other":{"push":false}}}"#, Verdict::Send),
        ] {
            assert_eq!(verdict("always", &known(None, 1, preferences)), expected, "{preferences}");
        }
        let mut nowhere = known(None, 0, "{}");
        assert_eq!(verdict("always", &nowhere), Verdict::Skip);
        nowhere.has_all_tokens = false;
        assert_eq!(verdict("always", &nowhere), Verdict::Wait);
    }
}
