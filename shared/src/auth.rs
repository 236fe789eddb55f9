//! Who is calling: verification of JWT bearer tokens (RFC 7519) against configured keys.
//!
//! Every key is pinned to one algorithm, so neither `none` nor an RSA key used as an HMAC secret
//! gets anywhere. Without a key nothing is accepted.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::limits::{HS256_KEY_BYTES_MIN, TOKEN_BYTES_MAX, TOKEN_LEEWAY_S};

/// What a token may do beside its subject's own things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    CacheRead,
    CacheWrite,
    CampaignsWrite,
    FeedRead,
    NotificationsWrite,
    OpsRead,
    OpsWrite,
    PresenceRead,
    QueuesWrite,
    TokensRead,
    TokensWrite,
}

impl Scope {
    pub const ALL: [Scope; 11] = [
        Scope::CacheRead,
        Scope::CacheWrite,
        Scope::CampaignsWrite,
        Scope::FeedRead,
        Scope::NotificationsWrite,
        Scope::OpsRead,
        Scope::OpsWrite,
        Scope::PresenceRead,
        Scope::QueuesWrite,
        Scope::TokensRead,
        Scope::TokensWrite,
    ];

    /// The word in the token's `scope` claim (RFC 8693 §4.2).
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::CacheRead => "cache:read",
            Scope::CacheWrite => "cache:write",
            Scope::CampaignsWrite => "campaigns:write",
            Scope::FeedRead => "feed:read",
            Scope::NotificationsWrite => "notifications:write",
            Scope::OpsRead => "ops:read",
            Scope::OpsWrite => "ops:write",
            Scope::PresenceRead => "presence:read",
            Scope::QueuesWrite => "queues:write",
            Scope::TokensRead => "tokens:read",
            Scope::TokensWrite => "tokens:write",
        }
    }
}

/// Claims that Bellwire reads and, for development tokens, writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The user, or the name of a calling service.
    pub sub: String,
    /// Seconds since the Unix epoch; a NumericDate may have a fraction. Written without one: strict
    /// libraries want an integer.
    #[serde(serialize_with = "whole_seconds")]
    pub exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<f64>,
    /// Words separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

fn whole_seconds<S: serde::Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(*seconds as u64)
}

impl Claims {
    pub fn has(&self, scope: Scope) -> bool {
        self.scope.split(' ').any(|word| word == scope.as_str())
    }

    /// Whether the token is the user's own.
    pub fn is_subject(&self, user: &str) -> bool {
        self.sub == user
    }

    /// Seconds since the Unix epoch until which the token is accepted, leeway included.
    pub fn accepted_until_s(&self) -> f64 {
        self.exp + TOKEN_LEEWAY_S as f64
    }
}

/// The configured keys could not be used; the text names the key, never its value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

/// Where keys and expectations come from: variables of the functions, configuration of the hub.
#[derive(Clone, Debug, Default)]
pub struct KeyConfig {
    /// One HS256 secret, used as the text's bytes; empty means none.
    pub hs256_key: String,
    /// A JWK set (RFC 7517) as JSON text; empty means none. Every key needs `alg`.
    pub jwks: String,
    /// Required `iss`; empty means any.
    pub issuer: String,
    /// Required `aud`; empty means any.
    pub audience: String,
}

/// Keys and rules that tokens are verified with.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
    validation: Validation,
}

impl KeySet {
    /// Builds the set. An empty configuration gives an empty set, which refuses every token with
    /// `auth_not_configured`.
    ///
    /// # Errors
    /// A short HMAC key, a broken JWK set, a key without `alg` or of another algorithm than
    /// HS256, RS256 or EdDSA, a `kid` that stands twice.
    pub fn new(config: &KeyConfig) -> Result<Self, KeyError> {
        #[cfg(target_family = "wasm")]
        verifiers::install();
        let mut keys: Vec<Key> = Vec::new();
        if !config.hs256_key.is_empty() {
            keys.push(hs256(None, config.hs256_key.as_bytes(), config)?);
        }
        if !config.jwks.trim().is_empty() {
            let set: JwkSet = serde_json::from_str(&config.jwks)
                .map_err(|error| KeyError(format!("the JWK set is not valid: {error}")))?;
            for (at, jwk) in set.keys.iter().enumerate() {
                let key = from_jwk(jwk, at, config)?;
                if keys.iter().any(|known| known.kid == key.kid && key.kid.is_some()) {
                    return Err(KeyError(format!(
                        "the kid of key {at} of the JWK set stands twice"
                    )));
                }
                keys.push(key);
            }
        }
        Ok(Self { keys })
    }

