//! The two subprotocols and the event stream: the hub's messages in each, and the client's.
//!
//! `bellwire.raw` has one notification object per text frame, exactly the bytes that were
//! published, and no other messages. `bellwire.v1` wraps every message, so that there can be other
//! types. The event stream (SSE) has the same messages as events; those of Bellwire's notifications
//! have an id to resume from.
//!
//! Bytes only: no sockets, no users, no state.

pub mod frame;

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shared::wire::{Marked, Position};

use crate::protocol::frame::Opcode;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Raw,
    V1,
    /// Server-sent events (WHATWG HTML §9.2).
    Events,
}

impl Protocol {
    pub(crate) const COUNT: usize = 3;

    /// The name in `Sec-WebSocket-Protocol` and in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Raw => "bellwire.raw",
            Protocol::V1 => "bellwire.v1",
            Protocol::Events => "events",
        }
    }

    /// The WebSocket subprotocol of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Protocol::Raw, Protocol::V1].into_iter().find(|protocol| protocol.name() == name)
    }

    pub(crate) fn is_websocket(self) -> bool {
        self != Protocol::Events
    }

    /// A ping; a WebSocket client has to answer it.
    pub(crate) fn ping(self, payload: u64) -> Bytes {
        match self {
            Protocol::Raw | Protocol::V1 => frame::encode(Opcode::Ping, &[&payload.to_be_bytes()]),
            Protocol::Events => Bytes::from_static(b":\n\n"),
        }
    }
}

/// Why a client misses notifications before those that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// Redis's feed no longer holds them.
    Missed,
    /// The record was replaced, so the client's position is invalid.
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

/// A message for all sockets of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first frame of a socket: the position of its user's feed, if there is a feed.
    Welcome(Option<Position>),
    /// A published notification object, in UTF-8. Those of other services have no position.
    Notification { text: Bytes, position: Option<Position> },
    /// Notifications up to and including `position` are missing: the client reads the feed. Without
    /// a position, Redis has no feed at all.
    Gap { reason: GapReason, position: Option<Position> },
    /// Entries were marked as read on any device; `unread` is the new count.
    Read { marked: Marked, unread: u32 },
    /// The client should reconnect after this time.
    Reconnect { after_ms: u64 },
}

impl Event {
    /// The bytes for a protocol; `None` if the protocol has no such message.
    pub fn encode(&self, protocol: Protocol) -> Option<Bytes> {
        match (self, protocol) {
            (Event::Notification { text, .. }, Protocol::Raw) => {
                Some(frame::encode(Opcode::Text, &[text]))
            }
            (_, Protocol::Raw) => None,
            (Event::Notification { text, .. }, Protocol::V1) => {
                let start = br#"{"type":"notification","notification":"#;
                Some(frame::encode(Opcode::Text, &[start, text, b"}"]))
            }
            (event, Protocol::V1) => Some(frame::encode(Opcode::Text, &[event.json().as_bytes()])),
            (event, Protocol::Events) => Some(event.stream().into()),
        }
    }

    /// The event for an event stream.
    fn stream(&self) -> String {
        match self {
            // An id without data sets the position to resume from without an event for the page.
            Event::Welcome(Some(position)) => block(Some(position), None, ""),
            Event::Welcome(None) => ":\n\n".to_owned(),
            Event::Notification { text, position } => {
                block(position.as_ref(), Some("notification"), &String::from_utf8_lossy(text))
            }
            Event::Gap { position, .. } => block(position.as_ref(), Some("gap"), &self.json()),
            Event::Read { .. } => block(None, Some("read"), &self.json()),
            Event::Reconnect { after_ms } => format!("retry: {after_ms}\n\n"),
        }
    }

