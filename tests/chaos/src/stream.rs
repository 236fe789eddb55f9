//! A connection to a hub, of any of the three kinds, as events.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use serde_json::Value;
use support::events::Block;
use support::{Events, Socket};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// A handshake waits for Redis for up to 3 s.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// Small, so that a client that does not read soon falls behind.
const RECEIVE_BYTES: u32 = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    V1,
    Raw,
    Events,
}

#[derive(Debug)]
pub enum Event {
    /// Irrelevant for the checks.
    Other,
    /// An own notification.
    Ours(i64),
    Foreign,
    Gap {
        reason: String,
        seq: Option<i64>,
    },
    /// The end of the connection, with its close code, if any.
    Closed(Option<u16>),
}

pub enum Stream {
    Socket(Kind, Box<Socket>),
    Events(Events),
}

/// The position from which a client starts.
#[derive(Debug)]
pub enum Cursor {
    None,
    Seq(String, i64),
    Id(String),
}

impl Stream {
    pub async fn open(to: SocketAddr, kind: Kind, token: &str, cursor: &Cursor) -> Result<Self> {
        timeout(OPEN_DEADLINE, Self::connect(to, kind, token, cursor)).await.context("in time")?
    }

    async fn connect(to: SocketAddr, kind: Kind, token: &str, cursor: &Cursor) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        let connection = socket.connect(to).await?;
        let query = match cursor {
            Cursor::None => String::new(),
            Cursor::Seq(epoch, seq) => format!("?since=seq:{seq}&epoch={epoch}"),
            Cursor::Id(id) => format!("?since=id:{id}"),
        };
        if kind != Kind::Events {
            let protocol = if kind == Kind::V1 { "bellwire.v1" } else { "bellwire.raw" };
            let socket = Socket::connect_over(connection, &query, token, Some(protocol)).await?;
            return Ok(Stream::Socket(kind, Box::new(socket)));
        }
        let resume = match cursor {
            Cursor::Seq(epoch, seq) => format!("Last-Event-ID: {epoch}:{seq}\r\n"),
            _ => String::new(),
        };
        let headers = format!("Authorization: Bearer {token}\r\n{resume}");
        let events = Events::connect_over(connection, "", &headers).await?;
        ensure!(events.head.starts_with("HTTP/1.1 200"), "refused");
        Ok(Stream::Events(events))
    }

    /// The next event. No event is lost when the caller stops waiting.
    pub async fn next(&mut self) -> Result<Event> {
        match self {
            Stream::Socket(kind, socket) => match socket.stream.next().await {
                Some(Ok(Message::Text(text))) if *kind == Kind::V1 => v1(&text),
                Some(Ok(Message::Text(text))) => notification(&serde_json::from_str(&text)?),
                Some(Ok(Message::Close(frame))) => {
                    Ok(Event::Closed(frame.map(|frame| frame.code.into())))
                }
                Some(Ok(_)) => Ok(Event::Other),
                Some(Err(_)) | None => Ok(Event::Closed(None)),
            },
            Stream::Events(events) => match events.read().await {
                Ok(Some(block)) => of_block(&block),
                Err(error) if error.kind() == ErrorKind::InvalidData => Err(error.into()),
                Ok(None) | Err(_) => Ok(Event::Closed(None)),
            },
        }
    }
}

fn notification(object: &Value) -> Result<Event> {
    ensure!(object.get("userId").is_some(), "not a notification: {object}");
    Ok(object.get("seq").and_then(Value::as_i64).map_or(Event::Foreign, Event::Ours))
}

fn gap(object: &Value) -> Event {
    let reason = object.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_feed = object.get("epoch").is_some_and(Value::is_string);
    let seq = object.get("seq").and_then(Value::as_i64).filter(|_| has_feed);
    Event::Gap { reason, seq }
}

fn v1(text: &str) -> Result<Event> {
    let object: Value = serde_json::from_str(text)?;
    match object.get("type").and_then(Value::as_str) {
        Some("notification") => notification(object.get("notification").context("a notification")?),
        Some("gap") => Ok(gap(&object)),
        Some("welcome" | "read" | "removed" | "reconnect") => Ok(Event::Other),
        _ => bail!("an unknown frame: {text}"),
    }
}

fn of_block(block: &Block) -> Result<Event> {
    if block.data.is_empty() {
        return Ok(Event::Other);
    }
    let object = serde_json::from_str(&block.data)?;
    match block.event.as_deref() {
        Some("notification") => notification(&object),
        Some("gap") => Ok(gap(&object)),
        _ => Ok(Event::Other),
    }
}
