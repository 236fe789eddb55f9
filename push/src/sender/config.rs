//! What a sender needs to know. Checked before anything is sent.

use std::path::PathBuf;
use std::time::Duration;

use crate::io::{FileError, Roots};
use crate::limits::{CONNECTIONS_PER_HOST, CONNECTIONS_PER_HOST_MAX, DEADLINE_MIN, IN_FLIGHT};
use crate::origin::Origin;
use crate::webpush::Allowed;

/// Requests wait for the slowest device's service, but not for ever.
const DEADLINE: Duration = Duration::from_secs(15);
const DEADLINE_MAX: Duration = Duration::from_secs(120);
const IN_FLIGHT_MAX: usize = 10_000;

/// An invalid configuration. No text contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    File(String),
    #[error("cannot load certificates: {0}")]
    Certificates(std::io::Error),
    #[error("{0}")]
    Invalid(String),
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> Self {
        ConfigError::File(error.to_string())
    }
}

/// The service account of a Firebase project.
#[derive(Clone, Debug)]
pub struct FcmConfig {
    pub service_account: PathBuf,
    pub origin: Origin,
}

impl FcmConfig {
    #[must_use]
    pub fn new(service_account: PathBuf) -> Self {
        let origin = Origin::new(crate::origin::Scheme::Https, "fcm.googleapis.com", 443);
        Self { service_account, origin }
    }
}

/// The application server's key, and the push services.
#[derive(Clone, Debug)]
pub struct WebPushConfig {
    pub key: PathBuf,
    /// `mailto:` or `https:`: whom a push service may contact.
    pub subject: String,
    pub allowed: Allowed,
}

/// Apple's key, and the apps it is used for.
#[derive(Clone, Debug)]
pub struct ApnsConfig {
    pub key: PathBuf,
    pub key_id: String,
    pub team_id: String,
    /// Devices name their topic themselves, so only these are sent to.
    pub topics: Vec<String>,
    pub production: Origin,
    pub sandbox: Origin,
}

impl ApnsConfig {
    #[must_use]
    pub fn new(key: PathBuf, key_id: String, team_id: String, topics: Vec<String>) -> Self {
        let origin = |host| Origin::new(crate::origin::Scheme::Https, host, 443);
        Self {
            key,
            key_id,
            team_id,
            topics,
            production: origin("api.push.apple.com"),
            sandbox: origin("api.sandbox.push.apple.com"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    pub fcm: Option<FcmConfig>,
    pub webpush: Option<WebPushConfig>,
    pub apns: Option<ApnsConfig>,
    /// 4 to 8 reach what the services allow; less is for a small server.
    pub connections_per_host: usize,
    pub in_flight_max: usize,
    /// Of one request.
    pub deadline: Duration,
    pub roots: Roots,
    /// Development: the configured services, and the token server, may be without TLS, and deadlines
    /// may be short.
    pub is_development: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fcm: None,
            webpush: None,
            apns: None,
            connections_per_host: CONNECTIONS_PER_HOST,
            in_flight_max: IN_FLIGHT,
            deadline: DEADLINE,
            roots: Roots::System,
            is_development: false,
        }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let within = |is: bool, what: &str| match is {
            true => Ok(()),
            false => Err(ConfigError::Invalid(what.to_owned())),
        };
        within(
            (1..=CONNECTIONS_PER_HOST_MAX).contains(&self.connections_per_host),
            "connections_per_host must be 1 to 8",
        )?;
        within(
            (1..=IN_FLIGHT_MAX).contains(&self.in_flight_max),
            "in_flight_max must be 1 to 10000",
        )?;
        let deadline_min = if self.is_development { Duration::ZERO } else { DEADLINE_MIN };
        within(
            (deadline_min..=DEADLINE_MAX).contains(&self.deadline),
            "deadline must be 10 to 120 s",
        )
    }
}