    /// The set without keys, which refuses every token.
    pub fn none() -> Self {
        Self { keys: Vec::new() }
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a compact JWS at the time `now_s` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// `auth_not_configured`, `token_expired` or `unauthorized`; no text repeats the token.
    pub fn verify(&self, token: &str, now_s: f64) -> Result<Claims, Error> {
        if self.keys.is_empty() {
            return Err(Error::new(
                Code::AuthNotConfigured,
                "no key is configured, so no token can be verified",
            ));
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(unauthorized("the token is too long"));
        }
        let header = decode_header(token).map_err(|_| unauthorized("the token is malformed"))?;
        // What its issuer calls critical must be understood or refused (RFC 7515 §4.1.11).
        if header.crit.is_some() {
            return Err(unauthorized("the token has a critical header that is not understood"));
        }
        let key = self
            .key_for(header.kid.as_deref())
            .ok_or_else(|| unauthorized("the token's key is not known"))?;
        if key.algorithm != header.alg {
            return Err(unauthorized("the token's algorithm is not the key's"));
        }
        let claims = decode::<Claims>(token, &key.decoding, &key.validation)
            .map_err(|error| refusal(error.kind()))?
            .claims;
        check_times(&claims, now_s)?;
        if claims.sub.is_empty() {
            return Err(unauthorized("the token has no subject"));
        }
        Ok(claims)
    }

    /// A token without `kid` goes with the key without `kid`, or with the only key there is.
    fn key_for(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (kid, keys) => keys.iter().find(|key| key.kid.as_deref() == kid),
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}

fn hs256(kid: Option<String>, secret: &[u8], config: &KeyConfig) -> Result<Key, KeyError> {
    if secret.len() < HS256_KEY_BYTES_MIN {
        return Err(KeyError(format!(
            "an HS256 key has {} bytes, at least {HS256_KEY_BYTES_MIN} are required",
            secret.len()
        )));
    }
    let validation = validation(Algorithm::HS256, config);
    let decoding = DecodingKey::from_secret(secret);
    Ok(Key { kid, algorithm: Algorithm::HS256, decoding, validation })
}

fn from_jwk(jwk: &Jwk, at: usize, config: &KeyConfig) -> Result<Key, KeyError> {
    let problem = |text: &str| KeyError(format!("key {at} of the JWK set {text}"));
    let kid = jwk.common.key_id.clone();
    let decoding = DecodingKey::from_jwk(jwk).map_err(|_| problem("cannot be read"))?;
    let algorithm = match (jwk.common.key_algorithm, &jwk.algorithm) {
        (Some(KeyAlgorithm::HS256), AlgorithmParameters::OctetKey(_)) => {
            let secret = decoding.try_get_as_bytes().map_err(|_| problem("cannot be read"))?;
            return hs256(kid, secret, config);
        }
        (Some(KeyAlgorithm::RS256), AlgorithmParameters::RSA(_)) => Algorithm::RS256,
        (Some(KeyAlgorithm::EdDSA), AlgorithmParameters::OctetKeyPair(_)) => Algorithm::EdDSA,
        (None, _) => return Err(problem("has no `alg`: every key is pinned to one")),
        _ => return Err(problem("is not HS256 (oct), RS256 (RSA) or EdDSA (OKP)")),
    };
    Ok(Key { kid, algorithm, decoding, validation: validation(algorithm, config) })
}

fn validation(algorithm: Algorithm, config: &KeyConfig) -> Validation {
    let mut validation = Validation::new(algorithm);
    // Times are checked in `check_times`, against the caller's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims(&["exp", "sub"]);
    if !config.issuer.is_empty() {
        validation.set_issuer(&[&config.issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    if config.audience.is_empty() {
        validation.validate_aud = false;
    } else {
        validation.set_audience(&[&config.audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    validation
}

#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN must fail")]
fn check_times(claims: &Claims, now_s: f64) -> Result<(), Error> {
    if !(now_s < claims.accepted_until_s()) {
        return Err(Error::new(Code::TokenExpired, "the token has expired"));
    }
    match claims.nbf {
        Some(nbf) if !(nbf - TOKEN_LEEWAY_S as f64 <= now_s) => {
            Err(unauthorized("the token is not valid yet"))
        }
        _ => Ok(()),
    }
}

fn refusal(kind: &jsonwebtoken::errors::ErrorKind) -> Error {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => unauthorized("the token's signature is not valid"),
        ErrorKind::InvalidIssuer => unauthorized("the token's `iss` is not the expected one"),
        ErrorKind::InvalidAudience => unauthorized("the token's `aud` is not the expected one"),
        ErrorKind::MissingRequiredClaim(claim) => {
            unauthorized(&format!("the token has no `{claim}`"))
        }
        _ => unauthorized("the token is malformed"),
    }
}

fn unauthorized(detail: &str) -> Error {
    Error::new(Code::Unauthorized, detail)
}

#[cfg(test)]
mod tests;
#[cfg(target_family = "wasm")]
mod verifiers;
