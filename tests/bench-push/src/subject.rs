//! Who is measured: our sender and the libraries in Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::cli::{Args, Service};
use crate::dialogue::Dialogue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Ours(Service),
    Node(&'static str),
}

const PEERS: &str = "tests/bench-push/peers";

impl Subject {
    /// Ours first.
    pub fn of(service: Service) -> &'static [Subject] {
        match service {
            Service::Fcm => &[
                Subject::Ours(Service::Fcm),
                Subject::Node("firebase-admin"),
                Subject::Node("fcm-v1-http2"),
            ],
            Service::WebPush => &[Subject::Ours(Service::WebPush), Subject::Node("web-push")],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Subject::Ours(_) => "bellwire",
            Subject::Node(library) => library,
        }
    }
}

/// The peers' folder; `None` without Node, which omits them.
pub fn peers(args: &Args) -> Option<PathBuf> {
    match args.without_peers {
        true => None,
        false => support::node::dir(PEERS, "push-node", "send.js"),
    }
}

/// Starts a subject that keeps `in_flight` pushes under way.
pub fn start(
    args: &Args,
    subject: Subject,
    setup: &Path,
    in_flight: u32,
    peers: Option<&Path>,
) -> Result<Dialogue> {
    let in_flight = in_flight.to_string();
    let mut command = match subject {
        Subject::Ours(service) => {
            let mut command = Command::new(std::env::current_exe()?);
            let service = service.to_possible_value().context("a name of the service")?;
            command.arg("send").arg(setup).arg(service.get_name());
            command.args([&in_flight, &args.threads.to_string()]);
            command
        }
        Subject::Node(library) => {
            let script = peers.context("Node")?.join("send.js");
            let mut command = Command::new("node");
            command.arg(script).arg(setup).args([library, &in_flight]);
            command.env("NODE_ENV", "production");
            command
        }
    };
    Dialogue::start(subject.name(), &mut command)
}
