//! What travels on the Redis channel.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::UserId;
use crate::notification::user_id_from_json;

/// Where a notification stands in its user's feed. `seq` alone means nothing: a record that was
/// replaced starts again at 1, under another epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    pub epoch: String,
    pub seq: i64,
}

/// A message of the channel `notifications`, as far as a relay needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub user_id: UserId,
    /// The notification object, exactly the bytes that were published.
    pub notification: &'a str,
    /// Present on ours; other services publish without it.
    pub position: Option<Position>,
}

impl<'a> Message<'a> {
    /// Reads `{"notification":{"userId":…,…},"bw":{…}?}`; unknown members are ignored, an integer
    /// `userId` counts as its decimal text.
    ///
    /// # Errors
    /// A short text for the log when the message cannot be delivered to anyone.
    pub fn parse(payload: &'a [u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            notification: Option<&'a RawValue>,
            #[serde(borrow)]
            bw: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Recipient<'a> {
            #[serde(borrow)]
            user_id: Option<&'a RawValue>,
        }
        let text = std::str::from_utf8(payload).map_err(|_| "not UTF-8")?;
        let envelope: Envelope<'a> = object(text).ok_or("not a JSON object")?;
        let notification = envelope.notification.ok_or("no `notification`")?;
        let recipient: Recipient<'a> =
            object(notification.get()).ok_or("`notification` is not an object")?;
        let user_id = recipient.user_id.ok_or("no `userId`")?;
        let user_id = user_id_from_json(user_id.get())
            .ok_or("`userId` is neither a string nor an integer")?
            .map_err(|_| "`userId` is not a valid id")?;
        // A `bw` that is not ours to read makes the message foreign, not undeliverable.
        let position = envelope
            .bw
            .and_then(|bw| serde_json::from_str::<Position>(bw.get()).ok())
            .filter(|position| position.seq > 0);
        Ok(Self { user_id, notification: notification.get(), position })
    }
}

/// Parses an object; serde alone would take an array with the members in order as well.
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
        assert_eq!(message.user_id.as_str(), "a");
        assert_eq!(message.notification, r#"{"id":"x","userId":"a","seq":5}"#);
        assert_eq!(message.position, Some(Position { epoch: "e".to_owned(), seq: 5 }));

        let theirs = br#" { "x":[1], "notification" : { "userId" : 7, "a" : [ ] } , "bw":"?"} "#;
        let message = Message::parse(theirs).unwrap();
        assert_eq!(message.user_id.as_str(), "7");
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

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
        }
    }
}
