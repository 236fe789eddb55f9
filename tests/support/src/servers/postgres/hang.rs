//! A server that hangs: its connections stay open, and nobody answers.

use rustix::process::{Pid, kill_process};

use super::Postgres;
use crate::process::Signal;

impl Postgres {
    /// Stops all its processes, as a frozen machine does; the kernel still accepts connections.
    pub fn pause(&self) {
        signal_all(self.pid(), Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        signal_all(self.pid(), Signal::CONT);
    }
}

/// Sends a signal to the server and to its children, each of which leads a process group.
pub(super) fn signal_all(server: u32, signal: Signal) {
    // The server first: a stopped one starts no more children.
    send(server, signal);
    let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
    for child in children.unwrap_or_default().split_ascii_whitespace() {
        send(child.parse().unwrap(), signal);
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // A child may have ended meanwhile.
    let _ = kill_process(pid, signal);
}
