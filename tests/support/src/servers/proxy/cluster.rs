//! A cluster behind proxies, one per node: the network between one client and each of the nodes.
//!
//! Nodes name each other by host and port, in `CLUSTER SLOTS` and in redirections. The proxies
//! replace each node's port by its proxy's, so that the client stays behind them.

use std::borrow::Cow;

use super::Proxy;
use crate::redis_cluster::RedisCluster;

/// One client's way to a cluster.
pub struct ClusterProxy {
    /// In the order of [`RedisCluster::nodes`].
    pub proxies: Vec<Proxy>,
}

impl ClusterProxy {
    pub async fn to(cluster: &RedisCluster) -> Self {
        let mut proxies = Vec::new();
        for node in &cluster.nodes {
            proxies.push(Proxy::to(&node.address()).await);
        }
        let shown: Vec<(u16, u16)> = cluster
            .nodes
            .iter()
            .zip(&proxies)
            .map(|(node, proxy)| (node.port(), proxy.port))
            .collect();
        for proxy in &proxies {
            proxy.shared.servers.lock().unwrap().shown_ports.clone_from(&shown);
        }
        Self { proxies }
    }

    /// `redis+cluster://` with every proxy.
    pub fn url(&self) -> String {
        let seeds: Vec<String> = self.proxies.iter().map(Proxy::address).collect();
        format!("redis+cluster://{}", seeds.join(","))
    }
}

/// Digits of every port of a test: what is replaced keeps its length, also inside of a bulk string.
const DIGITS: usize = 5;

/// Replaces ports in a stream of answers.
#[derive(Default)]
pub(super) struct ShownPorts {
    /// The port after a colon, and its replacement.
    pairs: Vec<([u8; DIGITS + 1], [u8; DIGITS + 1])>,
    /// The end of the last piece, which may be the beginning of a port.
    kept: Vec<u8>,
}

impl ShownPorts {
    pub(super) fn new(pairs: &[(u16, u16)]) -> Self {
        let text = |port: &u16| {
            let text = format!(":{port}");
            text.into_bytes().try_into().expect("the ports of tests have five digits")
        };
        Self {
            pairs: pairs.iter().map(|(from, to)| (text(from), text(to))).collect(),
            kept: Vec::new(),
        }
    }

    /// The bytes to pass on now. A complete answer ends with a line, so none of it is kept.
    pub(super) fn translate<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        if self.pairs.is_empty() {
            return Cow::Borrowed(piece);
        }
        let mut bytes = std::mem::take(&mut self.kept);
        bytes.extend_from_slice(piece);
        for at in 0..bytes.len().saturating_sub(DIGITS) {
            let end = at + DIGITS + 1;
            let shown = self.pairs.iter().find(|(port, _)| bytes[at..end] == *port);
            let is_whole = bytes.get(end).is_some_and(|next| !next.is_ascii_digit());
            if let Some((_, shown)) = shown.filter(|_| is_whole) {
                bytes[at..end].copy_from_slice(shown);
            }
        }
        let tail = &bytes[bytes.len().saturating_sub(DIGITS + 1)..];
        let begun = tail.iter().rposition(|byte| *byte == b':');
        let begun = begun.filter(|at| tail[at + 1..].iter().all(u8::is_ascii_digit));
        if let Some(at) = begun {
            self.kept = bytes.split_off(bytes.len() - (tail.len() - at));
        }
        Cow::Owned(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_replaced_wherever_the_answer_is_cut() {
        let answer = b"*3\r\n:0\r\n:12001\r\n:120010\r\n-MOVED 5 127.0.0.1:12002\r\n:1200\r\n";
        let shown = b"*3\r\n:0\r\n:40001\r\n:120010\r\n-MOVED 5 127.0.0.1:40002\r\n:1200\r\n";
        for cut in 0..answer.len() {
            let mut ports = ShownPorts::new(&[(12001, 40001), (12002, 40002)]);
            let mut passed = ports.translate(&answer[..cut]).into_owned();
            passed.extend_from_slice(&ports.translate(&answer[cut..]));
            assert_eq!(passed, shown, "cut at {cut}");
        }
    }
}
