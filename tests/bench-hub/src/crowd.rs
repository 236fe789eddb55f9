//! The clients: all sockets in one thread with one epoll, each reading frames and answering pings.
//!
//! They must be cheap, since they share the machine with the measured gateway: one read per
//! message, no task, no timer and no buffer per socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::{frames, payload};

/// Concurrent handshakes: a busy morning, not a reconnect storm.
const HANDSHAKES_MAX: usize = 64;
/// Sockets per address, below any sensible limit per address.
const SOCKETS_PER_ADDRESS: usize = 50;
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const READ_BYTES: usize = 64 * 1024;
/// Longest head of the handshake's answer.
const HEAD_BYTES_MAX: usize = 4096;
const EVENTS_MAX: usize = 512;
/// Longest time until the thread notices a request.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The clients' counts so far.
#[derive(Default)]
pub struct Seen {
    pub open: AtomicUsize,
    /// Notifications received for the first time.
    pub delivered: AtomicU64,
    /// Notifications received again, or after a later one.
    pub doubled: AtomicU64,
    /// Notifications of another user.
    pub astray: AtomicU64,
    /// Sockets closed by the server.
    pub closed: AtomicUsize,
    /// Microseconds since publishing, for the messages delivered since the last call.
    latencies: Mutex<Vec<u32>>,
    /// The clients' thread, for its CPU time; 0 until it runs.
    pub tid: AtomicU32,
    stop: AtomicBool,
}

