//! The worker's settings, with the source of each.

use std::ffi::OsString;
use std::fmt::Write as _;

use native::settings::{Program, SettingsError};

use super::Config;
use super::flags::Cli;

pub type Settings = native::settings::Settings<Cli>;

static WORKER: Program = Program {
    config_setting: "--config (BELLWIRE_PUSH_CONFIG)",
    serving: &["serve", "check-config"],
    others: &["BELLWIRE_HUB_", "BELLWIRE_FUNCTIONS_URL", "BELLWIRE_RELAY_TOKEN_FILE"],
};

/// Reads the command line and the file named there or in the environment.
///
/// # Errors
/// The problem, with its flag, variable or line.
pub fn read(arguments: &[OsString]) -> Result<Settings, SettingsError> {
    Settings::read(&WORKER, arguments)
}

/// Every setting as a line of the file with its source in a comment, and what results from them.
pub fn show(settings: &Settings, config: &Config, vapid_public_key: Option<&str>) -> String {
    // The only setting that may hold a password.
    let mut shown = settings.show(&|key| (key == "redis_url").then(|| config.redis.to_string()));
    let sender = &config.sender;
    let services: Vec<&str> = [
        ("FCM", sender.fcm.is_some()),
        ("Web Push", sender.webpush.is_some()),
        ("APNs", sender.apns.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| is_on.then_some(name))
    .collect();
    let _ = writeln!(shown, "# results in: {}", services.join(", "));
    if let Some(key) = vapid_public_key {
        let _ = writeln!(shown, "# the functions' variable vapid_public_key must be {key}");
    }
    shown
}

#[cfg(test)]
mod tests;
