//! The two subprotocols: what the hub says in each, and what it understands.
//!
//! `bellwire.raw` is one notification object per text frame, exactly the bytes that were published,
//! and nothing else. `bellwire.v1` wraps every frame, so that the hub can say more.

use serde::{Deserialize, Serialize};
use shared::wire::{Marked, Position};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Raw,
    V1,
}

impl Protocol {
    /// The name in `Sec-WebSocket-Protocol`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Raw => "bellwire.raw",
            Protocol::V1 => "bellwire.v1",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Protocol::Raw, Protocol::V1].into_iter().find(|protocol| protocol.name() == name)
    }
}

/// Why notifications are missing between what a client has and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The feed in Redis does not hold them any more.
    Missed,
    /// The record was replaced; the old position means nothing now.
    Epoch,
}

impl GapReason {
    fn as_str(self) -> &'static str {
        match self {
            GapReason::Missed => "missed",
            GapReason::Epoch => "epoch",
        }
    }
}

/// Something to tell all sockets of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first frame of a socket: where its user's feed stands, if there is one.
    Welcome(Option<Position>),
    /// A notification object, as it was published.
    Notification(Utf8Bytes),
    /// Up to and including `position` something is missing: the client reads the feed.
    Gap { reason: GapReason, position: Position },
    /// Entries were marked as read, on whichever device; so many are unread then.
    Read { marked: Marked, unread: u32 },
    /// Connect again, after this time.
    Reconnect { after_ms: u64 },
}

impl Event {
    /// The text frame for a protocol; `None` where the protocol has no word for the event.
    pub fn frame(&self, protocol: Protocol) -> Option<Utf8Bytes> {
        match (self, protocol) {
            (Event::Notification(notification), Protocol::Raw) => Some(notification.clone()),
            (_, Protocol::Raw) => None,
            (Event::Welcome(position), Protocol::V1) => {
                let (epoch, seq) = match position {
                    Some(position) => (json(&position.epoch), position.seq),
                    None => ("null".to_owned(), 0),
                };
                Some(format!(r#"{{"type":"welcome","epoch":{epoch},"seq":{seq}}}"#).into())
            }
            (Event::Notification(notification), Protocol::V1) => {
                Some(format!(r#"{{"type":"notification","notification":{notification}}}"#).into())
            }
            (Event::Gap { reason, position: Position { epoch, seq } }, Protocol::V1) => {
                let (reason, epoch) = (reason.as_str(), json(epoch));
                let frame =
                    format!(r#"{{"type":"gap","reason":"{reason}","epoch":{epoch},"seq":{seq}}}"#);
                Some(frame.into())
            }
            (Event::Read { marked, unread }, Protocol::V1) => {
                let marked = match marked {
                    Marked::UpTo(seq) => format!(r#""upTo":{seq}"#),
                    Marked::Ids(ids) => format!(r#""ids":{}"#, json(ids)),
                };
                Some(format!(r#"{{"type":"read",{marked},"unread":{unread}}}"#).into())
            }
            (Event::Reconnect { after_ms }, Protocol::V1) => {
                Some(format!(r#"{{"type":"reconnect","afterMs":{after_ms}}}"#).into())
            }
        }
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Writing texts cannot fail; `null` would be the least harmful answer.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// What a client may say.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientFrame {
    /// A new token in place of the one that is about to expire.
    Auth { token: String },
}

impl ClientFrame {
    /// `None` for anything that is not in the protocol.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_as_the_contract_says() {
        let notification = Event::Notification(r#"{ "userId" : 7 }"#.into());
        assert_eq!(notification.frame(Protocol::Raw).unwrap(), r#"{ "userId" : 7 }"#);
        assert_eq!(
            notification.frame(Protocol::V1).unwrap(),
            r#"{"type":"notification","notification":{ "userId" : 7 }}"#
        );
        let position = Position { epoch: "e\"".to_owned(), seq: 3 };
        assert_eq!(
            Event::Welcome(None).frame(Protocol::V1).unwrap(),
            r#"{"type":"welcome","epoch":null,"seq":0}"#
        );
        let welcome = Event::Welcome(Some(position.clone()));
        assert_eq!(welcome.frame(Protocol::Raw), None);
        assert_eq!(
            welcome.frame(Protocol::V1).unwrap(),
            r#"{"type":"welcome","epoch":"e\"","seq":3}"#
        );
        let gap = Event::Gap { reason: GapReason::Epoch, position };
        assert_eq!(gap.frame(Protocol::Raw), None);
        assert_eq!(
            gap.frame(Protocol::V1).unwrap(),
            r#"{"type":"gap","reason":"epoch","epoch":"e\"","seq":3}"#
        );
        let read = |marked| Event::Read { marked, unread: 2 };
        assert_eq!(read(Marked::UpTo(5)).frame(Protocol::Raw), None);
        assert_eq!(
            read(Marked::UpTo(5)).frame(Protocol::V1).unwrap(),
            r#"{"type":"read","upTo":5,"unread":2}"#
        );
        assert_eq!(
            read(Marked::Ids(vec!["a".to_owned(), "b".to_owned()])).frame(Protocol::V1).unwrap(),
            r#"{"type":"read","ids":["a","b"],"unread":2}"#
        );
        assert_eq!(
            Event::Reconnect { after_ms: 5 }.frame(Protocol::V1).unwrap(),
            r#"{"type":"reconnect","afterMs":5}"#
        );
    }

    #[test]
    fn understands_a_renewal_and_nothing_else() {
        let renewal = ClientFrame::parse(r#"{"type":"auth","token":"t"}"#);
        assert_eq!(renewal, Some(ClientFrame::Auth { token: "t".to_owned() }));
        for other in ["", "hello", "{}", r#"{"type":"auth"}"#, r#"{"type":"AUTH","token":"t"}"#] {
            assert_eq!(ClientFrame::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = ClientFrame::parse(&text);
        }
    }
}
