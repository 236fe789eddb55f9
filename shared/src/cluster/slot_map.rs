//! The map from hash slots to the servers that serve them.

use super::slot::{SLOTS, slot_of};

/// A server's host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

impl Server {
    /// Reads `host:port`, as in a redirection. An empty host is the host that was asked, `asked`.
    pub fn parse(text: &str, asked: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = if host.is_empty() { asked } else { host };
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl std::fmt::Display for Server {
    /// `host:port`; an IPv6 address is in brackets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which server serves which slot. A slot may have none while its master is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMap {
    /// Sorted, each once: two maps of the same cluster are equal.
    servers: Vec<Server>,
    /// Ranges without overlap, sorted: first slot, last slot, position in `servers`.
    ranges: Vec<(u16, u16, usize)>,
    /// Whether a master was left out because its nodes do not tell a name for it.
    has_unnamed: bool,
}

impl SlotMap {
    /// What is wrong with a node that is to be named by its host name and has none: Redis tells `?`.
    pub const UNNAMED: &'static str =
        "a node announces no host name, set its cluster-announce-hostname";

    /// The map of one server that serves everything.
    pub fn of_one(server: Server) -> Self {
        Self { servers: vec![server], ranges: vec![(0, SLOTS - 1, 0)], has_unnamed: false }
    }

    /// The map of a cluster, from the first and the last slot of each range, and its master. `None`
    /// without a range, or if one is not a range of slots: that is not the answer of a cluster.
    pub fn of_cluster(ranges: impl IntoIterator<Item = (u16, u16, Server)>) -> Option<Self> {
        let given: Vec<(u16, u16, Server)> = ranges.into_iter().collect();
        let is_range = |(first, last, _): &(u16, u16, Server)| first <= last && *last < SLOTS;
        if given.is_empty() || !given.iter().all(is_range) {
            return None;
        }
        // Inserted in order: few are not in order anyway, and components would have 20 KB of code for
        // sorting.
        let mut servers: Vec<Server> = Vec::new();
        for (_, _, server) in &given {
            if let Err(at) = servers.binary_search(server) {
                servers.insert(at, server.clone());
            }
        }
        let mut ranges: Vec<(u16, u16, usize)> = Vec::with_capacity(given.len());
        for (first, last, server) in &given {
            let position = servers.binary_search(server).unwrap_or_default();
            let at = ranges.partition_point(|(before, _, _)| before <= first);
            ranges.insert(at, (*first, *last, position));
        }
        Some(Self { servers, ranges, has_unnamed: false })
    }

    /// Notes whether masters were left out because they announce no name ([`SlotMap::UNNAMED`]).
    pub fn with_unnamed(self, has_unnamed: bool) -> Self {
        Self { has_unnamed, ..self }
    }

    /// Why some slots have no server, if that is so; names the first range of them.
    pub fn gap(&self) -> Option<String> {
        let mut next = 0;
        for (first, last, _) in &self.ranges {
            if *first > next {
                return Some(self.gap_text(next, first - 1));
            }
            next = last + 1;
        }
        (next < SLOTS).then(|| self.gap_text(next, SLOTS - 1))
    }

    fn gap_text(&self, first: u16, last: u16) -> String {
        let why = if self.has_unnamed { Self::UNNAMED } else { "no master serves them" };
        format!("the hash slots {first} to {last} have no server: {why}")
    }

    /// The masters.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The position in [`SlotMap::servers`] of the one that serves a slot.
    pub fn position_of_slot(&self, slot: u16) -> Option<usize> {
        let after = self.ranges.partition_point(|(first, _, _)| *first <= slot);
        let (_, last, server) = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= *last).then_some(*server)
    }

    /// The position in [`SlotMap::servers`] of the one that serves a key.
    pub fn position_of(&self, key: &str) -> Option<usize> {
        // Where one server has everything, the key need not be hashed.
        match self.ranges.as_slice() {
            [(0, last, server)] if *last == SLOTS - 1 => Some(*server),
            _ => self.position_of_slot(slot_of(key)),
        }
    }

    /// The server that serves a key.
    pub fn server_of(&self, key: &str) -> Option<&Server> {
        self.servers.get(self.position_of(key)?)
    }

    /// Notes that `server` serves this slot now, until the whole map is read again.
    pub fn set_slot(&mut self, slot: u16, server: Server) {
        let mut rest = Vec::with_capacity(self.ranges.len() + 2);
        for (first, last, position) in &self.ranges {
            let owner = &self.servers[*position];
            if !(*first..=*last).contains(&slot) {
                rest.push((*first, *last, owner.clone()));
                continue;
            }
            if *first < slot {
                rest.push((*first, slot - 1, owner.clone()));
            }
            if slot < *last {
                rest.push((slot + 1, *last, owner.clone()));
            }
        }
        rest.push((slot, slot, server));
        if let Some(map) = Self::of_cluster(rest) {
            *self = map.with_unnamed(self.has_unnamed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn server(port: u16) -> Server {
        Server { host: "127.0.0.1".to_owned(), port }
    }

    fn three() -> SlotMap {
        let ranges =
            [(5_461, 10_922, server(2)), (0, 5_460, server(1)), (10_924, 16_383, server(3))];
        SlotMap::of_cluster(ranges).unwrap()
    }

    #[test]
    fn a_slot_has_the_server_of_its_range_or_none() {
        let map = three();
        let port = |slot| Some(map.servers()[map.position_of_slot(slot)?].port);
        assert_eq!([0, 5_460, 5_461, 10_922].map(port), [Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!([10_923, 10_924, 16_383].map(port), [None, Some(3), Some(3)]);
        assert_eq!(SlotMap::of_one(server(9)).server_of("any"), Some(&server(9)));
    }

    #[test]
    fn a_moved_slot_moves_alone() {
        let mut map = three();
        for slot in [0, 700, 5_460, 10_923, 16_383] {
            map.set_slot(slot, server(4));
        }
        let port = |slot: u16| map.servers()[map.position_of_slot(slot).unwrap()].port;
        assert_eq!([0, 1, 699, 700, 701, 5_459, 5_460].map(port), [4, 1, 1, 4, 1, 1, 4]);
        assert_eq!([5_461, 10_923, 10_924, 16_383].map(port), [2, 4, 3, 4]);
    }

    #[test]
    fn slots_without_a_server_are_named() {
        let mut map = three();
        let gap = "the hash slots 10923 to 10923 have no server: no master serves them";
        assert_eq!(map.gap().as_deref(), Some(gap));
        map.set_slot(10_923, server(4));
        assert_eq!(map.gap(), None);
        assert_eq!(SlotMap::of_one(server(1)).gap(), None);
        let gap = |ranges: Vec<(u16, u16, Server)>| {
            let map = SlotMap::of_cluster(ranges).unwrap().with_unnamed(true);
            map.gap().unwrap()
        };
        let first = gap(vec![(9, SLOTS - 1, server(1))]);
        assert!(first.starts_with("the hash slots 0 to 8 have no server: a node"), "{first}");
        assert!(gap(vec![(0, 9, server(1))]).contains("10 to 16383"));
    }

    #[test]
    fn what_is_no_map_is_none() {
        assert_eq!(SlotMap::of_cluster([]), None);
        assert_eq!(SlotMap::of_cluster([(3, 2, server(1))]), None);
        assert_eq!(SlotMap::of_cluster([(0, SLOTS, server(1))]), None);
    }

    #[test]
    fn a_redirection_names_a_server() {
        let parse = |text| Server::parse(text, "asked").map(|server| server.to_string());
        assert_eq!(parse("10.0.0.1:6379").unwrap(), "10.0.0.1:6379");
        assert_eq!(parse("[::1]:6379").unwrap(), "[::1]:6379");
        assert_eq!(parse("::1:6379").unwrap(), "[::1]:6379", "Redis writes no brackets");
        assert_eq!(parse(":6379").unwrap(), "asked:6379");
        assert_eq!((parse("host"), parse("host:x")), (None, None));
    }
}
