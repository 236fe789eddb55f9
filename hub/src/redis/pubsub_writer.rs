//! The writing half of a subscribed connection: it sends what fits into the kernel's buffer, and never
//! waits.
//!
//! A plain socket is written to beside a blocking read of it. TLS has one state for both directions,
//! so its reader waits for bytes outside of the lock, and takes the lock only to decrypt them.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use parking_lot::Mutex;
use rustix::net::{RecvFlags, SendFlags};
use rustls::{ClientConnection, StreamOwned};
use socket2::Socket;

/// The writing half; see the module.
pub(crate) struct Writer {
    line: Line,
    /// Bytes that the kernel did not take yet.
    waiting: BytesMut,
}

enum Line {
    Plain(Socket),
    Tls(SharedTls),
}

impl Writer {
    pub(super) fn plain(socket: Socket) -> Self {
        Self { line: Line::Plain(socket), waiting: BytesMut::new() }
    }

    pub(super) fn tls(shared: SharedTls) -> Self {
        Self { line: Line::Tls(shared), waiting: BytesMut::new() }
    }

    /// Sends the bytes after those that wait already. Call it with none to try those again.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        while !self.waiting.is_empty() {
            let sent = match &self.line {
                Line::Plain(socket) => send_now(socket, &self.waiting),
                Line::Tls(shared) => shared.send_now(&self.waiting),
            };
            match sent {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => self.waiting.advance(sent),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        match &self.line {
            Line::Plain(_) => Ok(()),
            Line::Tls(shared) => shared.flush_now(),
        }
    }

    /// Whether bytes wait for the kernel.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.line {
            Line::Plain(_) => !self.waiting.is_empty(),
            Line::Tls(shared) => !self.waiting.is_empty() || shared.is_waiting(),
        }
    }

    /// Ends the connection for its reader, too.
    pub(crate) fn close(&self) {
        let socket = match &self.line {
            Line::Plain(socket) => socket,
            Line::Tls(shared) => shared.socket(),
        };
        // It fails if the connection has ended already.
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
}

/// A TLS connection of two handles.
pub(super) struct SharedTls {
    /// The same socket as the one inside, to wait for bytes without the lock.
    socket: Socket,
    /// Held for encryption and for calls that do not block.
    state: Arc<Mutex<StreamOwned<ClientConnection, Socket>>>,
}

impl SharedTls {
    pub(super) fn new(stream: StreamOwned<ClientConnection, Socket>) -> io::Result<Self> {
        Ok(Self { socket: stream.sock.try_clone()?, state: Arc::new(Mutex::new(stream)) })
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, state: self.state.clone() })
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Reads like the plain socket would: blocking with the socket's time limit, or not at all.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state.lock().conn.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.socket.peek(&mut [MaybeUninit::uninit()])? == 0 {
                return Ok(0);
            }
            let mut stream = self.state.lock();
            if stream.conn.read_tls(&mut Now(&self.socket))? == 0 {
                return Ok(0);
            }
            stream.conn.process_new_packets().map_err(io::Error::other)?;
            if stream.conn.wants_write() {
                flush(&mut stream, &self.socket)?;
            }
        }
    }

    /// Sends all of it, waiting if necessary.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.state.lock();
        stream.write_all(bytes)?;
        stream.flush()
    }

    fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.state.lock();
        flush(&mut stream, &self.socket)?;
        if stream.conn.wants_write() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = stream.conn.writer().write(bytes)?;
        flush(&mut stream, &self.socket)?;
        Ok(taken)
    }

    fn flush_now(&self) -> io::Result<()> {
        flush(&mut self.state.lock(), &self.socket)
    }

    fn is_waiting(&self) -> bool {
        self.state.lock().conn.wants_write()
    }
}

/// Sends encrypted bytes as far as the kernel takes them.
fn flush(stream: &mut StreamOwned<ClientConnection, Socket>, socket: &Socket) -> io::Result<()> {
    while stream.conn.wants_write() {
        match stream.conn.write_tls(&mut Now(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads and writes a blocking socket without waiting.
struct Now<'a>(&'a Socket);

impl io::Read for Now<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (read, _) = rustix::net::recv(self.0, into, RecvFlags::DONTWAIT)?;
        Ok(read)
    }
}

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send_now(self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send_now(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}
