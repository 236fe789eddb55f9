//! A subscribed connection: opened like redis-rs's own, from the same settings, and parsed by
//! [`crate::redis::pubsub_parser`].
//!
//! Blocking, since its thread has no other work: a blocking read is one system call, where an event
//! loop needs two and a timer. Another task may write to the connection meanwhile
//! ([`Subscription::split`]); that never waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use native::limits::REDIS_CONNECT_DEADLINE;
use redis::{ConnectionAddr, ConnectionInfo};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{SockRef, Socket};

use crate::limits::SUBSCRIPTION_READ_BYTES;
use crate::redis::pubsub_parser::{self, Garbled, Reply};
use crate::redis::pubsub_writer::{SharedTls, Writer};

/// Why the subscription could not be made, or was lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscriptionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Garbled(#[from] Garbled),
    #[error("Redis closed the connection")]
    Closed,
    /// Redis's own text, which holds no secret.
    #[error("Redis rejected the subscription: {0}")]
    Refused(String),
    #[error("Redis did not confirm the subscription in time")]
    Late,
    #[error("probes do not arrive")]
    Deaf,
    #[error("its server is no longer a master")]
    Outdated,
    #[error("the servers of Redis are not known yet")]
    Unknown,
    #[error("the servers of Redis are not known yet: {0}")]
    Undisclosed(String),
    #[error("the type of the address is not supported")]
    Unsupported,
}

enum Stream {
    /// TCP, or a Unix socket.
    Plain(Socket),
    /// Boxed: the state of TLS is large.
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
    /// The same, shared with a [`Writer`].
    Shared(SharedTls),
}

/// A subscribed connection; see the module.
pub(crate) struct Subscription {
    stream: Stream,
    /// The bytes of the last read; copied from here into the buffer that messages share.
    scratch: Box<[u8]>,
    buffer: BytesMut,
}

impl Subscription {
    /// Connects and subscribes, within [`REDIS_CONNECT_DEADLINE`]. Later reads wait for up to
    /// `tick`.
    ///
    /// # Errors
    /// Redis is unreachable, or rejects the subscription.
    pub(crate) fn open(
        info: &ConnectionInfo,
        channels: &[&str],
        tick: Duration,
    ) -> Result<Self, SubscriptionError> {
        let deadline = Instant::now() + REDIS_CONNECT_DEADLINE;
        let stream = connect(info.addr(), deadline, tick)?;
        let scratch = vec![0; SUBSCRIPTION_READ_BYTES].into_boxed_slice();
        let mut subscription = Self { stream, scratch, buffer: BytesMut::new() };
        let settings = info.redis_settings();
        if let Some(password) = settings.password() {
            let mut words = vec!["AUTH"];
            words.extend(settings.username());
            words.push(password);
            subscription.send(&words)?;
            subscription.answered(deadline, |reply| *reply == Reply::Other)?;
        }
        if !channels.is_empty() {
            let mut words = vec!["SUBSCRIBE"];
            words.extend(channels);
            subscription.send(&words)?;
        }
        for _ in channels {
            subscription.answered(deadline, |reply| *reply == Reply::Subscribed)?;
        }
        Ok(subscription)
    }

    /// The connection with a second handle, which writes while this one waits for bytes.
    ///
    /// # Errors
    /// The process has no more file descriptors.
    pub(crate) fn split(self) -> io::Result<(Self, Writer)> {
        let Self { stream, scratch, buffer } = self;
        let (stream, writer) = match stream {
            Stream::Plain(socket) => {
                let writer = Writer::plain(socket.try_clone()?);
                (Stream::Plain(socket), writer)
            }
            Stream::Tls(stream) => {
                let shared = SharedTls::new(*stream)?;
                let writer = Writer::tls(shared.try_clone()?);
                (Stream::Shared(shared), writer)
            }
            Stream::Shared(shared) => {
                let writer = Writer::tls(shared.try_clone()?);
                (Stream::Shared(shared), writer)
            }
        };
        Ok((Self { stream, scratch, buffer }, writer))
    }

    /// The next complete reply in the buffer, if there is one.
    ///
    /// # Errors
    /// The connection is unusable.
    pub(crate) fn take(&mut self) -> Result<Option<Reply>, SubscriptionError> {
        Ok(pubsub_parser::take(&mut self.buffer)?)
    }

