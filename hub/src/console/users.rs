//! `GET /console/users/{id}`: a user's sockets on this hub, and what Redis knows of the user.

use serde_json::{Value, json};
use shared::{UserId, keys};

use crate::console::Console;
use crate::metrics::families::PROTOCOLS;
use crate::redis::feed_reader::plain_heads;

impl Console {
    /// What Redis knows is null while Redis is unreachable or refuses the command.
    pub(super) async fn user(&self, user: &UserId) -> Value {
        let sockets = self.app.registry.sockets_of(user);
        let sockets: Vec<Value> = sockets
            .into_iter()
            .map(|socket| {
                json!({
                    "protocol": PROTOCOLS.get(socket.protocol as usize),
                    "ageMs": u64::try_from(socket.age.as_millis()).unwrap_or(u64::MAX),
                    "queuedBytes": socket.queued_bytes,
                    "lastSeq": socket.last_seq,
                })
            })
            .collect();
        let users = [user];
        let (online, heads) = tokio::join!(self.is_online(user), plain_heads(&self.redis, &users));
        let head = heads.into_iter().next().and_then(Result::ok);
        let position = head.and_then(|head| head.position);
        json!({
            "userId": user.as_str(),
            "sockets": sockets,
            "online": online,
            "epoch": position.as_ref().map(|position| &*position.epoch),
            "seq": position.as_ref().map(|position| position.seq),
        })
    }

    async fn is_online(&self, user: &UserId) -> Option<bool> {
        let mut pipeline = redis::pipe();
        // Not SISMEMBER: the hub's Redis user has this one.
        pipeline.cmd("SMISMEMBER").arg(keys::ONLINE_USERS).arg(user.as_str());
        let ((is_online,),): ((bool,),) = self.redis.query(&pipeline).await.ok()?;
        Some(is_online)
    }
}
