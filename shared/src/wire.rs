//! The messages on the Redis channels.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::UserId;
use crate::ids::check_id;
use crate::limits::MARK_IDS_MAX;
use crate::notification::user_id_from_json;

mod ours;

/// The place of a notification in its user's feed. `seq` alone is ambiguous: a replaced record
/// starts again at 1, under another epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    /// Shared, because a hub keeps it with every user and every held message.
    pub epoch: Arc<str>,
    pub seq: i64,
}

/// A message of the channel `notifications`, reduced to the hub's needs. Borrowed from the payload,
/// since a hub parses tens of thousands per second.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// A valid user id.
    pub user_id: Cow<'a, str>,
    /// The notification object, exactly the bytes that were published.
    pub notification: &'a str,
    /// Epoch and seq (see [`Position`]). Other services' messages have none.
    pub position: Option<(Cow<'a, str>, i64)>,
}

impl<'a> Message<'a> {
    /// Parses `{"notification":{"userId":…,…},"bw":{…}?}`; unknown members are ignored, an integer
    /// `userId` counts as its decimal text. In a message as Bellwire publishes it, the
    /// notification's values are not validated, only its brackets and strings.
    ///
    /// # Errors
    /// A short text for the log if the message cannot be delivered to any user.
    pub fn parse(payload: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(payload).map_err(|_| "not UTF-8")?;
        ours::parse(text).map_or_else(|| Self::parse_any(text), Ok)
    }

    fn parse_any(text: &'a str) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            notification: Option<&'a RawValue>,
            #[serde(borrow)]
            bw: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Place<'a> {
            #[serde(borrow)]
            epoch: Cow<'a, str>,
            seq: i64,
        }
        let envelope: Envelope<'a> = object(text).ok_or("not a JSON object")?;
        let notification = envelope.notification.ok_or("no `notification`")?.get();
        let user_id = match ours::user_id(notification) {
            Some(user_id) => Cow::Borrowed(user_id),
            None => their_user_id(notification)?,
        };
        check_id(&user_id, "user id").map_err(|_| "`userId` is not a valid id")?;
        // An invalid `bw` makes the message foreign, not undeliverable.
        let place = envelope.bw.and_then(|bw| serde_json::from_str::<Place<'_>>(bw.get()).ok());
        let position = place.filter(|at| at.seq > 0).map(|at| (at.epoch, at.seq));
        Ok(Self { user_id, notification, position })
    }
}

/// The user id at any place in the object, as a string or an integer.
fn their_user_id(notification: &str) -> Result<Cow<'_, str>, &'static str> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Recipient<'a> {
        #[serde(borrow)]
        user_id: Option<&'a RawValue>,
    }
    let recipient: Recipient<'_> = object(notification).ok_or("`notification` is not an object")?;
    let user_id = recipient.user_id.ok_or("no `userId`")?;
    let user_id = user_id_from_json(user_id.get())
        .ok_or("`userId` is neither a string nor an integer")?
        .map_err(|_| "`userId` is not a valid id")?;
    Ok(Cow::Owned(user_id.as_str().to_owned()))
}

/// The entries of a user that were marked as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// All up to this seq.
    UpTo(i64),
    Ids(Vec<String>),
}

/// An event of the channel `bw:events`, reduced to the hub's needs.
#[derive(Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// Entries of a user were marked as read; `unread` are left in the feed's window.
    Read { user_id: UserId, marked: Marked, unread: u32 },
    /// A hub checks that its subscription receives; `n` numbers its probes.
    Probe { hub: String, n: u64 },
    /// A type that a newer version publishes.
    Other,
}

