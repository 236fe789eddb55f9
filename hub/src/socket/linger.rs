//! Lingering close (RFC 9112 §9.6): ends a connection whose peer may still be sending.
//!
//! A kernel that closes a connection with unread bytes resets it. The reset can overtake the last
//! bytes written, so that the client sees a broken connection instead of a close frame or a
//! rejection. The hub therefore ends its own side first, then reads and discards until the client
//! ends the other side. Bytes and time are bounded, and no data is kept.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

/// Bytes per read, on the stack.
const CHUNK_BYTES: usize = 16 * 1024;

/// Reads and discards a peer's bytes, up to a limit.
#[derive(Debug)]
pub(crate) struct Drain {
    left: usize,
}

impl Drain {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { left: bytes_max }
    }

    /// Ready when the peer has ended its side, the connection is broken, or the limit is reached;
    /// in the last case, also when it is polled again.
    pub(crate) fn poll(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; CHUNK_BYTES];
        while self.left > 0 {
            // Held also when this task's budget is used up (tokio's cooperative scheduling).
            if ready!(stream.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            match stream.try_read(&mut chunk) {
                Ok(0) => return Poll::Ready(()),
                Ok(bytes) => self.left = self.left.saturating_sub(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

/// Ends the hub's side; false if the connection is already broken.
pub(crate) fn end(stream: &TcpStream) -> bool {
    SockRef::from(stream).shutdown(Shutdown::Write).is_ok()
}

/// Ends the hub's side and waits until the peer ends its own, or has sent `bytes_max`. The caller
/// sets a deadline.
pub(crate) async fn hang_up(stream: &TcpStream, bytes_max: usize) {
    if end(stream) {
        let mut drain = Drain::new(bytes_max);
        poll_fn(|cx| drain.poll(stream, cx)).await;
    }
}
