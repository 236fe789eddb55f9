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
use shared::wire::{Change, Position, Unread};

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
pub enum Outgoing {
    /// The first frame of a socket.
    Welcome(Welcome),
    /// A published notification object, in UTF-8. Those of other services have no position.
    Notification { text: Bytes, position: Option<Position> },
    /// Notifications up to and including `position` are missing: the client reads the feed. Without
    /// a position, Redis has no feed at all.
    Gap { reason: GapReason, position: Option<Position> },
    /// The feed changed on any device; `unread` is the new count, if known.
    Change { change: Change, unread: Option<Unread> },
    /// The answer to a client's ping: the position that the user's sockets have reached, and the
    /// number of unread entries there, if known.
    Pong { position: Option<Position>, unread: Option<u32> },
    /// The answer to a renewal: the time until the hub closes the socket.
    Renewed { expires_in_ms: u64 },
    /// The client should reconnect after this time.
    Reconnect { after_ms: u64 },
}

/// What a socket learns first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// The position of the user's feed, if there is a feed.
    pub position: Option<Position>,
    /// The number of unread entries at that position, if known.
    pub unread: Option<u32>,
    /// Time until the hub closes the socket because its token expires. The socket itself sets it.
    pub expires_in_ms: u64,
}

impl Outgoing {
    /// The bytes for a protocol; `None` if the protocol has no such message.
    pub fn encode(&self, protocol: Protocol) -> Option<Bytes> {
        match (self, protocol) {
            (Outgoing::Notification { text, .. }, Protocol::Raw) => {
                Some(frame::encode(Opcode::Text, &[text]))
            }
            (_, Protocol::Raw) => None,
            (Outgoing::Pong { .. } | Outgoing::Renewed { .. }, Protocol::Events) => None,
            (Outgoing::Notification { text, .. }, Protocol::V1) => {
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
            Outgoing::Welcome(Welcome { position: Some(position), .. }) => {
                block(Some(position), None, "")
            }
            Outgoing::Welcome(_) => ":\n\n".to_owned(),
            Outgoing::Notification { text, position } => {
                block(position.as_ref(), Some("notification"), &String::from_utf8_lossy(text))
            }
            Outgoing::Gap { position, .. } => block(position.as_ref(), Some("gap"), &self.json()),
            Outgoing::Change { change, .. } => block(None, Some(word(change)), &self.json()),
            // Answers to messages, which a stream's reader cannot send.
            Outgoing::Pong { .. } | Outgoing::Renewed { .. } => String::new(),
            Outgoing::Reconnect { after_ms } => format!("retry: {after_ms}\n\n"),
        }
    }

    /// The event in `bellwire.v1`.
    fn json(&self) -> String {
        match self {
            Outgoing::Welcome(Welcome { position, unread, expires_in_ms }) => {
                let (position, unread) = (members(position.as_ref()), json(unread));
                format!(
                    r#"{{"type":"welcome",{position},"unread":{unread},"expiresInMs":{expires_in_ms}}}"#
                )
            }
            Outgoing::Notification { text, .. } => {
                let text = String::from_utf8_lossy(text);
                format!(r#"{{"type":"notification","notification":{text}}}"#)
            }
            Outgoing::Gap { reason, position } => {
                let (reason, position) = (reason.as_str(), members(position.as_ref()));
                format!(r#"{{"type":"gap","reason":"{reason}",{position}}}"#)
            }
            Outgoing::Change { change, unread } => {
                let which = match change {
                    Change::ReadUpTo(seq) => format!(r#""upTo":{seq}"#),
                    Change::ReadIds(ids) | Change::RemovedIds(ids) => {
                        format!(r#""ids":{}"#, json(ids))
                    }
                    Change::RemovedAll => r#""all":true"#.to_owned(),
                };
                let (word, unread) = (word(change), json(&unread.map(|unread| unread.count)));
                format!(r#"{{"type":"{word}",{which},"unread":{unread}}}"#)
            }
            Outgoing::Pong { position, unread } => {
                let (position, unread) = (members(position.as_ref()), json(unread));
                format!(r#"{{"type":"pong",{position},"unread":{unread}}}"#)
            }
            Outgoing::Renewed { expires_in_ms } => {
                format!(r#"{{"type":"auth","expiresInMs":{expires_in_ms}}}"#)
            }
            Outgoing::Reconnect { after_ms } => {
                format!(r#"{{"type":"reconnect","afterMs":{after_ms}}}"#)
            }
        }
    }
}

/// The type of a change's frame.
fn word(change: &Change) -> &'static str {
    match change {
        Change::ReadUpTo(_) | Change::ReadIds(_) => "read",
        Change::RemovedIds(_) | Change::RemovedAll => "removed",
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
    // Serialising strings and numbers cannot fail; `null` would be the least harmful answer.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A message from a client.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientFrame {
    /// A new token that replaces the expiring one.
    Auth { token: String },
    /// A question whether the connection is alive, and how much is unread.
    Ping,
}

impl ClientFrame {
    /// Parses a message; `None` if the protocol has no such message.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests;
