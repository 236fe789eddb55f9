//! The variables of the manifest, read once per instance: each costs a call to the host.

use std::rc::Rc;

use shared::auth::{KeyConfig, KeySet};
use shared::cluster::RedisAddress;
use shared::live::Live;
use shared::{Code, Error};

use crate::http::cors::Cors;
use crate::log;
use crate::ports::sql::Backend;

/// The configuration of every component: the variables that [`Config::load`] reads.
pub struct Config {
    /// The address of Redis, the variable `redis_url`. May contain a password.
    pub redis: RedisAddress,
    /// The keys that verify tokens; empty if the component is given none or they are unusable.
    pub keys: Rc<KeySet>,
    /// Why every token is rejected; `None` if tokens are verified. Contains no secret.
    pub keys_problem: Option<String>,
    /// The origins whose pages may call the component.
    pub(crate) cors: Cors,
    /// On which channels the component publishes.
    pub live: Live,
}

/// The configuration of a component with a record, in addition to [`Config`].
pub(crate) struct RecordConfig {
    /// The database that holds the record.
    pub(crate) backend: Backend,
    /// The address of the database, which may contain a password; empty for [`Backend::Sqlite`].
    pub(crate) url: String,
}

/// Longest retention in days: a century, in milliseconds still far from overflowing.
const RETENTION_DAYS_MAX: i64 = 36_500;

/// The variables that verify tokens. A component has all of them or none: with the issuer missing,
/// it would accept tokens of any issuer.
const AUTH: [&str; 4] = ["auth_hs256_key", "auth_jwks", "auth_issuer", "auth_audience"];
/// The variables of identity providers, also all or none: with the claim of the user missing, it would
/// take another claim for the user. Manifests of before have none.
const PROVIDER: [&str; 3] = ["auth_jwks_url", "auth_user_claim", "auth_scope_claim"];

impl Config {
    /// Builds the configuration from `get`, which returns the value of a variable, or `None` if the
    /// component is not given it.
    ///
    /// A component needs `redis_url`; `auth_hs256_key`, `auth_jwks`, `auth_issuer` and
    /// `auth_audience`, all four, if it verifies tokens, with `auth_jwks_url`, `auth_user_claim` and
    /// `auth_scope_claim` all or none of them; `cors_origins` if pages of other origins
    /// call it; and `live` if it writes feeds: without it, it publishes as for `all`.
    ///
    /// Unusable keys count as no keys, so that every token is rejected; the log and the readiness
    /// check say why.
    ///
    /// # Errors
    /// `internal`, naming the variable that is missing or invalid; the log names it, too.
    pub async fn load(
        get: impl AsyncFn(&str) -> Result<Option<String>, String>,
    ) -> Result<Self, Error> {
        let (keys, keys_problem) = match auth(&get).await? {
            Some(config) => keys(&config),
            None => (KeySet::none(), Some("the component is given no auth_* variables".to_owned())),
        };
        let redis_url = read(&get, "redis_url").await?;
        if redis_url.is_empty() {
            return Err(invalid("redis_url", "is empty"));
        }
        let redis = RedisAddress::parse(&redis_url);
        let redis = redis.map_err(|error| invalid("redis_url", &error.to_string()))?;
        let cors = Cors::new(&optional(&get, "cors_origins").await?.unwrap_or_default());
        let live = match optional(&get, "live").await? {
            None => Live::default(),
            Some(word) => {
                Live::parse(&word).ok_or_else(|| invalid("live", "must be all, bridge or own"))?
            }
        };
        Ok(Self { redis, keys: Rc::new(keys), keys_problem, cors, live })
    }
}

/// `None` if the component is given none of [`AUTH`].
async fn auth(
    get: &impl AsyncFn(&str) -> Result<Option<String>, String>,
) -> Result<Option<KeyConfig>, Error> {
    let Some([hs256_key, jwks, issuer, audience]) = all_or_none(get, AUTH).await? else {
        return Ok(None);
    };
    let of_provider = all_or_none(get, PROVIDER).await?.unwrap_or_default();
    let [jwks_url, user_claim, scope_claim] = of_provider;
    let config = KeyConfig { hs256_key, jwks, issuer, audience, jwks_url, user_claim, scope_claim };
    Ok(Some(config))
}

/// The values of variables that belong together; `None` if the component is given none of them.
async fn all_or_none<const N: usize>(
    get: &impl AsyncFn(&str) -> Result<Option<String>, String>,
    names: [&str; N],
) -> Result<Option<[String; N]>, Error> {
    let mut values = [const { None }; N];
    for (name, value) in names.iter().zip(&mut values) {
        *value = optional(get, name).await?;
    }
    match values.iter().position(Option::is_none) {
        None => Ok(Some(values.map(Option::unwrap_or_default))),
        Some(_) if values.iter().all(Option::is_none) => Ok(None),
        Some(missing) => Err(missing_variable(names.get(missing).copied().unwrap_or("auth_*"))),
    }
}

impl RecordConfig {
    /// Builds the configuration from `record` and the variables of the database that it names, as
    /// [`Config::load`] does.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) async fn load(
        get: impl AsyncFn(&str) -> Result<Option<String>, String>,
    ) -> Result<Self, Error> {
        let backend = Backend::parse(&read(&get, "record").await?)
            .ok_or_else(|| invalid("record", &format!("must be {}", Backend::names())))?;
        let url = match backend {
            Backend::Sqlite => String::new(),
            Backend::Postgres => address(&get, "postgres_url", backend).await?,
        };
        Ok(Self { backend, url })
    }
}