impl ChannelEvent {
    /// Parses `{"type":"read","userId":…,"upTo":…|"ids":[…],"unread":…}` and
    /// `{"type":"probe","hub":…,"n":…}`; unknown members are ignored.
    ///
    /// # Errors
    /// A short text for the log if the event is invalid.
    pub fn parse(payload: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(rename = "type", borrow)]
            kind: std::borrow::Cow<'a, str>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read {
            user_id: String,
            up_to: Option<i64>,
            ids: Option<Vec<String>>,
            unread: u32,
        }
        #[derive(Deserialize)]
        struct Probe {
            hub: String,
            n: u64,
        }
        let text = std::str::from_utf8(payload).map_err(|_| "not UTF-8")?;
        let typed: Typed<'_> = object(text).ok_or("not a JSON object with a `type`")?;
        match &*typed.kind {
            "read" => {}
            "probe" => {
                let probe: Probe =
                    object(text).ok_or("members of `probe` are missing or invalid")?;
                return Ok(ChannelEvent::Probe { hub: probe.hub, n: probe.n });
            }
            _ => return Ok(ChannelEvent::Other),
        }
        let read: Read = object(text).ok_or("members of `read` are missing or invalid")?;
        let user_id = UserId::parse(&read.user_id).map_err(|_| "`userId` is not a valid id")?;
        let marked = match (read.up_to, read.ids) {
            (Some(seq @ 0..), None) => Marked::UpTo(seq),
            (None, Some(ids)) if ids.len() <= MARK_IDS_MAX => Marked::Ids(ids),
            _ => return Err("`upTo` and `ids` are missing or out of range"),
        };
        if let Marked::Ids(ids) = &marked
            && ids.iter().any(|id| check_id(id, "id").is_err())
        {
            return Err("`ids` contains an invalid id");
        }
        Ok(ChannelEvent::Read { user_id, marked, unread: read.unread })
    }

    /// The payload of a probe; `hub` must not need escapes.
    pub fn probe(hub: &str, n: u64) -> String {
        format!(r#"{{"type":"probe","hub":"{hub}","n":{n}}}"#)
    }
}