impl Seen {
    /// Takes the latencies so far.
    pub fn latencies(&self) -> Vec<u32> {
        std::mem::take(&mut *self.latencies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A running thread of clients. Dropping it resets all connections.
pub struct Crowd {
    pub seen: Arc<Seen>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Crowd {
    /// Opens one socket per request, sent unchanged. `begun` is the zero of the messages' times.
    pub fn start(server: SocketAddr, requests: Vec<Vec<u8>>, begun: Instant) -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let clients = Clients {
            server,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            sockets: requests.iter().map(|_| None).collect(),
            requests,
            next: 0,
            begun,
            seen: Arc::clone(&seen),
        };
        let thread = std::thread::Builder::new().name("crowd".to_owned());
        let thread = thread.spawn(move || clients.run())?;
        Ok(Self { seen, thread: Some(thread) })
    }

    /// Waits until `count` sockets are open.
    pub async fn opened(&mut self, count: usize, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.seen.open.load(Ordering::Relaxed) < count {
            self.check()?;
            ensure!(begun.elapsed() < limit, "not all sockets open within {limit:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Fails with the thread's error if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if !self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return Ok(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.context("the clients")?,
            _ => bail!("the clients' thread has ended"),
        }
        bail!("the clients' thread has ended")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Socket {
    stream: TcpStream,
    is_open: bool,
    /// Number of the last notification.
    last: u32,
    /// The start of a frame, or of the handshake's answer.
    rest: Vec<u8>,
}

struct Clients {
    server: SocketAddr,
    epoll: OwnedFd,
    requests: Vec<Vec<u8>>,
    sockets: Vec<Option<Socket>>,
    /// Index of the next request to send.
    next: usize,
    begun: Instant,
    seen: Arc<Seen>,
}

impl Clients {
    fn run(mut self) -> Result<()> {
        let tid = u32::try_from(rustix::thread::gettid().as_raw_pid()).unwrap_or(0);
        self.seen.tid.store(tid, Ordering::Relaxed);
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; READ_BYTES];
        let mut latencies = Vec::new();
        while !self.seen.stop.load(Ordering::Relaxed) {
            self.connect_some()?;
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&WAIT))?;
            for event in &events {
                let at = usize::try_from(event.data.u64())?;
                self.read(at, &mut buffer, &mut latencies).with_context(|| format!("user {at}"))?;
            }
            if !latencies.is_empty() {
                let shared = &self.seen.latencies;
                shared.lock().unwrap_or_else(PoisonError::into_inner).append(&mut latencies);
            }
        }
        Ok(())
    }

    fn connect_some(&mut self) -> Result<()> {
        let gone = || self.seen.closed.load(Ordering::Relaxed);
        let open = self.seen.open.load(Ordering::Relaxed);
        while self.next < self.requests.len() && self.next < open + gone() + HANDSHAKES_MAX {
            let mut stream = connect(self.next, self.server)?;
            stream.write_all(&self.requests[self.next])?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(self.next as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            let socket = Socket { stream, is_open: false, last: 0, rest: Vec::new() };
            self.sockets[self.next] = Some(socket);
            self.next += 1;
        }
        Ok(())
    }

    fn read(&mut self, at: usize, buffer: &mut [u8], latencies: &mut Vec<u32>) -> Result<()> {
        let Some(socket) = self.sockets.get_mut(at).and_then(Option::as_mut) else {
            return Ok(());
        };
        // Epoll reports the rest again: one call per message, not two.
        let count = match socket.stream.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => 0,
        };
        if count == 0 {
            ensure!(socket.is_open, "refused without an answer");
            self.seen.open.fetch_sub(1, Ordering::Relaxed);
            self.seen.closed.fetch_add(1, Ordering::Relaxed);
            // Closing the file removes it from the epoll.
            self.sockets[at] = None;
            return Ok(());
        }
        if socket.rest.is_empty() && socket.is_open {
            let taken = take(socket, &buffer[..count], at, &self.seen, self.begun, latencies)?;
            socket.rest.extend_from_slice(&buffer[taken..count]);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut socket.rest);
        bytes.extend_from_slice(&buffer[..count]);
        let mut done = 0;
        if !socket.is_open {
            let Some(end) = head(&bytes)? else {
                socket.rest = bytes;
                return Ok(());
            };
            socket.is_open = true;
            self.seen.open.fetch_add(1, Ordering::Relaxed);
            done = end;
        }
        done += take(socket, &bytes[done..], at, &self.seen, self.begun, latencies)?;
        // A separate buffer only for the bytes present: 10,000 buffers add up.
        socket.rest = bytes[done..].to_vec();
        Ok(())
    }
}

/// Connects from one of many addresses of this machine. Closes with a reset, so that no connection
/// lingers.
fn connect(at: usize, server: SocketAddr) -> Result<TcpStream> {
    let offset = u32::try_from(at / SOCKETS_PER_ADDRESS)?;
    let address = Ipv4Addr::from(u32::from(FIRST_ADDRESS) + offset);
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(address, 0))?;
    rustix::net::connect(&socket, &server).context("connecting")?;
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(TcpStream::from(socket))
}

/// The end of the answer to the handshake.
fn head(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
        ensure!(bytes.len() < HEAD_BYTES_MAX, "an answer without an end");
        return Ok(None);
    };
    if !bytes.starts_with(b"HTTP/1.1 101 ") {
        bail!("refused: {}", String::from_utf8_lossy(bytes));
    }
    Ok(Some(end + 4))
}

/// Reads whole frames from the front; returns their length in bytes.
fn take(
    socket: &mut Socket,
    bytes: &[u8],
    at: usize,
    seen: &Seen,
    begun: Instant,
    latencies: &mut Vec<u32>,
) -> Result<usize> {
    let mut done = 0;
    while let Some(frame) = frames::first(&bytes[done..])? {
        done += frame.bytes;
        match frame.opcode {
            frames::TEXT => {
                // Protocols other than raw also have other frames.
                let Some(mark) = payload::read(frame.payload) else { continue };
                if usize::try_from(mark.to) != Ok(at) {
                    seen.astray.fetch_add(1, Ordering::Relaxed);
                } else if mark.nth > socket.last {
                    socket.last = mark.nth;
                    let now = u64::try_from(begun.elapsed().as_micros())?;
                    let latency = now.saturating_sub(mark.at_us);
                    latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
                    seen.delivered.fetch_add(1, Ordering::Relaxed);
                } else {
                    seen.doubled.fetch_add(1, Ordering::Relaxed);
                }
            }
            frames::PING => {
                // A few bytes on a socket that never sends: they fit, or the server is gone.
                let _ = socket.stream.write(&frames::pong(frame.payload));
            }
            // The end of the connection follows.
            frames::CLOSE => {}
            other => bail!("a frame with opcode {other}"),
        }
    }
    Ok(done)
}
