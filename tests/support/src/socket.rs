//! A browser's WebSocket: frames in the order they came, each awaited with a deadline.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Response;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::wait::{PATIENCE, within};

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the hub chose.
    pub protocol: Option<String>,
}

impl Socket {
    pub(crate) fn new<B>(
        stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
        response: &Response<B>,
    ) -> Self {
        let protocol = response.headers().get("sec-websocket-protocol");
        Self { stream, protocol: protocol.map(|name| name.to_str().unwrap().to_owned()) }
    }

    /// The next text frame.
    pub async fn text(&mut self) -> String {
        self.text_within(PATIENCE).await
    }

    pub async fn text_within(&mut self, limit: Duration) -> String {
        match within(limit, "a text frame", self.message()).await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("expected a text frame, not {other:?}"),
        }
    }

    /// The next text frame as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next frame of a `bellwire.v1` socket, which must be a notification: exactly its bytes.
    pub async fn notification(&mut self) -> String {
        let frame = self.text().await;
        let inner = frame.strip_prefix(r#"{"type":"notification","notification":"#);
        let inner = inner.and_then(|rest| rest.strip_suffix('}'));
        inner.unwrap_or_else(|| panic!("expected a notification, not {frame}")).to_owned()
    }

    /// The titles of the next notifications, which must follow each other directly.
    pub async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        for _ in 0..count {
            let notification: Value = serde_json::from_str(&self.notification().await).unwrap();
            titles.push(notification["title"].as_str().unwrap().to_owned());
        }
        titles
    }

    /// Waits for the end and returns the close code; frames before it are dropped.
    pub async fn closed(&mut self) -> u16 {
        let work = async {
            loop {
                if let Message::Close(frame) = self.message().await {
                    return frame.expect("a close code").code.into();
                }
            }
        };
        within(PATIENCE, "a close frame", work).await
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    /// The next frame that is neither ping nor pong.
    async fn message(&mut self) -> Message {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                other => panic!("the socket broke off: {other:?}"),
            }
        }
    }
}