/// Parses an object; serde alone would also accept an array of the members in order.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_ours_and_theirs() {
        let ours =
            br#"{"notification":{"id":"x","userId":"a","seq":5},"bw":{"epoch":"e","seq":5}}"#;
        let message = Message::parse(ours).unwrap();
        assert_eq!(message.user_id, "a");
        assert!(matches!(message.user_id, Cow::Borrowed(_)));
        assert_eq!(message.notification, r#"{"id":"x","userId":"a","seq":5}"#);
        assert_eq!(message.position, Some(("e".into(), 5)));
        let escaped = br#"{"notification":{"id":"\"","userId":"\u0061","userid":"b"}}"#;
        assert_eq!(Message::parse(escaped).unwrap().user_id, "a");

        let theirs = br#" { "x":[1], "notification" : { "userId" : 7, "a" : [ ] } , "bw":"?"} "#;
        let message = Message::parse(theirs).unwrap();
        assert_eq!(message.user_id, "7");
        assert_eq!(message.notification, r#"{ "userId" : 7, "a" : [ ] }"#);
        assert_eq!(message.position, None);
    }

    #[test]
    fn says_why_a_message_is_undeliverable() {
        for bad in [
            "",
            "hello",
            "[]",
            r#"[{"userId":"a"},null]"#,
            "{}",
            r#"{"notification":1}"#,
            r#"{"notification":{}}"#,
            r#"{"notification":{"userId":null}}"#,
            r#"{"notification":{"userId":1.5}}"#,
            r#"{"notification":{"userId":"a b"}}"#,
            r#"{"notification":{"userId":"a"}"#,
        ] {
            assert!(Message::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Message::parse(b"\xff").is_err());
    }

    #[test]
    fn reads_read_marks() {
        let read = |marked, unread| {
            Ok(ChannelEvent::Read { user_id: UserId::parse("a").unwrap(), marked, unread })
        };
        let parse = |text: &str| ChannelEvent::parse(text.as_bytes());
        assert_eq!(
            parse(r#"{"type":"read","userId":"a","upTo":5,"unread":2,"new":[1]}"#),
            read(Marked::UpTo(5), 2)
        );
        assert_eq!(
            parse(r#"{"unread":0,"ids":["x","y"],"userId":"a","type":"read"}"#),
            read(Marked::Ids(vec!["x".to_owned(), "y".to_owned()]), 0)
        );
        let probe = ChannelEvent::Probe { hub: "h1".to_owned(), n: 7 };
        assert_eq!(parse(&ChannelEvent::probe("h1", 7)), Ok(probe));
        for other in [r#"{"type":"news"}"#, r#"{"type":"\u0072ead it"}"#] {
            assert_eq!(parse(other), Ok(ChannelEvent::Other), "{other}");
        }
    }

    #[test]
    fn says_why_an_event_is_none() {
        let too_many = vec!["x"; MARK_IDS_MAX + 1];
        let too_many = format!(r#"{{"type":"read","userId":"a","unread":1,"ids":{too_many:?}}}"#);
        for bad in [
            "",
            "whatever",
            "{}",
            r#"["read","a",1,null,1]"#,
            r#"{"type":1}"#,
            r#"{"type":"probe"}"#,
            r#"{"type":"probe","hub":"h","n":-1}"#,
            r#"{"type":"read"}"#,
            r#"{"type":"read","userId":"a","upTo":5}"#,
            r#"{"type":"read","userId":"a","unread":1}"#,
            r#"{"type":"read","userId":"a b","upTo":5,"unread":1}"#,
            r#"{"type":"read","userId":"a","upTo":-1,"unread":1}"#,
            r#"{"type":"read","userId":"a","upTo":5,"unread":-1}"#,
            r#"{"type":"read","userId":"a","upTo":"5","unread":1}"#,
            r#"{"type":"read","userId":"a","upTo":5,"ids":[],"unread":1}"#,
            r#"{"type":"read","userId":"a","ids":[7],"unread":1}"#,
            r#"{"type":"read","userId":"a","ids":["a b"],"unread":1}"#,
            &too_many,
        ] {
            assert!(ChannelEvent::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(ChannelEvent::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
            let _ = ChannelEvent::parse(&bytes);
        }

        /// JSON of the right shape gets further than random text.
        #[test]
        fn what_can_be_delivered_is_delivered_as_it_is(
            user in prop_oneof![
                "\"[a-z:.]{0,3}\"", "-?[0-9]{1,22}", Just("null".to_owned()), Just("[]".to_owned()),
            ],
            members in "(,\"[a-z]{1,3}\" ?: ?(1e3|\"\\\\u00e4\"|[{][}]|null)){0,3}",
            bw in "(,\"bw\":([{](\"epoch\":\"e\")?,?(\"seq\":-?[0-9]{1,20})?[}]|7))?",
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let notification = format!("{{ \"userId\":{user}{members} }}");
            let text = format!("{{\"notification\":{notification}{bw}}}");
            match Message::parse(text.as_bytes()) {
                Ok(message) => {
                    prop_assert_eq!(message.notification, &notification);
                    prop_assert_eq!(&*message.user_id, user.trim_matches('"'));
                    prop_assert!(message.position.is_none_or(|position| position.1 > 0));
                }
                Err(why) => prop_assert_ne!(why, "not UTF-8"),
            }
            let mut changed = text.into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = Message::parse(&changed);
        }

        #[test]
        fn events_of_any_shape_are_read_or_refused(
            kind in "read|probe|x",
            user in "\"[a-z:]{0,3}\"|7",
            marks in "(,\"upTo\":-?[0-9]{1,20})?(,\"ids\":[\\[](\"[a-z:]{0,2}\",?){0,3}[\\]])?",
            unread in "-?[0-9]{1,11}",
        ) {
            let text = format!(
                "{{\"type\":\"{kind}\",\"userId\":{user}{marks},\"unread\":{unread}}}"
            );
            if let Ok(ChannelEvent::Read { marked: Marked::UpTo(seq), .. }) =
                ChannelEvent::parse(text.as_bytes())
            {
                prop_assert!(seq >= 0);
            }
        }
    }
}
