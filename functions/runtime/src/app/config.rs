//! The variables of the manifest, read once per instance: each costs a call to the host.

use shared::auth::{KeyConfig, KeySet};
use shared::{Code, Error};

use crate::http::cors::Cors;
use crate::log;
use crate::ports::sql::Backend;

/// What a component is configured with.
pub struct Config {
    pub redis_url: String,
    pub keys: KeySet,
    /// Why every token is refused, if that is so; names no value.
    pub keys_problem: Option<String>,
    pub cors: Cors,
}

/// What a component with a record is configured with beside that.
pub struct RecordConfig {
    /// Where the record lies.
    pub backend: Backend,
    /// Used with [`Backend::Postgres`] only.
    pub postgres_url: String,
}

/// Longest retention: a number of days whose milliseconds are far from overflowing.
const RETENTION_DAYS_MAX: i64 = 36_500;

impl Config {
    /// Builds the configuration from `get`, which gives the value of a variable or says why there
    /// is none.
    ///
    /// Keys that cannot be used count as none, so that everything is refused rather than open;
    /// the log says why, and so does readiness.
    ///
    /// # Errors
    /// `internal`, naming the variable that is missing or not as it must be; the log does, too.
    pub async fn load(get: impl AsyncFn(&str) -> Result<String, String>) -> Result<Self, Error> {
        let key_config = KeyConfig {
            hs256_key: read(&get, "auth_hs256_key").await?,
            jwks: read(&get, "auth_jwks").await?,
            issuer: read(&get, "auth_issuer").await?,
            audience: read(&get, "auth_audience").await?,
        };
        let (keys, keys_problem) = keys(&key_config);
        let redis_url = read(&get, "redis_url").await?;
        if redis_url.is_empty() {
            return Err(invalid("redis_url", "is empty"));
        }
        let cors = Cors::new(&read(&get, "cors_origins").await?);
        Ok(Self { redis_url, keys, keys_problem, cors })
    }
}

impl RecordConfig {
    /// As [`Config::load`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub async fn load(get: impl AsyncFn(&str) -> Result<String, String>) -> Result<Self, Error> {
        let backend = Backend::parse(&read(&get, "record").await?)
            .ok_or_else(|| invalid("record", "must be sqlite or postgres"))?;
        let postgres_url = read(&get, "postgres_url").await?;
        if backend == Backend::Postgres && postgres_url.is_empty() {
            return Err(invalid("postgres_url", "is empty, and the record is in postgres"));
        }
        Ok(Self { backend, postgres_url })
    }
}

/// Days that the record keeps notifications. Only what prunes needs to know it.
///
/// # Errors
/// As [`Config::load`].
pub async fn retention_days(
    get: impl AsyncFn(&str) -> Result<String, String>,
) -> Result<i64, Error> {
    match read(&get, "retention_days").await?.parse() {
        Ok(days) if (1..=RETENTION_DAYS_MAX).contains(&days) => Ok(days),
        _ => {
            let problem = format!("must be a whole number from 1 to {RETENTION_DAYS_MAX}");
            Err(invalid("retention_days", &problem))
        }
    }
}

async fn read(
    get: &impl AsyncFn(&str) -> Result<String, String>,
    name: &str,
) -> Result<String, Error> {
    get(name).await.map_err(|problem| missing(name, &problem))
}

fn keys(config: &KeyConfig) -> (KeySet, Option<String>) {
    match KeySet::new(config) {
        Ok(keys) if keys.is_empty() => {
            let problem = "no key is configured: set auth_hs256_key or auth_jwks";
            (keys, Some(problem.to_owned()))
        }
        Ok(keys) => (keys, None),
        Err(error) => {
            let problem = error.to_string();
            log::error("keys_unusable", &[("error", &problem)]);
            (KeySet::none(), Some(problem))
        }
    }
}

/// The host's words stay in the log.
fn missing(name: &str, problem: &str) -> Error {
    log::error("variable_failed", &[("name", name), ("error", problem)]);
    unusable(name, "is not given to this component")
}

pub(crate) fn invalid(name: &str, problem: &str) -> Error {
    log::error("variable_invalid", &[("name", name), ("error", problem)]);
    unusable(name, problem)
}

fn unusable(name: &str, problem: &str) -> Error {
    Error::new(Code::Internal, format!("config: the variable `{name}` {problem}"))
}