    /// The event in `bellwire.v1`.
    fn json(&self) -> String {
        match self {
            Event::Welcome(position) => {
                format!(r#"{{"type":"welcome",{}}}"#, members(position.as_ref()))
            }
            Event::Notification { text, .. } => {
                let text = String::from_utf8_lossy(text);
                format!(r#"{{"type":"notification","notification":{text}}}"#)
            }
            Event::Gap { reason, position } => {
                let (reason, position) = (reason.as_str(), members(position.as_ref()));
                format!(r#"{{"type":"gap","reason":"{reason}",{position}}}"#)
            }
            Event::Read { marked, unread } => {
                let marked = match marked {
                    Marked::UpTo(seq) => format!(r#""upTo":{seq}"#),
                    Marked::Ids(ids) => format!(r#""ids":{}"#, json(ids)),
                };
                format!(r#"{{"type":"read",{marked},"unread":{unread}}}"#)
            }
            Event::Reconnect { after_ms } => {
                format!(r#"{{"type":"reconnect","afterMs":{after_ms}}}"#)
            }
        }
    }
}

/// The position as JSON members.
fn members(position: Option<&Position>) -> String {
    match position {
        Some(Position { epoch, seq }) => format!(r#""epoch":{},"seq":{seq}"#, json(&**epoch)),
        None => r#""epoch":null,"seq":0"#.to_owned(),
    }
}

/// One event of a stream (§9.2.5). A text of several lines takes as many `data` lines.
fn block(position: Option<&Position>, name: Option<&str>, data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 128);
    // Writing to a string cannot fail.
    if let Some(Position { epoch, seq }) = position
        && !epoch.contains(['\n', '\r', '\0'])
    {
        let _ = writeln!(text, "id: {epoch}:{seq}");
    }
    if let Some(name) = name {
        let _ = writeln!(text, "event: {name}");
        for line in data.split('\n') {
            // A carriage return would end the line, too. Between JSON tokens it is white space, and
            // inside strings it is escaped.
            let _ = writeln!(text, "data: {}", line.replace('\r', " "));
        }
    }
    text.push('\n');
    text
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Serialising strings cannot fail; `null` would be the least harmful answer.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A message from a client.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientFrame {
    /// A new token that replaces the expiring one.
    Auth { token: String },
}

impl ClientFrame {
    /// Parses a message; `None` if the protocol has no such message.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(epoch: &str, seq: i64) -> Position {
        Position { epoch: epoch.into(), seq }
    }

    fn notification(text: &str, position: Option<Position>) -> Event {
        Event::Notification { text: text.to_owned().into(), position }
    }

    /// The text of a short frame.
    fn text(event: &Event, protocol: Protocol) -> String {
        let bytes = event.encode(protocol).unwrap();
        String::from_utf8(bytes[2..].to_vec()).unwrap()
    }

    #[test]
    fn frames_are_as_the_contract_says() {
        let foreign = notification(r#"{ "userId" : 7 }"#, None);
        assert_eq!(text(&foreign, Protocol::Raw), r#"{ "userId" : 7 }"#);
        let v1 = |event: &Event| text(event, Protocol::V1);
        assert_eq!(v1(&foreign), r#"{"type":"notification","notification":{ "userId" : 7 }}"#);
        let none = Event::Welcome(None);
        assert_eq!(v1(&none), r#"{"type":"welcome","epoch":null,"seq":0}"#);
        let welcome = Event::Welcome(Some(at("e\"", 3)));
        assert_eq!(v1(&welcome), r#"{"type":"welcome","epoch":"e\"","seq":3}"#);
        let gap = Event::Gap { reason: GapReason::Epoch, position: Some(at("e", 3)) };
        assert_eq!(v1(&gap), r#"{"type":"gap","reason":"epoch","epoch":"e","seq":3}"#);
        let read = |marked| Event::Read { marked, unread: 2 };
        assert_eq!(v1(&read(Marked::UpTo(5))), r#"{"type":"read","upTo":5,"unread":2}"#);
        let ids = Marked::Ids(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(v1(&read(ids.clone())), r#"{"type":"read","ids":["a","b"],"unread":2}"#);
        let reconnect = Event::Reconnect { after_ms: 5 };
        assert_eq!(v1(&reconnect), r#"{"type":"reconnect","afterMs":5}"#);
        for other in [none, welcome, gap, read(ids), reconnect] {
            assert_eq!(other.encode(Protocol::Raw), None, "{other:?}");
        }
    }

    #[test]
    fn events_are_as_the_contract_says() {
        let events = |event: &Event| {
            String::from_utf8(event.encode(Protocol::Events).unwrap().to_vec()).unwrap()
        };
        let ours = notification("{\"a\":\r\n1}", Some(at("e", 5)));
        let expected = "id: e:5\nevent: notification\ndata: {\"a\": \ndata: 1}\n\n";
        assert_eq!(events(&ours), expected);
        assert_eq!(events(&notification("{}", None)), "event: notification\ndata: {}\n\n");
        assert_eq!(events(&Event::Welcome(None)), ":\n\n");
        assert_eq!(events(&Event::Welcome(Some(at("e", 5)))), "id: e:5\n\n");
        // An epoch that another service wrote must not break out of its line.
        assert_eq!(events(&Event::Welcome(Some(at("e\nevent: x", 5)))), "\n");
        let gap = Event::Gap { reason: GapReason::Missed, position: Some(at("e", 3)) };
        let data = r#"{"type":"gap","reason":"missed","epoch":"e","seq":3}"#;
        assert_eq!(events(&gap), format!("id: e:3\nevent: gap\ndata: {data}\n\n"));
        let read = Event::Read { marked: Marked::UpTo(5), unread: 2 };
        let data = r#"{"type":"read","upTo":5,"unread":2}"#;
        assert_eq!(events(&read), format!("event: read\ndata: {data}\n\n"));
        assert_eq!(events(&Event::Reconnect { after_ms: 7 }), "retry: 7\n\n");
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
