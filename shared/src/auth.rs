//! Verifies JWT bearer tokens (RFC 7519) against the configured keys.
//!
//! Every key is pinned to one algorithm, so neither `none` nor an RSA key used as an HMAC secret is
//! accepted. Keys come from the configuration, or from an identity provider ([`provider`]). Without
//! one every token is rejected. An error names the failed check, and never repeats the token or
//! reveals anything about a key.

mod claims;
mod keys;
pub mod provider;
mod provider_url;
mod token;
#[cfg(target_family = "wasm")]
mod verifiers;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::crypto;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::limits::{TOKEN_BYTES_MAX, TOKEN_LEEWAY_S};
use claims::{Expected, Names};
use keys::{Key, name_of};
use provider::Provider;
use token::{Header, Token, shown};

pub use keys::{KeyConfig, KeyError};
pub use provider_url::ProviderUrl;

/// A permission of a token beyond the subject's own resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    CacheRead,
    CacheWrite,
    CampaignsRead,
    CampaignsWrite,
    FeedRead,
    NotificationsImport,
    NotificationsWrite,
    OpsRead,
    OpsWrite,
    PresenceRead,
    PushRead,
    PushSend,
    PushWrite,
    QueuesRead,
    QueuesWrite,
    TokensRead,
    TokensWrite,
}

impl Scope {
    pub const ALL: [Scope; 17] = [
        Scope::CacheRead,
        Scope::CacheWrite,
        Scope::CampaignsRead,
        Scope::CampaignsWrite,
        Scope::FeedRead,
        Scope::NotificationsImport,
        Scope::NotificationsWrite,
        Scope::OpsRead,
        Scope::OpsWrite,
        Scope::PresenceRead,
        Scope::PushRead,
        Scope::PushSend,
        Scope::PushWrite,
        Scope::QueuesRead,
        Scope::QueuesWrite,
        Scope::TokensRead,
        Scope::TokensWrite,
    ];

    /// The scope's name in the `scope` claim (RFC 8693 §4.2).
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::CacheRead => "cache:read",
            Scope::CacheWrite => "cache:write",
            Scope::CampaignsRead => "campaigns:read",
            Scope::CampaignsWrite => "campaigns:write",
            Scope::FeedRead => "feed:read",
            Scope::NotificationsImport => "notifications:import",
            Scope::NotificationsWrite => "notifications:write",
            Scope::OpsRead => "ops:read",
            Scope::OpsWrite => "ops:write",
            Scope::PresenceRead => "presence:read",
            Scope::PushRead => "push:read",
            Scope::PushSend => "push:send",
            Scope::PushWrite => "push:write",
            Scope::QueuesRead => "queues:read",
            Scope::QueuesWrite => "queues:write",
            Scope::TokensRead => "tokens:read",
            Scope::TokensWrite => "tokens:write",
        }
    }

    /// The scope that includes this one. Only these have one: reads of campaigns and queues needed
    /// the writing scope before they had a scope of their own, and callers that start a campaign's
    /// pushes watches them.
    pub fn included_in(self) -> Option<Scope> {
        match self {
            Scope::CampaignsRead => Some(Scope::CampaignsWrite),
            Scope::PushRead => Some(Scope::PushWrite),
            Scope::QueuesRead => Some(Scope::QueuesWrite),
            _ => None,
        }
    }
}

/// The claims that Bellwire reads and, in development tokens, writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The user id, or the name of a calling service.
    pub sub: String,
    /// Seconds since the Unix epoch; a NumericDate may have a fraction. Written without one, since
    /// strict libraries require an integer.
    #[serde(serialize_with = "whole_seconds")]
    pub exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<f64>,
    /// Scopes separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

fn whole_seconds<S: serde::Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(*seconds as u64)
}

impl Claims {
    /// Whether the token has this scope, or the one that includes it.
    pub fn has(&self, scope: Scope) -> bool {
        let more = scope.included_in().map(Scope::as_str);
        self.scope.split(' ').any(|word| word == scope.as_str() || Some(word) == more)
    }

    /// Whether the token's subject is this user.
    pub fn is_subject(&self, user: &str) -> bool {
        self.sub == user
    }

    /// Time until which the token is accepted, in seconds since the Unix epoch, leeway included.
    pub fn accepted_until_s(&self) -> f64 {
        self.exp + TOKEN_LEEWAY_S as f64
    }
}

/// The keys and rules for verifying tokens.
pub struct KeySet {
    /// Those of the configuration, which may be replaced.
    keys: RwLock<Arc<[Key]>>,
    provider: Option<Provider>,
    expected: Expected,
    names: Names,
}

impl KeySet {
    /// Builds the set. An empty configuration gives an empty set, which rejects every token with
    /// `auth_not_configured`.
    ///
    /// # Errors
    /// A key that is too short, malformed or not for verification; a key without `alg` or for an
    /// algorithm other than HS256, RS256, ES256 or EdDSA; a duplicate `kid`; an identity provider's
    /// invalid URL.
    pub fn new(config: &KeyConfig) -> Result<Self, KeyError> {
        #[cfg(target_family = "wasm")]
        verifiers::install();
        let expected =
            Expected { issuer: config.issuer.clone(), audience: config.audience.clone() };
        let keys = keys::read(config)?;
        Ok(Self {
            provider: Provider::new(config, !keys.is_empty())?,
            keys: RwLock::new(keys.into()),
            expected,
            names: Names::new(&config.user_claim, &config.scope_claim),
        })
    }

