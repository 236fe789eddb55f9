//! Verifies JWT bearer tokens (RFC 7519) against the configured keys.
//!
//! Every key is pinned to one algorithm, so neither `none` nor an RSA key used as an HMAC secret is
//! accepted. Without a key every token is rejected. An error names the failed check, and never
//! repeats the token or reveals anything about a key.

mod claims;
mod keys;
mod token;
#[cfg(target_family = "wasm")]
mod verifiers;

use std::fmt;

use jsonwebtoken::crypto;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::limits::{TOKEN_BYTES_MAX, TOKEN_LEEWAY_S};
use claims::Expected;
use keys::{Key, name_of};
use token::{Header, Token, shown};

pub use keys::{KeyConfig, KeyError};

/// A permission of a token beyond the subject's own resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    CacheRead,
    CacheWrite,
    CampaignsRead,
    CampaignsWrite,
    FeedRead,
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
    pub const ALL: [Scope; 16] = [
        Scope::CacheRead,
        Scope::CacheWrite,
        Scope::CampaignsRead,
        Scope::CampaignsWrite,
        Scope::FeedRead,
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
    /// the writing scope before they had a scope of their own, and whoever starts a campaign's
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
    keys: Vec<Key>,
    expected: Expected,
}

impl KeySet {
    /// Builds the set. An empty configuration gives an empty set, which rejects every token with
    /// `auth_not_configured`.
    ///
    /// # Errors
    /// A key that is too short, malformed or not for verification; a key without `alg` or for an
    /// algorithm other than HS256, RS256 or EdDSA; a duplicate `kid`.
    pub fn new(config: &KeyConfig) -> Result<Self, KeyError> {
        #[cfg(target_family = "wasm")]
        verifiers::install();
        let expected =
            Expected { issuer: config.issuer.clone(), audience: config.audience.clone() };
        Ok(Self { keys: keys::read(config)?, expected })
    }

    /// A set without keys, which rejects every token.
    pub fn none() -> Self {
        Self { keys: Vec::new(), expected: Expected::default() }
    }

    /// Whether the set has no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a compact JWS at the time `now_s` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// `auth_not_configured`, `token_expired` or `unauthorized`, naming the failed check.
    pub fn verify(&self, token: &str, now_s: f64) -> Result<Claims, Error> {
        if self.keys.is_empty() {
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
        let key = self.key_of(&header)?;
        token.check_signature_text()?;
        // An unusable key is reported as an error instead of `false`.
        let fits =
            crypto::verify(token.signature, token.signed.as_bytes(), &key.decoding, key.algorithm);
        if !fits.unwrap_or(false) {
            return Err(unauthorized("the signature does not match the key"));
        }
        claims::read(&token.payload()?, &self.expected, now_s)
    }

    /// The key for a token. One without `kid` uses the key without `kid`, or the only key.
    fn key_of(&self, header: &Header) -> Result<&Key, Error> {
        let kid = header.kid.as_deref();
        let found = match (kid, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (kid, keys) => keys.iter().find(|key| key.kid.as_deref() == kid),
        };
        let key = found.ok_or_else(|| {
            unauthorized(match kid {
                Some(kid) => format!("no key with kid {}", shown(kid)),
                None => "the token has no `kid`, and there are several keys".to_owned(),
            })
        })?;
        let wanted = name_of(key.algorithm);
        if header.alg != wanted {
            let alg = shown(&header.alg);
            return Err(unauthorized(format!("`alg` is {alg}, but the key is for {wanted}")));
        }
        Ok(key)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}

fn unauthorized(detail: impl Into<String>) -> Error {
    Error::new(Code::Unauthorized, detail)
}

#[cfg(test)]
mod tests;
