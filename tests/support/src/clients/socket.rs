//! The only WebSocket client: frames in the order received, each awaited with a deadline.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::clients::api;
use crate::wait::{PATIENCE, within};

/// How long to wait for a frame that must not arrive.
const SILENCE: Duration = Duration::from_millis(100);

/// An open socket, with or without TLS below it.
pub struct Socket<S = TcpStream> {
    pub stream: WebSocketStream<S>,
    /// The subprotocol chosen by the hub.
    pub protocol: Option<String>,
    /// Longest wait for a frame.
    patience: Duration,
}

/// A handshake on `path` (with its query), to which headers can be added.
pub fn handshake(path: &str) -> Request<()> {
    format!("ws://hub{path}").into_client_request().unwrap()
}

impl Socket {
    /// Opens a socket with a user's token.
    ///
    /// # Errors
    /// The hub rejects the handshake, or the connection breaks.
    pub async fn connect(
        address: impl ToSocketAddrs,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        let connection = TcpStream::connect(address).await.unwrap();
        Self::connect_over(connection, "", token, protocol).await
    }

    /// Opens a socket over the caller's connection; `query` includes its `?`.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn connect_over(
        connection: TcpStream,
        query: &str,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        let mut request = handshake(&format!("/ws/notifications{query}"));
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(protocol) = protocol {
            headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        Self::open(connection, request).await
    }
}

impl Socket {
    /// The socket of a handshake, or the status that rejected it.
    pub async fn handshake(address: impl ToSocketAddrs, request: Request<()>) -> Result<Self, u16> {
        let connection = TcpStream::connect(address).await.unwrap();
        match within(PATIENCE, "a handshake", Self::open(connection, request)).await {
            Ok(socket) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("handshake: {error:?}"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Sends a handshake unchanged.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn open(connection: S, request: Request<()>) -> Result<Self, Error> {
        let (stream, response) = client_async(request, connection).await?;
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|name| name.to_str().unwrap().to_owned());
        Ok(Self { stream, protocol, patience: PATIENCE })
    }

    /// Limits every further wait for a frame.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub async fn send(&mut self, message: impl Into<Message>) {
        self.stream.send(message.into()).await.unwrap();
    }

    pub async fn send_text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// The next frame that is neither ping nor pong.
    pub async fn message(&mut self) -> Message {
        self.message_within(self.patience).await
    }

    async fn message_within(&mut self, limit: Duration) -> Message {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return message,
                    other => panic!("the socket broke: {other:?}"),
                }
            }
        };
        within(limit, "a frame", next).await
    }

    /// The next frame, which must be text.
    pub async fn text(&mut self) -> String {
        self.text_within(self.patience).await
    }

    pub async fn text_within(&mut self, limit: Duration) -> String {
        match self.message_within(limit).await {
            Message::Text(text) => {
                if self.protocol.as_deref() == Some("bellwire.v1") {
                    api::check_frame(&text);
                }
                text.as_str().to_owned()
            }
            other => panic!("expected a text frame, not {other:?}"),
        }
    }

    /// The next frame, which must be JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The exact bytes of the next notification of a `bellwire.v1` socket; fails on another frame.
    pub async fn notification(&mut self) -> String {
        let frame = self.text().await;
        let inner = frame.strip_prefix(r#"{"type":"notification","notification":"#);
        let inner = inner.and_then(|rest| rest.strip_suffix('}'));
        inner.unwrap_or_else(|| panic!("expected a notification, not {frame}")).to_owned()
    }

    /// The titles of the next notifications, with no other frame between them.
    pub async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        for _ in 0..count {
            let notification: Value = serde_json::from_str(&self.notification().await).unwrap();
            titles.push(notification["title"].as_str().unwrap().to_owned());
        }
        titles
    }

    /// Waits until the hub closes the socket; returns the code. Earlier frames are dropped.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a close code").code.into();
            }
        }
    }

    /// Receives until this many pings have come, or the connection ends; returns their number.
    pub async fn pings(&mut self, count: usize) -> usize {
        let mut seen = 0;
        while seen < count {
            match self.stream.next().await {
                Some(Ok(Message::Ping(_))) => seen += 1,
                Some(Ok(Message::Text(_))) => {}
                _ => break,
            }
        }
        seen
    }

    /// Whether nothing but pings arrives for a moment. Where possible, send a later message and wait
    /// for that instead.
    pub async fn is_silent(&mut self) -> bool {
        let end = tokio::time::Instant::now() + SILENCE;
        loop {
            match tokio::time::timeout_at(end, self.stream.next()).await {
                Ok(Some(Ok(Message::Ping(_)))) => {}
                Ok(frame) => {
                    eprintln!("not silent: {frame:?}");
                    return false;
                }
                Err(_) => return true,
            }
        }
    }
}
