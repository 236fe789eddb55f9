//! The provider token: ES256, signed every 40 minutes. Apple refuses one that is older than an hour,
//! and a key that makes a new one more often than every 20 minutes.

use parking_lot::Mutex;
use serde_json::json;

use crate::jwt::{Es256, KeyError};
use crate::limits::{APNS_TOKEN_AGE_MIN_S, APNS_TOKEN_RENEW_AFTER_S};
use crate::secret::Secret;

struct Token {
    text: Secret,
    made_s: u64,
}

/// A key with its current token.
pub struct ProviderToken {
    key: Es256,
    key_id: String,
    team_id: String,
    current: Mutex<Option<Token>>,
}

impl ProviderToken {
    #[must_use]
    pub fn new(key: Es256, key_id: String, team_id: String) -> Self {
        Self { key, key_id, team_id, current: Mutex::new(None) }
    }

    /// The token to send. `now_s` is Unix time in seconds.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn get(&self, now_s: u64) -> Result<Secret, KeyError> {
        let mut current = self.current.lock();
        // A clock that was set back makes the token one of the future, which Apple refuses.
        let fresh = current.as_ref().filter(|token| {
            (token.made_s..token.made_s + APNS_TOKEN_RENEW_AFTER_S).contains(&now_s)
        });
        if let Some(token) = fresh {
            return Ok(token.text.clone());
        }
        let header = json!({"alg": "ES256", "kid": self.key_id});
        let claims = json!({"iss": self.team_id, "iat": now_s});
        let text = Secret::new(self.key.sign(&header, &claims)?);
        *current = Some(Token { text: text.clone(), made_s: now_s });
        Ok(text)
    }

    /// Apple refused `refused` as expired. Returns whether the next [`ProviderToken::get`] differs.
    pub fn renew(&self, refused: &Secret, now_s: u64) -> bool {
        let mut current = self.current.lock();
        let Some(token) = current.as_ref() else { return true };
        if token.text != *refused {
            return true;
        }
        if now_s < token.made_s + APNS_TOKEN_AGE_MIN_S {
            return false;
        }
        *current = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::pkcs8_pem;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    fn provider() -> ProviderToken {
        ProviderToken::new(Es256::parse(&pkcs8_pem()).unwrap(), "KEY".into(), "TEAM".into())
    }

    #[test]
    fn a_token_is_kept_for_forty_minutes() {
        let provider = provider();
        let first = provider.get(1000).unwrap();
        assert_eq!(provider.get(1000 + 2399).unwrap(), first);
        let second = provider.get(1000 + 2400).unwrap();
        assert_ne!(second, first);
        assert_ne!(provider.get(500).unwrap(), second, "the clock was set back");
        let mut parts = first.expose().split('.');
        let mut json = || -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap()
        };
        assert_eq!(json(), json!({"alg": "ES256", "kid": "KEY"}));
        assert_eq!(json(), json!({"iss": "TEAM", "iat": 1000}));
    }

    #[test]
    fn a_refused_token_is_renewed_once_and_never_within_twenty_minutes() {
        let provider = provider();
        let first = provider.get(0).unwrap();
        assert!(!provider.renew(&first, 1199));
        assert_eq!(provider.get(1199).unwrap(), first);
        assert!(provider.renew(&first, 1200));
        let second = provider.get(1200).unwrap();
        // Others that were refused with the first token do not renew the second.
        assert!(provider.renew(&first, 1200));
        assert_eq!(provider.get(1200).unwrap(), second);
    }
}
