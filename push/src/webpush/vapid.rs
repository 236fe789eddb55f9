//! VAPID (RFC 8292): who sends. One token per push service, valid for 12 h and used for 11.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde_json::json;
use url::{Host, Url};

use crate::jwt::{Es256, KeyError};
use crate::limits::{HOSTS_MAX, VAPID_RENEW_BEFORE_S, VAPID_S};
use crate::origin::Origin;
use crate::secret::Secret;

struct Token {
    header: Secret,
    expires_s: u64,
}

/// The application server's key with its current tokens.
pub struct Vapid {
    key: Es256,
    subject: String,
    tokens: Mutex<HashMap<Origin, Token>>,
}

impl Vapid {
    /// # Errors
    /// `subject` is not an address that a push service accepts; see [`check_subject`].
    pub fn new(key: Es256, subject: &str) -> Result<Self, &'static str> {
        check_subject(subject)?;
        Ok(Self { key, subject: subject.to_owned(), tokens: Mutex::default() })
    }

    /// The key that browsers subscribe with.
    #[must_use]
    pub fn public(&self) -> String {
        self.key.public()
    }

    /// The value of `authorization` for a push service. `now_s` is Unix time in seconds.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn authorization(&self, origin: &Origin, now_s: u64) -> Result<Secret, KeyError> {
        let mut tokens = self.tokens.lock();
        let is_fresh = |token: &&Token| {
            let left = token.expires_s.saturating_sub(now_s);
            // More is left than a token ever has: the clock was set back.
            left > VAPID_RENEW_BEFORE_S && left <= VAPID_S
        };
        if let Some(token) = tokens.get(origin).filter(is_fresh) {
            return Ok(token.header.clone());
        }
        if tokens.len() >= HOSTS_MAX {
            tokens.clear();
        }
        let expires_s = now_s.saturating_add(VAPID_S);
        let claims =
            json!({"aud": origin.to_string(), "exp": expires_s, "sub": self.subject.as_str()});
        let token = self.key.sign(&json!({"typ": "JWT", "alg": "ES256"}), &claims)?;
        let header = Secret::new(format!("vapid t={token}, k={}", self.key.public()));
        tokens.insert(origin.clone(), Token { header: header.clone(), expires_s });
        Ok(header)
    }

    /// A push service refused `refused`: the next one for it is new.
    pub fn renew(&self, origin: &Origin, refused: &Secret) {
        let mut tokens = self.tokens.lock();
        if tokens.get(origin).is_some_and(|token| token.header == *refused) {
            tokens.remove(origin);
        }
    }
}

/// Apple answers 403 `BadJwtToken` for a contact that it cannot reach, so that one that works
/// elsewhere fails on Apple's devices only. It is refused here instead.
///
/// # Errors
/// `subject` is neither `mailto:` with one address of a public domain, nor an https URL of one.
pub fn check_subject(subject: &str) -> Result<(), &'static str> {
    const INVALID: &str =
        "the subject must be mailto:name@domain or an https URL, with a public domain";
    let has_other = |text: &str| text.chars().any(|c| c.is_whitespace() || "<>,".contains(c));
    let is_valid = match subject.strip_prefix("mailto:") {
        Some(address) => address.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !has_other(address) && is_public_domain(domain)
        }),
        None => Url::parse(subject).is_ok_and(|url| {
            url.scheme() == "https"
                && !has_other(subject)
                && matches!(url.host(), Some(Host::Domain(domain)) if is_public_domain(domain))
        }),
    };
    if is_valid { Ok(()) } else { Err(INVALID) }
}

fn is_public_domain(domain: &str) -> bool {
    let is_name = matches!(Host::parse(domain), Ok(Host::Domain(_)));
    let top = domain.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_private = ["localhost", "local", "internal", "lan", "home", "test", "invalid", ""];
    is_name && domain.contains('.') && !domain.starts_with('.') && !is_private.contains(&&*top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::pkcs8_pem;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    fn vapid() -> Vapid {
        Vapid::new(Es256::parse(&pkcs8_pem()).unwrap(), "mailto:ops@example.com").unwrap()
    }

    fn origin(text: &str) -> Origin {
        Origin::parse(text, false).unwrap()
    }

    #[test]
    fn the_header_is_a_signed_token_for_the_origin_and_its_key() {
        let vapid = vapid();
        let origin = origin("https://web.push.apple.com");
        let header = vapid.authorization(&origin, 1_000_000).unwrap();
        let (token, key) =
            header.expose().strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(key, vapid.public());
        let (text, signature) = token.rsplit_once('.').unwrap();
        let (head, claims) = text.split_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let json = |text: &str| serde_json::from_slice::<Value>(&decode(text)).unwrap();
        assert_eq!(json(head), json!({"typ": "JWT", "alg": "ES256"}));
        assert_eq!(
            json(claims),
            json!({
                "aud": "https://web.push.apple.com", "exp": 1_043_200,
                "sub": "mailto:ops@example.com",
            })
        );
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key))
            .verify(text.as_bytes(), &decode(signature))
            .unwrap();
    }

    #[test]
    fn one_token_per_service_serves_for_eleven_hours() {
        let vapid = vapid();
        let (apple, mozilla) = (
            origin("https://web.push.apple.com"),
            origin("https://updates.push.services.mozilla.com"),
        );
        let first = vapid.authorization(&apple, 100_000).unwrap();
        assert_ne!(vapid.authorization(&mozilla, 100_000).unwrap(), first);
        assert_eq!(vapid.authorization(&apple, 100_000 + 11 * 3600 - 1).unwrap(), first);
        let second = vapid.authorization(&apple, 100_000 + 11 * 3600).unwrap();
        assert_ne!(second, first);
        assert_ne!(vapid.authorization(&apple, 50_000).unwrap(), second, "the clock was set back");
    }

    #[test]
    fn a_refused_token_is_renewed_once() {
        let vapid = vapid();
        let origin = origin("https://web.push.apple.com");
        let first = vapid.authorization(&origin, 1000).unwrap();
        vapid.renew(&origin, &first);
        let second = vapid.authorization(&origin, 1001).unwrap();
        assert_ne!(second, first);
        vapid.renew(&origin, &first);
        assert_eq!(vapid.authorization(&origin, 1001).unwrap(), second);
    }

    #[test]
    fn subjects_that_apple_refuses_are_refused_at_once() {
        for subject in ["mailto:ops@example.com", "https://example.com/contact"] {
            assert_eq!(check_subject(subject), Ok(()), "{subject}");
        }
        for subject in [
            "",
            "ops@example.com",
            "mailto:",
            "mailto:ops",
            "mailto:@example.com",
            "mailto:admin@localhost",
            "mailto:a@host.local",
            "mailto: ops@example.com",
            "mailto:<ops@example.com>",
            "mailto:a@10.0.0.1",
            "mailto:a@b.c,d@e.f",
            "http://example.com",
            "https://localhost",
            "https://10.0.0.1",
            "https://host.internal",
        ] {
            assert!(check_subject(subject).is_err(), "{subject}");
        }
    }
}
