//! The process as the system sees it.

pub mod open_files;
mod signals;
pub mod usage;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::net::{TcpListener, TcpSocket};

use crate::limits::SCRAPES_MAX;
pub use signals::Signals;

/// How a program ends, with its error on stderr: the log may not be initialised yet, and the message
/// is for the person who started the process.
#[must_use]
pub fn exit_code(program: &str, outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The variable of this name.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// As [`TcpListener::bind`], with a configurable backlog.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted process must not wait until the old connections have left TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// The listener of an address for operators, if there is one. `setting` names it in errors.
///
/// # Errors
/// The address cannot be bound.
pub fn bind_own(address: Option<SocketAddr>, setting: &str) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    // Few connect there, so that they need no longer queue.
    let listener = bind(address, SCRAPES_MAX as u32);
    listener.map(Some).with_context(|| format!("{setting}: {address}"))
}
