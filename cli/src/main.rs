//! The command `bellwire`: a client of functions and hub for people and scripts. It knows the HTTP
//! API and the hub's protocol, and nothing of Redis or the record but what `doctor` looks at.
//!
//! - [`args`]: the command line; [`settings`], [`secrets`], [`files`]: what else goes in
//! - [`api`]: calls over HTTP; [`hub`]: the socket; [`tls`]
//! - [`commands`]: one file a command; [`campaign`]: CSV and template of a load; [`history`]: rows of an import; [`doctor`]: its checks
//! - [`output`], [`failure`]: what comes out; [`limits`]

// clippy.toml allows this in `#[test]` functions only.
#![cfg_attr(test, allow(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

mod api;
mod args;
mod campaign;
mod commands;
mod doctor;
mod failure;
mod files;
mod history;
mod hub;
mod limits;
mod output;
mod secrets;
mod settings;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;
use failure::{Failure, Kind, Outcome};
use output::{BAD, Output, paint};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let output = Output { json: cli.global.json };
    match run(&cli, output) {
        Ok(code) => code,
        Err(failure) if failure.kind == Kind::ReaderGone => failure.exit_code(),
        Err(failure) => {
            show(&failure, output);
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli, output: Output) -> Outcome<ExitCode> {
    // For all TLS, which uses the process-wide provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(commands::run(cli, output));
    // A read of standard input that nobody waits for any more would hold the end up.
    runtime.shutdown_background();
    result
}

/// For a script that asked for JSON, errors are JSON, too.
fn show(failure: &Failure, output: Output) {
    let mut stderr = anstream::stderr().lock();
    if output.json {
        let _ = writeln!(stderr, "{}", failure.to_json());
        return;
    }
    let _ = writeln!(stderr, "{} {failure}", paint(BAD, "error:"));
    if let Some(hint) = &failure.hint {
        let _ = writeln!(stderr, "       {hint}");
    }
}
