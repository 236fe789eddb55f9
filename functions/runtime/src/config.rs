//! The variables of the manifest, read once per instance: each costs a call to the host.

use shared::Error;
use shared::auth::{KeyConfig, KeySet};

use crate::cors::Cors;
use crate::log;

/// What a component is configured with.
pub struct Config {
    pub redis_url: String,
    pub keys: KeySet,
    pub cors: Cors,
}

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
        Ok(Self {
            redis_url: get("redis_url").await?,
            keys,
            cors: Cors::new(&get("cors_origins").await?),
        })
    }
}
