//! Users whose sockets count: each receives every notification once and in order.

use futures_util::future::join_all;

use crate::support::Client;

/// A user with a socket, and the `seq` that it has reached.
pub struct Member {
    pub user: String,
    pub client: Client,
    pub seq: i64,
}

impl Member {
    /// `client` is a `bellwire.v1` socket before its welcome.
    pub async fn new(user: String, mut client: Client) -> Self {
        let welcome = client.json().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        Self { user, client, seq: welcome["seq"].as_i64().unwrap() }
    }

    /// Receives everything up to `seq`: nothing else, nothing twice, no gap.
    pub async fn reach(&mut self, seq: i64) {
        while self.seq < seq {
            let frame = self.client.json().await;
            let user = &self.user;
            assert_eq!(frame["type"], "notification", "{user}, after {}: {frame}", self.seq);
            let next = frame["notification"]["seq"].as_i64();
            assert_eq!(next, Some(self.seq + 1), "{user}: {frame}");
            self.seq += 1;
        }
    }
}

/// Waits until all have received everything up to `seq`.
pub async fn reach(crowd: &mut [Member], seq: i64) {
    join_all(crowd.iter_mut().map(|member| member.reach(seq))).await;
}