/// Days that the record keeps notifications: the variable `retention_days`. Only the prune and the
/// readiness check read it, so it is not part of [`Config`].
///
/// # Errors
/// As [`Config::load`].
pub async fn retention_days(
    get: impl AsyncFn(&str) -> Result<Option<String>, String>,
) -> Result<i64, Error> {
    match read(&get, "retention_days").await?.parse() {
        Ok(days) if (1..=RETENTION_DAYS_MAX).contains(&days) => Ok(days),
        _ => {
            let problem = format!("must be a whole number from 1 to {RETENTION_DAYS_MAX}");
            Err(invalid("retention_days", &problem))
        }
    }
}

/// The variable `vapid_public_key`, which browsers subscribe to Web Push with: a point of P-256 in
/// base64url without padding (RFC 8292 §3.2). `None` if it is empty. Only the component `pushes`
/// reads it, so it is not part of [`Config`].
///
/// # Errors
/// As [`Config::load`].
pub async fn vapid_public_key(
    get: impl AsyncFn(&str) -> Result<Option<String>, String>,
) -> Result<Option<String>, Error> {
    let key = read(&get, "vapid_public_key").await?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // 65 bytes, the first of which is 4.
    match key.len() {
        0 => Ok(None),
        87 if key.starts_with('B') && key.bytes().all(is_base64url) => Ok(Some(key)),
        _ => {
            let problem = "must be an uncompressed point of P-256 in base64url: 87 characters";
            Err(invalid("vapid_public_key", problem))
        }
    }
}

async fn address(
    get: &impl AsyncFn(&str) -> Result<Option<String>, String>,
    name: &str,
    backend: Backend,
) -> Result<String, Error> {
    let url = read(get, name).await?;
    if url.is_empty() {
        let problem = format!("is empty, and the record is in {}", backend.name());
        return Err(invalid(name, &problem));
    }
    Ok(url)
}

async fn read(
    get: &impl AsyncFn(&str) -> Result<Option<String>, String>,
    name: &str,
) -> Result<String, Error> {
    optional(get, name).await?.ok_or_else(|| missing_variable(name))
}

async fn optional(
    get: &impl AsyncFn(&str) -> Result<Option<String>, String>,
    name: &str,
) -> Result<Option<String>, Error> {
    get(name).await.map_err(|problem| {
        // The host's description stays in the log.
        log::error("variable_failed", &[("name", name), ("error", &problem)]);
        unusable(name, "cannot be read")
    })
}

fn keys(config: &KeyConfig) -> (KeySet, Option<String>) {
    match KeySet::new(config) {
        Ok(keys) if keys.is_empty() => {
            let problem =
                "no key is configured: set auth_hs256_key, auth_jwks, auth_jwks_url or auth_issuer";
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

fn missing_variable(name: &str) -> Error {
    log::error("variable_failed", &[("name", name), ("error", "not given to this component")]);
    unusable(name, "is not given to this component")
}

pub(crate) fn invalid(name: &str, problem: &str) -> Error {
    log::error("variable_invalid", &[("name", name), ("error", problem)]);
    unusable(name, problem)
}

fn unusable(name: &str, problem: &str) -> Error {
    Error::new(Code::Internal, format!("config: the variable `{name}` {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration of a component that is given `variables`. The future is ready at once.
    fn load(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let get = async |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        futures_util::FutureExt::now_or_never(Config::load(get)).unwrap()
    }

    const REDIS: (&str, &str) = ("redis_url", "redis://127.0.0.1:6379");

    #[test]
    fn a_component_is_given_what_it_uses() {
        let config = load(&[REDIS]).unwrap();
        assert!(config.keys.is_empty(), "no token is accepted");
        assert_eq!(config.keys_problem.unwrap(), "the component is given no auth_* variables");
        let missing = load(&[]).err().unwrap();
        assert!(missing.detail().contains("`redis_url` is not given to this component"));
    }

    /// The text of a wrong address may be a password.
    #[test]
    fn a_wrong_redis_url_is_named_but_not_shown() {
        for (url, problem) in [
            ("secret", "`redis_url` must begin with redis://"),
            ("redis+cluster://:secret@a:x", "`redis_url` names no server, or one without"),
            ("redis+cluster://:secret@a:1/3", "`redis_url` has a path or query"),
            ("redis+sentinel://:secret@a:1", "`redis_url` must end with the name of the master"),
        ] {
            let error = load(&[("redis_url", url)]).err().unwrap();
            assert!(error.detail().contains(problem), "{}", error.detail());
            assert!(!error.detail().contains("secret"), "{}", error.detail());
        }
        assert!(load(&[("redis_url", "redis+cluster://a:1,b:2")]).is_ok());
    }

    #[test]
    fn an_unknown_word_for_live_is_an_error() {
        assert_eq!(load(&[REDIS]).unwrap().live, Live::All);
        assert_eq!(load(&[REDIS, ("live", "own")]).unwrap().live, Live::Own);
        for word in ["", "OWN", "both"] {
            let error = load(&[REDIS, ("live", word)]).err().unwrap();
            let expected = "config: the variable `live` must be all, bridge or own";
            assert_eq!(error.detail(), expected, "{word}");
        }
    }

    /// Without its issuer a component would accept the tokens of every issuer.
    #[test]
    fn a_part_of_the_auth_variables_is_an_error() {
        let all = [
            ("auth_hs256_key", "0123456789abcdef0123456789abcdef"),
            ("auth_jwks", ""),
            ("auth_issuer", "us"),
            ("auth_audience", ""),
        ];
        let with_all: Vec<_> = all.into_iter().chain([REDIS]).collect();
        assert_eq!(load(&with_all).unwrap().keys_problem, None);
        for (left_out, _) in all {
            let rest = with_all.iter().copied().filter(|(name, _)| *name != left_out);
            let error = load(&rest.collect::<Vec<_>>()).err().unwrap();
            assert!(error.detail().contains(left_out), "{}", error.detail());
        }
    }
}
