//! One connection to the hub: handshake, frames, and what ends it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use url::Url;

use super::Cursor;
use crate::api::{Problem, retry_after, unreachable_hint};
use crate::failure::{Failure, Outcome};
use crate::limits::PING_AFTER;
use crate::secrets::Token;
use crate::tls;

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    timeout: Duration,
}

/// Why there is no socket.
pub struct Refused {
    pub failure: Failure,
    /// The time that the hub asks for.
    pub retry_after: Option<Duration>,
}

/// How a socket ended. 1006 stands for a connection that broke.
#[derive(Debug)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

/// What came next.
pub enum Received {
    Text(String),
    Closed(Closed),
}

impl Socket {
    /// Opens a socket of `bellwire.v1`, within `limit`.
    ///
    /// # Errors
    /// No connection, or the hub refuses the handshake.
    pub async fn open(
        hub: &str,
        cursor: Option<&Cursor>,
        token: &Token,
        limit: Duration,
    ) -> Result<Self, Refused> {
        let opening = handshake(hub, cursor, token);
        match timeout(limit, opening).await {
            Ok(Ok(stream)) => Ok(Self { stream, timeout: limit }),
            Ok(Err(refused)) => Err(refused),
            Err(_) => {
                let text = format!("no answer from {hub} within {} s", limit.as_secs());
                Err(Failure::unreachable(text).hint(unreachable_hint()).into())
            }
        }
    }

    /// The next text. A silent hub is asked for a sign of life; without one the socket counts as
    /// closed.
    pub async fn next(&mut self) -> Received {
        loop {
            let message = match timeout(PING_AFTER, self.stream.next()).await {
                Ok(message) => message,
                Err(_) => match self.ping().await {
                    Some(message) => message,
                    None => return broken("the hub does not answer"),
                },
            };
            match message {
                Some(Ok(Message::Text(text))) => return Received::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return closed(frame),
                Some(Ok(_)) => {}
                Some(Err(error)) => return broken(&error.to_string()),
                None => return broken("the connection ended"),
            }
        }
    }

    /// Sends a ping of WebSocket, which the hub answers; returns whatever comes then.
    async fn ping(&mut self) -> Option<Option<Result<Message, Error>>> {
        let work = async {
            self.stream.send(Message::Ping(Vec::new().into())).await.ok()?;
            Some(self.stream.next().await)
        };
        timeout(self.timeout, work).await.ok().flatten()
    }

    /// Asks for the position, which comes as a `pong`.
    pub async fn ask(&mut self) {
        let work = self.stream.send(Message::text(r#"{"type":"ping"}"#));
        // A failure shows in the next read.
        let _ = timeout(self.timeout, work).await;
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = timeout(self.timeout, self.stream.close(None)).await;
    }
}

fn broken(reason: &str) -> Received {
    Received::Closed(Closed { code: 1006, reason: reason.to_owned() })
}

fn closed(frame: Option<tokio_tungstenite::tungstenite::protocol::CloseFrame>) -> Received {
    let (code, reason) = match frame {
        Some(frame) => (frame.code.into(), frame.reason.as_str().to_owned()),
        None => (1005, String::new()),
    };
    Received::Closed(Closed { code, reason })
}

async fn handshake(
    hub: &str,
    cursor: Option<&Cursor>,
    token: &Token,
) -> Result<WebSocketStream<Box<dyn Stream>>, Refused> {
    let url = Url::parse(hub).map_err(|_| Failure::usage("the hub's URL is invalid"))?;
    let stream = connect(&url).await.map_err(|error| {
        let text = format!("cannot connect to {hub}: {error}");
        Failure::unreachable(text).hint(unreachable_hint())
    })?;
    let query = cursor.map(Cursor::query).unwrap_or_default();
    // https becomes wss.
    let address = format!("ws{}/ws/notifications{query}", hub.trim_start_matches("http"));
    let request = address.into_client_request();
    let mut request = request.map_err(|_| Failure::usage("the hub's URL is invalid"))?;
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, token.header()?);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("bellwire.v1"));
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            let headers = response.headers();
            let problem = Problem::parse(response.body().as_deref().unwrap_or_default());
            let failure = problem.into_failure("the hub", status, headers, Some(token));
            Err(Refused { failure, retry_after: retry_after(headers, SystemTime::now()) })
        }
        Err(error) => Err(Failure::unreachable(format!("no socket at {hub}: {error}")).into()),
    }
}

async fn connect(url: &Url) -> io::Result<Box<dyn Stream>> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let config = tls::config(true).map_err(|failure| io::Error::other(failure.detail))?;
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: None }
    }
}

/// Whether the hub would close the next socket for the same reason.
pub fn is_terminal(code: u16) -> bool {
    let known = shared::CloseCode::ALL.into_iter().find(|known| known.as_u16() == code);
    known.is_some_and(|code| !code.is_retryable())
}

impl Closed {
    /// The failure that ends a watch, if there is no use in another socket.
    pub fn terminal(&self) -> Outcome {
        match is_terminal(self.code) {
            true => Err(Failure::failed(format!("the hub closed the socket: {self}"))),
            false => Ok(()),
        }
    }
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, crate::output::clean(&self.reason))
    }
}
