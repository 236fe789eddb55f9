//! Standard error: the output of components, in whole lines as with `spin up`, and the host's own
//! messages. Standard output has only the table of routes.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// A longer line is written in pieces.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Prints one line of the host. Not `eprintln!`, which panics if standard error is closed.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The standard output or standard error of components.
#[derive(Clone, Copy)]
pub(crate) struct Lines;

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter(Vec::new()))
    }
}

/// Keeps the start of a line until its end arrives, so that instances do not mix within a line.
struct LineWriter(Vec<u8>);

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.extend_from_slice(bytes);
        let whole = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = if self.0.len() > LINE_BYTES_MAX { self.0.len() } else { whole };
        let written = io::stderr().write_all(&self.0[..whole]);
        self.0.drain(..whole);
        Poll::Ready(written.map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.0.push(b'\n');
            // An error of standard error cannot be reported.
            let _ = io::stderr().write_all(&self.0);
        }
    }
}