    /// A set without keys, which rejects every token.
    pub fn none() -> Self {
        Self {
            keys: RwLock::default(),
            provider: None,
            expected: Expected::default(),
            names: Names::default(),
        }
    }

    /// Replaces the keys of the configuration; issuer, audience, claims and provider stay. Tokens
    /// that were verified before stay so.
    ///
    /// # Errors
    /// As [`Self::new`], or there is no key: the known ones stay.
    pub fn replace_keys(&self, config: &KeyConfig) -> Result<(), KeyError> {
        let keys = keys::read(config)?;
        if keys.is_empty() {
            return Err(KeyError::new("there is no key".to_owned()));
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        Ok(())
    }

    /// The keys of the configuration.
    fn own(&self) -> Arc<[Key]> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the set has no key, and nobody to get keys from.
    pub fn is_empty(&self) -> bool {
        self.provider.is_none() && self.own().is_empty()
    }

    /// The identity provider, whose keys the program has to fetch.
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    /// Whether the provider may have issued this token: no key of the configuration fits it.
    pub(crate) fn may_be_of_provider(&self, token: &str) -> bool {
        if self.provider.is_none() || token.len() > TOKEN_BYTES_MAX {
            return false;
        }
        let header = Token::split(token).and_then(|token| token.header());
        header.is_ok_and(|header| {
            let is_public = matches!(header.alg.as_str(), "RS256" | "ES256" | "EdDSA");
            is_public
                && self
                    .own()
                    .iter()
                    .all(|key| key.kid != header.kid || header.alg != name_of(key.algorithm))
        })
    }

    /// Whether no key has the token's `kid`.
    pub(crate) fn lacks_key_of(&self, token: &str) -> bool {
        let header = Token::split(token).and_then(|token| token.header());
        header.is_ok_and(|header| self.with_key(header.kid.as_deref(), |key| key.is_none()))
    }

    /// Verifies a compact JWS at the time `now_s` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// `auth_not_configured`, `auth_unavailable` as long as the provider's keys were never fetched,
    /// `token_expired` or `unauthorized`, naming the failed check.
    pub fn verify(&self, token: &str, now_s: f64) -> Result<Claims, Error> {
        if self.is_empty() {
            return Err(Error::new(
                Code::AuthNotConfigured,
                "no usable key is configured, so no token can be verified",
            ));
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(unauthorized(format!("the token is longer than {TOKEN_BYTES_MAX} bytes")));
        }
        let token = Token::split(token)?;
        let header = token.header()?;
        self.with_key(header.kid.as_deref(), |key| self.check_signature(&token, &header, key))?;
        claims::read(&token.payload()?, &self.expected, &self.names, now_s)
    }

    fn check_signature(
        &self,
        token: &Token<'_>,
        header: &Header,
        key: Option<&Key>,
    ) -> Result<(), Error> {
        let key = key.ok_or_else(|| self.no_key(header.kid.as_deref()))?;
        let wanted = name_of(key.algorithm);
        if header.alg != wanted {
            let alg = shown(&header.alg);
            return Err(unauthorized(format!("`alg` is {alg}, but the key is for {wanted}")));
        }
        token.check_signature_text()?;
        // An unusable key is reported as an error instead of `false`.
        let fits =
            crypto::verify(token.signature, token.signed.as_bytes(), &key.decoding, key.algorithm);
        match fits {
            Ok(true) => Ok(()),
            _ => Err(unauthorized("the signature does not match the key")),
        }
    }

    /// Calls `use_key` with the key for a token. One without `kid` uses the key without `kid`, or the
    /// only key.
    fn with_key<T>(&self, kid: Option<&str>, use_key: impl FnOnce(Option<&Key>) -> T) -> T {
        let provided = self.provider.as_ref().and_then(Provider::current);
        let provided = provided.as_deref().unwrap_or_default();
        let own = self.own();
        let mut all = own.iter().chain(provided);
        use_key(match (kid, own.len() + provided.len()) {
            (None, 1) => all.next(),
            (kid, _) => all.find(|key| key.kid.as_deref() == kid),
        })
    }

    fn no_key(&self, kid: Option<&str>) -> Error {
        if self.provider.as_ref().is_some_and(|provider| !provider.has_keys()) {
            let detail = "the identity provider's keys could not be fetched yet";
            return Error::new(Code::AuthUnavailable, detail);
        }
        unauthorized(match kid {
            Some(kid) => format!("no key with kid {}", shown(kid)),
            None => "the token has no `kid`, and there are several keys".to_owned(),
        })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.own().len())
    }
}

fn unauthorized(detail: impl Into<String>) -> Error {
    Error::new(Code::Unauthorized, detail)
}

#[cfg(test)]
mod tests;
