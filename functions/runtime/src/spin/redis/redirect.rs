//! Answers of a cluster's node that name the server to ask instead.

use shared::cluster::Server;

/// Where a call belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The server has the slot from now on.
    Moved(u16, Server),
    /// The server runs this one call, after `ASKING`: the slot is on its way there.
    Ask(Server),
}

impl Redirect {
    /// Reads the text of an error, such as `An error was signalled by the server - Moved: 3999
    /// host:6379`. `asked` is the host that sent it.
    pub(super) fn parse(text: &str, asked: &str) -> Option<Self> {
        let (_, rest) = text.split_once("- ")?;
        let (kind, detail) = rest.split_once(": ")?;
        let (slot, server) = detail.trim().split_once(' ')?;
        let server = Server::parse(server, asked)?;
        match kind {
            "Moved" => Some(Self::Moved(slot.parse().ok()?, server)),
            "Ask" => Some(Self::Ask(server)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_names_a_server() {
        let parse = |rest: &str| {
            Redirect::parse(&format!("An error was signalled by the server - {rest}"), "asked")
        };
        let server = |host: &str| Server { host: host.to_owned(), port: 7000 };
        assert_eq!(parse("Moved: 15171 b:7000"), Some(Redirect::Moved(15_171, server("b"))));
        assert_eq!(parse("Moved: 3 :7000"), Some(Redirect::Moved(3, server("asked"))));
        assert_eq!(parse("Ask: 1907 ::1:7000"), Some(Redirect::Ask(server("::1"))));
        for other in ["Moved: x b:7000", "Moved: 3 b", "Ask:", "TryAgain: 1 b:7000", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
