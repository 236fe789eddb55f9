//! The variables of the manifest, read once per instance: each costs a call to the host.

use shared::auth::{KeyConfig, KeySet};
use shared::{Code, Error};

use crate::cors::Cors;
use crate::log;
use crate::record::Backend;

/// What a component is configured with.
pub struct Config {
    pub redis_url: String,
    /// Where the record lies.
    pub record: Backend,
    /// Used with [`Backend::Postgres`] only.
    pub postgres_url: String,
    pub keys: KeySet,
    pub cors: Cors,
    /// Days that the record keeps notifications.
    pub retention_days: i64,
}

/// Longest retention: a number of days whose milliseconds are far from overflowing.
const RETENTION_DAYS_MAX: i64 = 36_500;

impl Config {
    /// Builds the configuration from `get`, which gives the value of a variable.
    ///
    /// Keys that cannot be used count as none, so that everything is refused rather than open;
    /// the log says why.
    ///
    /// # Errors
    /// `internal` when the host gives no value for a declared variable.
    pub async fn load(get: impl AsyncFn(&str) -> Result<String, Error>) -> Result<Self, Error> {
        let key_config = KeyConfig {
            hs256_key: get("auth_hs256_key").await?,
            jwks: get("auth_jwks").await?,
            issuer: get("auth_issuer").await?,
            audience: get("auth_audience").await?,
        };
        let keys = KeySet::new(&key_config).unwrap_or_else(|error| {
            log::error("keys_unusable", &[("error", &error.to_string())]);
            KeySet::none()
        });
        let retention_days = get("retention_days").await?;
        let retention_days = match retention_days.parse() {
            Ok(days) if (1..=RETENTION_DAYS_MAX).contains(&days) => days,
            _ => {
                let problem = format!("must be a whole number from 1 to {RETENTION_DAYS_MAX}");
                log::error("variable_invalid", &[("name", "retention_days"), ("error", &problem)]);
                return Err(Error::new(Code::Internal, "the component is not configured"));
            }
        };
        let record = Backend::parse(&get("record").await?).inspect_err(|error| {
            log::error("variable_invalid", &[("name", "record"), ("error", error.detail())]);
        })?;
        Ok(Self {
            record,
            postgres_url: get("postgres_url").await?,
            retention_days,
            redis_url: get("redis_url").await?,
            keys,
            cors: Cors::new(&get("cors_origins").await?),
        })
    }
}
