//! Memory of the kernel for sockets, which belongs to no process.

use std::fs;

const PAGE_BYTES: u64 = 4096;
/// Slabs that a socket uses in the kernel besides its buffers: the connection, the file, and its
/// entry in an epoll. Listed one by one, because the sum of all slabs includes all files of the
/// machine.
const SLABS: &[&str] = &[
    "TCP",
    "sock_inode_cache",
    "filp",
    "eventpoll_epi",
    "eventpoll_pwq",
    "ep_head",
    "request_sock_TCP",
    "tcp_bind_bucket",
    "tcp_bind2_bucket",
    "tw_sock_TCP",
];

/// The kernel's memory for all TCP sockets of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    bytes: u64,
    sockets: u64,
}

impl Kernel {
    /// `None` without the permission to read it (`/proc/slabinfo` needs root).
    pub fn now() -> Option<Self> {
        let slabs = fs::read_to_string("/proc/slabinfo").ok()?;
        let (sockets, pages) = parse_sockets(&fs::read_to_string("/proc/net/sockstat").ok()?)?;
        Some(Self { bytes: slab_bytes(&slabs) + PAGE_BYTES * pages, sockets })
    }

    /// Bytes per socket of the sockets added since `before`. They are counted, at both ends: other
    /// programs open and close sockets, too. `None` when fewer than `expected` were added.
    pub fn per_socket(self, before: Self, expected: u64) -> Option<f64> {
        let sockets = self.sockets.checked_sub(before.sockets).filter(|&s| s >= expected)?;
        Some((self.bytes as f64 - before.bytes as f64) / sockets as f64)
    }
}

/// `name active total object-size objects-per-slab pages-per-slab : tunables a b c : slabdata
/// active-slabs slabs shared`
fn slab_bytes(text: &str) -> u64 {
    let bytes = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_ours = fields.first().is_some_and(|name| SLABS.contains(name));
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        is_ours.then(|| Some(number(5)? * number(14)? * PAGE_BYTES))?
    };
    text.lines().filter_map(bytes).sum()
}

/// Sockets and pages of buffers: `TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 228`.
fn parse_sockets(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let (head, pages) = line.split_once(" mem ")?;
    let (_, sockets) = head.split_once(" alloc ")?;
    Some((sockets.parse().ok()?, pages.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_files_of_proc() {
        let slabs = "slabinfo - version: 2.1\n\
            TCP 78 130 2368 13 8 : tunables 0 0 0 : slabdata 10 10 0\n\
            dentry 260339 351036 192 21 1 : tunables 0 0 0 : slabdata 16716 16716 0\n\
            filp 454 483 192 21 1 : tunables 0 0 0 : slabdata 20 23 0\n";
        assert_eq!(slab_bytes(slabs), (10 * 8 + 23) * PAGE_BYTES);
        let sockets = "sockets: used 14\nTCP: inuse 1 orphan 0 tw 0 alloc 7 mem 228\nUDP: mem 0\n";
        assert_eq!(parse_sockets(sockets), Some((7, 228)));
        assert_eq!(parse_sockets(""), None);
    }
    #[test]
    fn divides_memory_by_the_sockets_added() {
        let before = Kernel { bytes: 1_000, sockets: 10 };
        let now = Kernel { bytes: 5_000, sockets: 14 };
        assert_eq!(now.per_socket(before, 4), Some(1_000.0));
        assert_eq!(now.per_socket(before, 5), None);
        assert_eq!(before.per_socket(now, 0), None);
    }
}
