//! The log: one line per event on stderr, as text or JSON. Each error is logged once, where it is
//! handled; tokens, bodies and queries are never logged.

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::flags::{LogArgs, LogFormat};

/// Installs the log for the process.
///
/// # Errors
/// The filter is invalid.
pub fn init(args: &LogArgs) -> Result<()> {
    let filter = filter(args)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = match args.log_format {
        LogFormat::Compact => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.compact().with_ansi(is_terminal).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

/// Checks the arguments of [`init`].
///
/// # Errors
/// The filter is invalid.
pub fn check(args: &LogArgs) -> Result<()> {
    filter(args).map(drop)
}

fn filter(args: &LogArgs) -> Result<EnvFilter> {
    EnvFilter::try_new(&args.log).context("--log (BELLWIRE_HUB_LOG)")
}
