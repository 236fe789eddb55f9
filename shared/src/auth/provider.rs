//! The keys of an identity provider: its JWK set (RFC 7517), which is fetched, and how long it is
//! kept. Fetching it is up to the program; this module has no I/O.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::KeySet;
use super::keys::{self, Key, KeyConfig, KeyError};
use super::provider_url::ProviderUrl;
use crate::json;
use crate::limits::{PROVIDER_KEYS_MAX, PROVIDER_LOOKUP_MS, PROVIDER_RETRY_MS};

/// How long the keys are kept if the provider does not say.
const KEPT: Duration = Duration::from_secs(600);
/// Bounds of what it says: less would ask it at every request, more would hide a withdrawn key.
const KEPT_MIN: Duration = Duration::from_secs(60);
const KEPT_MAX: Duration = Duration::from_secs(24 * 3600);
/// Where the discovery document is, below the issuer (OpenID Connect Discovery 1.0 §4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where a provider's JWK set is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The setting `auth_jwks_url`.
    Jwks(ProviderUrl),
    /// The discovery document of `auth_issuer` names it.
    Discovery {
        /// The document's address.
        url: ProviderUrl,
        /// The issuer, which the document repeats.
        issuer: String,
    },
}

impl Source {
    /// The address that is asked first.
    pub fn url(&self) -> &ProviderUrl {
        match self {
            Source::Jwks(url) | Source::Discovery { url, .. } => url,
        }
    }
}

/// An identity provider and its keys as last fetched.
#[derive(Debug)]
pub struct Provider {
    source: Source,
    /// `None` until the first JWK set.
    keys: RwLock<Option<Arc<[Key]>>>,
}

impl Provider {
    /// The provider of the configuration, if it names one. An issuer is one only if there are no
    /// other keys: then it is no more than the required `iss`.
    ///
    /// # Errors
    /// `auth_jwks_url` is not a URL that keys may come from.
    pub(super) fn new(config: &KeyConfig, has_keys: bool) -> Result<Option<Self>, KeyError> {
        let source = if !config.jwks_url.is_empty() {
            let url = ProviderUrl::parse(&config.jwks_url);
            let url =
                url.map_err(|problem| KeyError::new(format!("the JWK set's URL {problem}")))?;
            Source::Jwks(url)
        } else {
            // An issuer need not be a URL.
            let issuer = config.issuer.clone();
            let base = issuer.trim_end_matches('/');
            match ProviderUrl::parse(&format!("{base}{DISCOVERY_PATH}")) {
                Ok(url) if !has_keys => Source::Discovery { url, issuer },
                _ => return Ok(None),
            }
        };
        Ok(Some(Self { source, keys: RwLock::new(None) }))
    }

    /// Where the JWK set is found.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether a JWK set was ever taken.
    pub fn has_keys(&self) -> bool {
        self.current().is_some()
    }

    /// Takes a JWK set in place of the last one.
    ///
    /// Keys that Bellwire cannot use are left out: providers have some for encryption or other
    /// algorithms. A key without `alg` is pinned to the only algorithm for its type.
    ///
    /// # Errors
    /// It is not a JWK set, or none of its keys can be used. The last one stays.
    pub fn take(&self, jwks: &str) -> Result<(), KeyError> {
        let jwks = keys::jwks(jwks)?;
        let mut usable = Vec::new();
        let mut problem = None;
        for (at, jwk) in jwks.iter().take(PROVIDER_KEYS_MAX).enumerate() {
            match keys::key_of_provider(jwk) {
                Ok(key) => usable.push(key),
                Err(text) => {
                    problem = problem.or_else(|| Some(format!("key {at} of the JWK set {text}")));
                }
            }
        }
        if usable.is_empty() {
            return Err(KeyError::new(problem.unwrap_or_default()));
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(usable.into());
        Ok(())
    }

    pub(super) fn current(&self) -> Option<Arc<[Key]>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why the keys have to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// There are none yet: the token cannot be verified before.
    First,
    /// They were kept for as long as the provider allows. The last ones go on meanwhile.
    Refresh,
    /// The token names a key that is not among them.
    Lookup,
}

/// When the keys are fetched again. All times are milliseconds of one clock, which may be set back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    fresh_until_ms: i64,
    /// After a failure: no fetch before.
    retry_ms: i64,
    lookup_ms: i64,
}

impl Schedule {
    /// Why the keys have to be fetched before this token is verified; `None` if they need not be, or
    /// must not be yet.
    pub fn due(&self, keys: &KeySet, token: &str, now_ms: i64) -> Option<Due> {
        let provider = keys.provider()?;
        if !keys.may_be_of_provider(token) || is_ahead(self.retry_ms, PROVIDER_RETRY_MS, now_ms) {
            return None;
        }
        if !provider.has_keys() {
            return Some(Due::First);
        }
        let may_look = !is_ahead(self.lookup_ms, PROVIDER_LOOKUP_MS, now_ms);
        if may_look && keys.lacks_key_of(token) {
            return Some(Due::Lookup);
        }
        self.is_outdated(now_ms).then_some(Due::Refresh)
    }