    /// Waits up to a tick for bytes and reads them; whether there were any.
    ///
    /// # Errors
    /// The connection is unusable.
    pub(crate) fn read(&mut self) -> Result<bool, SubscriptionError> {
        let read = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut self.scratch),
            Stream::Tls(stream) => stream.read(&mut self.scratch),
            Stream::Shared(stream) => stream.read(&mut self.scratch),
        };
        match read {
            Ok(0) => Err(SubscriptionError::Closed),
            Ok(bytes) => {
                self.buffer.extend_from_slice(self.scratch.get(..bytes).unwrap_or_default());
                Ok(true)
            }
            Err(error) if is_nothing_yet(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the bytes that have arrived, without waiting; whether there were any.
    ///
    /// # Errors
    /// The connection is unusable.
    pub(crate) fn read_now(&mut self) -> Result<bool, SubscriptionError> {
        self.socket().set_nonblocking(true)?;
        let read = self.read();
        self.socket().set_nonblocking(false)?;
        read
    }

    /// Whether a message, or the answer to a PING, is among the bytes that were read: these show that
    /// the subscription receives, while answers to its own commands do not.
    pub(crate) fn holds_message(&self) -> bool {
        const SIGNS: [&[u8]; 2] = [b"message\r\n", b"pong\r\n"];
        let bytes: &[u8] = &self.buffer;
        SIGNS.iter().any(|sign| bytes.windows(sign.len()).any(|part| part == *sign))
    }

    /// Sends a PING; its answer counts as a reply.
    ///
    /// # Errors
    /// The connection is unusable.
    pub(crate) fn ping(&mut self) -> Result<(), SubscriptionError> {
        self.send(&["PING"])
    }

    fn answered(
        &mut self,
        deadline: Instant,
        is_expected: impl Fn(&Reply) -> bool,
    ) -> Result<(), SubscriptionError> {
        loop {
            match self.take()? {
                Some(Reply::Error(text)) => return Err(SubscriptionError::Refused(text)),
                Some(reply) if is_expected(&reply) => return Ok(()),
                // A message of the first channel, received before the second is subscribed. It is
                // ignored, because every user is brought up to date afterwards.
                Some(_) => {}
                None if Instant::now() >= deadline => return Err(SubscriptionError::Late),
                None => {
                    self.read()?;
                }
            }
        }
    }

    fn send(&mut self, words: &[&str]) -> Result<(), SubscriptionError> {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes.as_bytes())?,
            Stream::Tls(stream) => {
                stream.write_all(bytes.as_bytes())?;
                stream.flush()?;
            }
            Stream::Shared(stream) => stream.send(bytes.as_bytes())?,
        }
        Ok(())
    }

    fn socket(&self) -> SockRef<'_> {
        match &self.stream {
            Stream::Plain(socket) => SockRef::from(socket),
            Stream::Tls(stream) => SockRef::from(&stream.sock),
            Stream::Shared(stream) => SockRef::from(stream.socket()),
        }
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn connect(
    address: &ConnectionAddr,
    deadline: Instant,
    tick: Duration,
) -> Result<Stream, SubscriptionError> {
    let prepared = |socket: Socket| -> io::Result<Socket> {
        socket.set_read_timeout(Some(tick))?;
        socket.set_write_timeout(Some(REDIS_CONNECT_DEADLINE))?;
        Ok(socket)
    };
    match address {
        ConnectionAddr::Tcp(host, port) => {
            Ok(Stream::Plain(prepared(tcp(host, *port, deadline)?)?))
        }
        ConnectionAddr::Unix(path) => {
            Ok(Stream::Plain(prepared(UnixStream::connect(path)?.into())?))
        }
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None } => {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let socket = prepared(tcp(host, *port, deadline)?)?;
            let client = ClientConnection::new(tls()?, name).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(client, socket);
            while stream.conn.is_handshaking() {
                match stream.conn.complete_io(&mut stream.sock) {
                    Ok(_) => {}
                    Err(error) if is_nothing_yet(&error) && Instant::now() < deadline => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Stream::Tls(Box::new(stream)))
        }
        _ => Err(SubscriptionError::Unsupported),
    }
}

/// Connects to the first of the host's addresses that answers in time.
fn tcp(host: &str, port: u16, deadline: Instant) -> io::Result<Socket> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream.into());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`: as redis-rs uses them.
fn tls() -> io::Result<Arc<rustls::ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(io::Error::other(format!("the system has no certificates for TLS{why}")));
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}
