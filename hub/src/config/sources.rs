//! The hub's settings, with the source of each.

use std::ffi::OsString;
use std::fmt::Write as _;

use native::settings::{Program, SettingsError};

use crate::config::Config;
use crate::config::flags::Cli;

pub type Settings = native::settings::Settings<Cli>;

static HUB: Program = Program {
    config_setting: "--config (BELLWIRE_HUB_CONFIG)",
    serving: &["serve", "check-config"],
    others: &["BELLWIRE_PUSH_"],
};

/// Reads the command line and the file named there or in the environment.
///
/// # Errors
/// The problem, with its flag, variable or line.
pub fn read(arguments: &[OsString]) -> Result<Settings, SettingsError> {
    Settings::read(&HUB, arguments)
}

/// Every setting as a line of the file with its source in a comment, and what results from them.
pub fn show(settings: &Settings, config: &Config) -> String {
    // The only setting that may hold a password.
    let mut shown = settings.show(&|key| (key == "redis_url").then(|| config.redis.to_string()));
    let limits = &config.admission;
    let _ = writeln!(
        shown,
        "# results in: {} connections, {} of them sockets",
        limits.connections_max, limits.sockets_max
    );
    if config.keys.is_empty() {
        let _ = writeln!(shown, "# no key is configured: every handshake is refused");
    }
    shown
}

#[cfg(test)]
mod tests;
