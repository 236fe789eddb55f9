//! Development tokens: `bellwire-hub token` prints one that the hub and the functions accept.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use jsonwebtoken::{EncodingKey, Header, encode};
use native::secret::secret;
use serde::Serialize;
use shared::auth::{Claims, Scope};
use shared::limits::HS256_KEY_BYTES_MIN;

use crate::config::flags::TokenArgs;

#[derive(Serialize)]
struct Payload {
    #[serde(flatten)]
    claims: Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
}

/// Writes the token and a newline to stdout.
///
/// # Errors
/// No usable key, an empty subject, or an unknown scope.
pub fn print(args: &TokenArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let key = secret("AUTH_HS256_KEY", args.key_file.as_deref(), env)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let token = mint(args, &key, now)?;
    writeln!(std::io::stdout(), "{token}").context("cannot write to stdout")
}

fn mint(args: &TokenArgs, key: &str, now: Duration) -> Result<String> {
    ensure!(!key.is_empty(), "no key: give --key-file or AUTH_HS256_KEY");
    ensure!(
        key.len() >= HS256_KEY_BYTES_MIN,
        "the key is shorter than {HS256_KEY_BYTES_MIN} bytes"
    );
    ensure!(!args.sub.is_empty(), "--sub is empty");
    let words: Vec<&str> = args.scope.split_whitespace().collect();
    for word in &words {
        if !Scope::ALL.iter().any(|scope| scope.as_str() == *word) {
            let known = Scope::ALL.map(Scope::as_str).join(" ");
            bail!("--scope: {word:?} is not a scope; expected: {known}");
        }
    }
    let ttl_s = args.ttl_seconds.map_or(u64::from(args.ttl_hours) * 3600, u64::from);
    let ttl = Duration::from_secs(ttl_s);
    let signer = Signer::new(key, args.issuer.as_deref(), args.audience.as_deref());
    signer.sign(&args.sub, &words.join(" "), now + ttl)
}

/// Signs development tokens with the HS256 key.
#[derive(Clone)]
pub(crate) struct Signer {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Signer {
    /// An empty issuer or audience counts as unset.
    pub(crate) fn new(key: &str, issuer: Option<&str>, audience: Option<&str>) -> Self {
        let present = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let key = EncodingKey::from_secret(key.as_bytes());
        Self { key, issuer: present(issuer), audience: present(audience) }
    }

    /// A token that expires at `expiry`, as a time since the Unix epoch.
    ///
    /// # Errors
    /// The claims are not JSON, which does not happen.
    pub(crate) fn sign(&self, sub: &str, scope: &str, expiry: Duration) -> Result<String> {
        let claims = Claims {
            sub: sub.to_owned(),
            exp: expiry.as_secs() as f64,
            nbf: None,
            scope: scope.to_owned(),
        };
        let payload = Payload { claims, iss: self.issuer.clone(), aud: self.audience.clone() };
        encode(&Header::default(), &payload, &self.key).context("cannot sign the token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::auth::{KeyConfig, KeySet};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn args(scope: &str) -> TokenArgs {
        TokenArgs {
            sub: "alice".to_owned(),
            scope: scope.to_owned(),
            key_file: None,
            ttl_hours: 1,
            ttl_seconds: None,
            issuer: Some("us".to_owned()),
            audience: None,
        }
    }

    #[test]
    fn the_printed_token_verifies() {
        let now = Duration::from_secs(1_800_000_000);
        let token = mint(&args("feed:read  ops:write"), KEY, now).unwrap();
        let config = KeyConfig {
            hs256_key: KEY.to_owned(),
            issuer: "us".to_owned(),
            ..KeyConfig::default()
        };
        let claims = KeySet::new(&config).unwrap().verify(&token, now.as_secs_f64()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.scope.as_str()), ("alice", "feed:read ops:write"));
        assert_eq!(claims.exp, 1_800_003_600.0);
        let short = TokenArgs { ttl_seconds: Some(90), ..args("") };
        let token = mint(&short, KEY, now).unwrap();
        let claims = KeySet::new(&config).unwrap().verify(&token, now.as_secs_f64()).unwrap();
        assert_eq!(claims.exp, 1_800_000_090.0);
    }

    #[test]
    fn rejects_unusable_tokens() {
        let now = Duration::from_secs(1_800_000_000);
        assert!(mint(&args("feed:raed"), KEY, now).unwrap_err().to_string().contains("feed:raed"));
        assert!(mint(&args(""), "short", now).is_err());
        assert!(mint(&args(""), "", now).is_err());
    }
}
