//! What a server's error means for the command that it answers: repeat it, and where.

use redis::{ServerError, ServerErrorKind};
use shared::cluster::Server;

/// What is to be done about an error. Redis executed nothing, except for [`Refusal::Final`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another server has this slot now.
    Moved(u16, Server),
    /// The slot is moving, and its key is at that server already: only this command goes there,
    /// directly after `ASKING`.
    Ask(Server),
    /// The server does not know the script: it wants the source.
    Source,
    /// Soon: the slot's keys are on two servers, or its server is being replaced.
    Later,
    /// The error is the answer.
    Final,
}

/// The error of Redis when a script needs a key that is on another server. Our scripts find that
/// before they write anything.
const NON_LOCAL_KEY: &str = "non local key";

impl Refusal {
    /// `asked` is the server that answered: a redirection without a host means the same host.
    pub(super) fn of(error: &ServerError, asked: &Server) -> Self {
        let redirection = || {
            let (slot, server) = error.details()?.split_once(' ')?;
            // A hostname may follow the address.
            let server = server.split_ascii_whitespace().next()?;
            Some((slot.parse().ok()?, Server::parse(server, &asked.host)?))
        };
        match error.kind() {
            Some(ServerErrorKind::Moved) => match redirection() {
                Some((slot, server)) => Refusal::Moved(slot, server),
                None => Refusal::Later,
            },
            Some(ServerErrorKind::Ask) => match redirection() {
                Some((_, server)) => Refusal::Ask(server),
                None => Refusal::Later,
            },
            Some(ServerErrorKind::NoScript) => Refusal::Source,
            Some(
                ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly,
            ) => Refusal::Later,
            _ if error.details().is_some_and(|text| text.contains(NON_LOCAL_KEY)) => Refusal::Later,
            _ => Refusal::Final,
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use redis::Value;

    use super::*;

    fn of(line: &str) -> Refusal {
        let asked = Server { host: "asked".to_owned(), port: 1 };
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap() {
            Value::ServerError(error) => Refusal::of(&error, &asked),
            value => panic!("{value:?}"),
        }
    }

    #[test]
    fn each_error_of_a_cluster_has_its_remedy() {
        let server = |host: &str, port| Server { host: host.to_owned(), port };
        assert_eq!(of("MOVED 3999 10.0.0.1:6381"), Refusal::Moved(3999, server("10.0.0.1", 6381)));
        assert_eq!(of("MOVED 3999 :6381"), Refusal::Moved(3999, server("asked", 6381)));
        assert_eq!(of("ASK 1 ::1:6381"), Refusal::Ask(server("::1", 6381)));
        assert_eq!(of("NOSCRIPT No matching script."), Refusal::Source);
        for line in [
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN Hash slot not served",
            "READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "ERR Script attempted to access a non local key in a cluster node script: 1, on @user",
            "MOVED what",
        ] {
            assert_eq!(of(line), Refusal::Later, "{line}");
        }
        for line in
            ["WRONGTYPE Operation against a key", "CROSSSLOT Keys in request don't hash", "ERR x"]
        {
            assert_eq!(of(line), Refusal::Final, "{line}");
        }
    }
}
