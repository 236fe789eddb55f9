//! A connection that is subscribed: opened as redis-rs opens its own, from the same settings, then
//! read by [`crate::resp`].

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt as _;
use redis::{ConnectionAddr, ConnectionInfo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::limits::SUBSCRIPTION_READ_BYTES;
use crate::resp::{self, Garbled, Reply};

/// Why there is no subscription, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Garbled(#[from] Garbled),
    #[error("Redis closed the connection")]
    Closed,
    /// Redis' own words; they hold no secret.
    #[error("Redis refuses: {0}")]
    Refused(String),
    #[error("there is no subscription in time")]
    Late,
    #[error("probes are not heard")]
    Deaf,
    #[error("the address is of a kind that is not supported")]
    Unsupported,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// See the module.
pub struct Subscription {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Subscription {
    /// Connects and subscribes. The caller sets a deadline.
    ///
    /// # Errors
    /// Redis cannot be reached, or refuses.
    pub async fn open(info: &ConnectionInfo, channels: &[&str]) -> Result<Self, SubscriptionError> {
        let stream = connect(info.addr()).await?;
        let mut subscription = Self { stream, buffer: BytesMut::new() };
        let settings = info.redis_settings();
        if let Some(password) = settings.password() {
            let mut words = vec!["AUTH"];
            words.extend(settings.username());
            words.push(password);
            subscription.send(&words).await?;
            subscription.answered(|reply| *reply == Reply::Other).await?;
        }
        let mut words = vec!["SUBSCRIBE"];
        words.extend(channels);
        subscription.send(&words).await?;
        for _ in channels {
            subscription.answered(|reply| *reply == Reply::Subscribed).await?;
        }
        Ok(subscription)
    }

    /// A reply that has been read already, if there is one.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn take(&mut self) -> Result<Option<Reply>, SubscriptionError> {
        Ok(resp::take(&mut self.buffer)?)
    }

    /// Waits for more bytes and reads them. Nothing is lost when the caller stops waiting.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn read(&mut self) -> Result<(), SubscriptionError> {
        self.buffer.reserve(SUBSCRIPTION_READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(SubscriptionError::Closed),
            _ => Ok(()),
        }
    }

    /// Reads what has arrived, without waiting; whether there was something.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn read_now(&mut self) -> Result<bool, SubscriptionError> {
        self.read().now_or_never().transpose().map(|read| read.is_some())
    }

    /// Asks whether the connection is there; the answer counts as something read.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn ping(&mut self) -> Result<(), SubscriptionError> {
        self.send(&["PING"]).await
    }

    async fn answered(
        &mut self,
        is_expected: impl Fn(&Reply) -> bool,
    ) -> Result<(), SubscriptionError> {
        loop {
            match self.take()? {
                Some(Reply::Error(text)) => return Err(SubscriptionError::Refused(text)),
                Some(reply) if is_expected(&reply) => return Ok(()),
                // A message of the first channel, before the second one stands: everyone is
                // brought up to date afterwards anyway.
                Some(_) => {}
                None => self.read().await?,
            }
        }
    }

    async fn send(&mut self, words: &[&str]) -> Result<(), SubscriptionError> {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.write_all(bytes.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }
}

async fn connect(address: &ConnectionAddr) -> Result<Box<dyn Stream>, SubscriptionError> {
    match address {
        ConnectionAddr::Tcp(host, port) => {
            Ok(Box::new(TcpStream::connect((host.as_str(), *port)).await?))
        }
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None } => {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let connector = TlsConnector::from(tls()?);
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            Ok(Box::new(connector.connect(name, stream).await?))
        }
        _ => Err(SubscriptionError::Unsupported),
    }
}

/// The machine's certificates, as redis-rs takes them.
fn tls() -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}
