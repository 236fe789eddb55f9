//! The end of a connection whose peer may still be sending, known as lingering close (RFC 9112 §9.6).
//!
//! A kernel that closes a connection with unread bytes resets it. The reset can overtake what was
//! written last, so that the client sees a broken connection instead of a close frame or a refusal.
//! The hub therefore ends its own side first, then reads and drops what still arrives until the client
//! ends the other side. Both bytes and time are bounded, and nothing that arrives is kept.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

/// Read at once, on the stack.
const CHUNK_BYTES: usize = 16 * 1024;

/// Reads and drops what a peer sends, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct Drain {
    left: usize,
}

impl Drain {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { left: bytes_max }
    }

    /// Ready when the peer has ended its side, when the connection is broken, and when the peer has
    /// sent as much as is read of it; then also when it is polled again.
    pub(crate) fn poll(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; CHUNK_BYTES];
        while self.left > 0 {
            // Pending also when this task has had its share (tokio's cooperative budget).
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

/// Tells the peer that nothing follows. Returns whether there is anything left to wait for.
pub(crate) fn end(stream: &TcpStream) -> bool {
    SockRef::from(stream).shutdown(Shutdown::Write).is_ok()
}

/// Ends the hub's side and waits until the peer ends its own, or has sent `bytes_max`. The caller sets
/// a deadline.
pub(crate) async fn hang_up(stream: &TcpStream, bytes_max: usize) {
    if end(stream) {
        let mut drain = Drain::new(bytes_max);
        poll_fn(|cx| drain.poll(stream, cx)).await;
    }
}
