//! The harness's WebSocket client, with the deadline of these tests.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ::support::Socket;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::Request;

use super::SOON;

/// A user's open socket. Every wait for a frame ends after [`SOON`].
pub struct Client(Socket);

impl Client {
    pub async fn connect(
        address: SocketAddr,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        Socket::connect(address, token, protocol).await.map(Self::impatient)
    }

    /// The welcome without the validity of the token, which differs on every run.
    pub async fn welcome(&mut self) -> String {
        let text = self.text().await;
        let (start, end) = text.split_once(r#","expiresInMs":"#).expect("a welcome");
        let ms: u64 = end.strip_suffix('}').unwrap().parse().unwrap();
        assert!((1..=3_660_000).contains(&ms), "{text}");
        format!("{start}}}")
    }

    pub async fn connect_over(
        connection: TcpStream,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        Self::connect_to(connection, "", token, protocol).await
    }

    /// `query` includes its `?`.
    pub async fn connect_to(
        connection: TcpStream,
        query: &str,
        token: &str,
        protocol: Option<&str>,
    ) -> Result<Self, Error> {
        Socket::connect_over(connection, query, token, protocol).await.map(Self::impatient)
    }

    /// Sends a handshake unchanged.
    pub async fn open(connection: TcpStream, request: Request<()>) -> Result<Self, Error> {
        Socket::open(connection, request).await.map(Self::impatient)
    }

    /// With another deadline for every frame.
    pub fn patience(self, patience: Duration) -> Self {
        Self(self.0.patience(patience))
    }

    fn impatient(socket: Socket) -> Self {
        Self(socket.patience(SOON))
    }
}

impl Deref for Client {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Socket {
        &mut self.0
    }
}
