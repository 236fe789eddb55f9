//! The log: one line per event on stderr, as text or JSON. Each error is logged once, where it is
//! handled; tokens, bodies and queries are never logged.

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text.
    Compact,
    /// JSON.
    Json,
}

/// A program's settings of its log.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// The format of a line.
    pub format: LogFormat,
    /// A level, or directives.
    pub filter: &'a str,
    /// The filter's flag and variable, for errors.
    pub setting: &'static str,
}

/// Installs the log for the process.
///
/// # Errors
/// The filter is invalid.
pub fn init(settings: LogSettings<'_>) -> Result<()> {
    let registry = tracing_subscriber::registry().with(filter(settings)?);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let outcome = match settings.format {
        LogFormat::Compact => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(layer.compact().with_ansi(is_terminal)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    outcome.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

/// Checks the arguments of [`init`].
///
/// # Errors
/// The filter is invalid.
pub fn check(settings: LogSettings<'_>) -> Result<()> {
    filter(settings).map(drop)
}

/// Levels and modules only: filters by spans and fields would need regular expressions.
fn filter(settings: LogSettings<'_>) -> Result<Targets> {
    settings.filter.parse().context(settings.setting)
}
