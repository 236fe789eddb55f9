//! What a program holds: its memory, and its connections to other programs, from `/proc`.

use std::collections::BTreeSet;
use std::fs;

use crate::{cpu, memory};

/// States of a socket in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const LISTENING: &str = "0A";

/// A program and its children.
pub struct Holder {
    pids: Vec<u32>,
}

/// One line of `/proc/net/tcp`.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local_port: u16,
    remote_port: u16,
    is_listening: bool,
    inode: u64,
}

impl Holder {
    /// The program with the children that it has now.
    pub fn of(pid: u32) -> Self {
        Self { pids: std::iter::once(pid).chain(cpu::children(pid)).collect() }
    }

    /// Its memory in bytes (PSS); `None` where it may not be read.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.pids.iter().map(|pid| memory::pss_of_one(*pid).ok()).sum()
    }

    /// Its connections to each of the programs that listen.
    pub fn connections_to<const N: usize>(&self, listeners: [u32; N]) -> [usize; N] {
        let all = all_sockets();
        let own: BTreeSet<u64> = self.pids.iter().flat_map(|pid| inodes(*pid)).collect();
        listeners.map(|pid| {
            let theirs = inodes(pid);
            let listening =
                all.iter().filter(|socket| socket.is_listening && theirs.contains(&socket.inode));
            let ports: BTreeSet<u16> = listening.map(|socket| socket.local_port).collect();
            all.iter()
                .filter(|socket| !socket.is_listening && ports.contains(&socket.remote_port))
                .filter(|socket| own.contains(&socket.inode))
                .count()
        })
    }
}

/// The sockets of a process; empty for one that has ended.
fn inodes(pid: u32) -> BTreeSet<u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

fn all_sockets() -> Vec<Socket> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let text = read("/proc/net/tcp") + &read("/proc/net/tcp6");
    text.lines().filter_map(parse).collect()
}

/// `None` for a head line, and for a socket that is neither listening nor connected.
fn parse(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let port = |at: usize| {
        let (_, port) = fields.get(at)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    let state = *fields.get(3)?;
    if state != ESTABLISHED && state != LISTENING {
        return None;
    }
    Some(Socket {
        local_port: port(1)?,
        remote_port: port(2)?,
        is_listening: state == LISTENING,
        inode: fields.get(9)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn counts_the_connections_to_a_listener() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let own = std::process::id();
        let before = Holder::of(own).connections_to([own])[0];
        let _streams = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        let _accepted = [(); 3].map(|()| listener.accept().unwrap());
        assert!(Holder::of(own).connections_to([own])[0] >= before + 3);
        assert_eq!(Holder::of(own).connections_to([u32::MAX]), [0]);
        assert!(Holder::of(own).memory_bytes().is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn reads_a_line_of_proc() {
        let line = "   0: 0100007F:1F90 0100007F:D2A8 01 00000000:00000000 00:00000000 00000000 \
                    0        0 4711 1 0000000000000000 20 4 30 10 -1";
        let socket =
            Socket { local_port: 8080, remote_port: 53928, is_listening: false, inode: 4711 };
        assert_eq!(parse(line), Some(socket));
        assert_eq!(parse(&line.replace(" 01 ", " 06 ")), None);
        assert_eq!(parse("  sl  local_address rem_address   st"), None);
    }
}