    /// Whether the keys were kept for as long as the provider allows.
    pub fn is_outdated(&self, now_ms: i64) -> bool {
        let kept_max_ms = u64::try_from(KEPT_MAX.as_millis()).unwrap_or(u64::MAX);
        !is_ahead(self.fresh_until_ms, kept_max_ms, now_ms)
    }

    /// For how many more milliseconds the keys are kept.
    pub fn fresh_for_ms(&self, now_ms: i64) -> u64 {
        match self.is_outdated(now_ms) {
            true => 0,
            false => self.fresh_until_ms.abs_diff(now_ms),
        }
    }

    /// Notes that keys were taken which are kept until `fresh_until_ms`.
    pub fn taken(&mut self, fresh_until_ms: i64) {
        self.fresh_until_ms = fresh_until_ms;
        self.retry_ms = 0;
    }

    /// Notes that keys were fetched in vain.
    pub fn failed(&mut self, now_ms: i64) {
        self.retry_ms = now_ms.saturating_add_unsigned(PROVIDER_RETRY_MS);
    }

    /// Allows the next [`Due::Lookup`] after `pause_ms`.
    pub fn looked_up(&mut self, now_ms: i64, pause_ms: u64) {
        self.lookup_ms = now_ms.saturating_add_unsigned(pause_ms.min(PROVIDER_LOOKUP_MS));
    }
}

/// Whether a time that was set at most `span_ms` ahead is still to come.
fn is_ahead(time_ms: i64, span_ms: u64, now_ms: i64) -> bool {
    now_ms < time_ms && time_ms <= now_ms.saturating_add_unsigned(span_ms)
}

/// The address of the JWK set in a discovery document.
///
/// # Errors
/// It is not a discovery document of this issuer (OpenID Connect Discovery 1.0 §4.3), or the address
/// is not one that keys may come from.
pub fn jwks_url(document: &[u8], issuer: &str) -> Result<ProviderUrl, KeyError> {
    let problem = |text: &str| KeyError::new(format!("the discovery document {text}"));
    let document = serde_json::from_slice::<serde_json::Value>(document);
    let document = document.map_err(|_| problem("is not JSON"))?;
    match document.get("issuer").and_then(serde_json::Value::as_str) {
        Some(named) if named == issuer => {}
        Some(named) => {
            let named = json::quoted(&named.chars().take(200).collect::<String>());
            let text = format!("is of the issuer {named}: auth_issuer must be exactly that");
            return Err(problem(&text));
        }
        None => return Err(problem("has no `issuer`")),
    }
    match document.get("jwks_uri").and_then(serde_json::Value::as_str) {
        Some(url) => ProviderUrl::parse(url)
            .map_err(|text| problem(&format!("has a `jwks_uri` that {text}"))),
        None => Err(problem("has no `jwks_uri`")),
    }
}

/// How long a JWK set is kept: `max-age` of its `Cache-Control`, within bounds, or ten minutes.
pub fn kept_for(cache_control: &str) -> Duration {
    let max_age = cache_control.split(',').find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        is_max_age.then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    });
    match max_age {
        Some(seconds) => Duration::from_secs(seconds).clamp(KEPT_MIN, KEPT_MAX),
        None => KEPT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_says_how_long_its_keys_are_kept() {
        for (header, seconds) in [
            ("", 600),
            ("no-cache", 600),
            ("public, max-age=3600", 3600),
            ("Max-Age=\"120\"", 120),
            ("max-age=0", 60),
            ("max-age=99999999999", 86_400),
            ("max-age=-1", 600),
            ("s-maxage=7200", 600),
        ] {
            assert_eq!(kept_for(header).as_secs(), seconds, "{header}");
        }
    }

    #[test]
    fn a_discovery_document_is_of_its_issuer() {
        let issuer = "https://id.test/realms/a";
        let of = |json: &str| jwks_url(json.as_bytes(), issuer).map_err(|error| error.to_string());
        let good = r#"{"issuer":"https://id.test/realms/a","jwks_uri":"https://keys.test/x"}"#;
        assert_eq!(of(good).unwrap().to_string(), "https://keys.test/x");
        for (bad, problem) in [
            ("<html>", "is not JSON"),
            ("[]", "has no `issuer`"),
            (r#"{"issuer":"https://id.test/realms/a"}"#, "has no `jwks_uri`"),
            (r#"{"issuer":"https://id.test/realms/a/"}"#, "must be exactly that"),
            (
                r#"{"issuer":"https://id.test/realms/a","jwks_uri":"http://keys.test/x"}"#,
                "a `jwks_uri` that must begin with https://",
            ),
        ] {
            let error = of(bad).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
