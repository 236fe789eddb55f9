//! A WebSocket client as a test wants it: every wait has an end.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::SOON;

pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub async fn connect(
        address: SocketAddr,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        let connection = TcpStream::connect(address).await.unwrap();
        Self::connect_over(connection, token, protocol).await
    }

    pub async fn connect_over(
        connection: TcpStream,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        Self::connect_to(connection, "", token, protocol).await
    }

    /// `query` with its `?`.
    pub async fn connect_to(
        connection: TcpStream,
        query: &str,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        let url = format!("ws://hub/ws/notifications{query}");
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(protocol) = protocol {
            headers.insert("sec-websocket-protocol", HeaderValue::from_str(protocol).unwrap());
        }
        let (socket, _) = client_async(request, connection).await?;
        Ok(Self { socket })
    }

    pub async fn send(&mut self, message: impl Into<Message>) {
        self.socket.send(message.into()).await.unwrap();
    }

    /// The next frame that is not a ping or pong.
    pub async fn message(&mut self) -> Message {
        let next = async {
            loop {
                match self.socket.next().await.expect("the socket is open").unwrap() {
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => return message,
                }
            }
        };
        timeout(SOON, next).await.expect("a frame in time")
    }

    pub async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    /// Reads on until the hub closes; gives the code.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a close code").code.into();
            }
        }
    }

    /// The notification of the next `bellwire.v1` frame, as its bytes.
    pub async fn notification(&mut self) -> String {
        let frame = self.text().await;
        let inner = frame.strip_prefix(r#"{"type":"notification","notification":"#);
        let inner = inner.and_then(|inner| inner.strip_suffix('}'));
        inner.unwrap_or_else(|| panic!("not a notification: {frame}")).to_owned()
    }

    /// Whether nothing more than pings comes. Sends something around first where possible; this
    /// waits only to catch what must not come.
    pub async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(100), self.socket.next()).await.is_err()
    }
}
