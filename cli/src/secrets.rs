//! The token of each call, and the key that development tokens are made with. Neither is ever an
//! argument, nor printed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use shared::limits::HS256_KEY_BYTES_MIN;

use crate::failure::{Failure, Kind, Outcome};
use crate::files;
use crate::limits::SECRET_BYTES_MAX;

/// Where the token is. Files are read before each use.
pub enum TokenSource {
    /// The path, and the setting that names it.
    File(PathBuf, String),
    Stdin,
    /// The token, and its variable.
    Variable(String, String),
    None,
}

/// Where the HS256 key is.
pub enum KeySource {
    /// The path, and the setting that names it.
    File(PathBuf, String),
    Variable(String),
    None,
}

/// Said of a token that is no JWT.
pub const NOT_A_JWT: &str = "it is not a JWT (three parts with dots between them)";

/// A bearer token.
#[derive(Clone)]
pub struct Token {
    text: String,
    /// Where it is from, for errors.
    pub source: String,
}

impl TokenSource {
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(&self) -> Outcome<Token> {
        let (text, source) = match self {
            TokenSource::File(path, setting) => {
                (secret(path, setting)?, format!("{setting} ({})", path.display()))
            }
            TokenSource::Stdin => {
                (files::stdin(SECRET_BYTES_MAX, "the token")?, "standard input".to_owned())
            }
            TokenSource::Variable(text, name) => (text.clone(), name.clone()),
            TokenSource::None => return Err(no_token()),
        };
        Token::new(text.trim(), source)
    }

    /// Whether another read may give another token.
    pub fn is_file(&self) -> bool {
        matches!(self, TokenSource::File(..))
    }
}

fn no_token() -> Failure {
    Failure::new(Kind::Unauthorized, "there is no token").hint(
        "set BELLWIRE_TOKEN_FILE or BELLWIRE_TOKEN, or name a file with --token-file; with \
         `make up`: . .bellwire/up.env",
    )
}

impl Token {
    fn new(text: &str, source: String) -> Outcome<Self> {
        let is_word = !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if !is_word {
            let problem = format!("{source} is empty or holds no token");
            return Err(Failure::new(Kind::Unauthorized, problem));
        }
        Ok(Self { text: text.to_owned(), source })
    }

    /// The header `Authorization`.
    pub fn header(&self) -> Outcome<HeaderValue> {
        let header = HeaderValue::from_str(&format!("Bearer {}", self.text));
        let mut header =
            header.map_err(|_| Failure::failed("the token cannot be sent in a header"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The token's `sub`, unverified: for messages, and for the choice of a token.
    pub fn sub(&self) -> Option<String> {
        Some(self.claims()?.get("sub")?.as_str()?.to_owned())
    }

    /// Its claims, unverified; `None` if it is no JWT.
    pub fn claims(&self) -> Option<Value> {
        let payload = self.text.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Whether it has the form of a JWT, which every token of functions and hub has.
    pub fn is_jwt(&self) -> bool {
        self.claims().is_some()
    }

    /// The token itself. Only `bellwire token` prints one.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl KeySource {
    pub fn is_there(&self) -> bool {
        !matches!(self, KeySource::None)
    }

    /// The key's setting, for errors.
    pub fn setting(&self) -> String {
        match self {
            KeySource::File(path, setting) => format!("{setting} ({})", path.display()),
            KeySource::Variable(_) => "AUTH_HS256_KEY".to_owned(),
            KeySource::None => "no key".to_owned(),
        }
    }

    /// A token for `sub` that is signed with the key.
    ///
    /// # Errors
    /// There is no usable key, or `sub` is empty.
    pub fn mint(&self, claims: &NewToken<'_>) -> Outcome<Token> {
        let key = match self {
            KeySource::File(path, setting) => secret(path, setting)?,
            KeySource::Variable(text) => text.clone(),
            KeySource::None => {
                return Err(Failure::usage("there is no key to sign with").hint(
                    "name its file with --key-file or BELLWIRE_KEY_FILE; with `make up` it is \
                     .bellwire/auth.key",
                ));
            }
        };
        if key.len() < HS256_KEY_BYTES_MIN {
            let least = HS256_KEY_BYTES_MIN;
            let problem = format!("{}: the key is shorter than {least} bytes", self.setting());
            return Err(Failure::usage(problem));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = claims.sign(&key, now)?;
        Token::new(&text, format!("a token made with {}", self.setting()))
    }
}

/// The claims of a token to be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewToken<'a> {
    pub sub: &'a str,
    /// Words separated by spaces.
    pub scope: &'a str,
    pub ttl: Duration,
    pub issuer: Option<&'a str>,
    pub audience: Option<&'a str>,
}

impl NewToken<'_> {
    fn sign(&self, key: &str, now: Duration) -> Outcome<String> {
        if self.sub.is_empty() {
            return Err(Failure::usage("--sub is empty"));
        }
        let mut claims = json!({"sub": self.sub, "exp": (now + self.ttl).as_secs()});
        if !self.scope.is_empty() {
            claims["scope"] = self.scope.into();
        }
        for (name, value) in [("iss", self.issuer), ("aud", self.audience)] {
            if let Some(value) = value {
                claims[name] = value.into();
            }
        }
        encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()))
            .map_err(|error| Failure::failed(format!("cannot sign the token: {error}")))
    }
}

/// A secret in a file, without the newline that editors add.
fn secret(path: &Path, setting: &str) -> Outcome<String> {
    let text = files::text(path, SECRET_BYTES_MAX, &format!("the file of {setting}"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() {
        true => Err(Failure::usage(format!("{setting}: {} is empty", path.display()))),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use shared::auth::{KeyConfig, KeySet};

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn tokens_verify_and_tell_whose_they_are() {
        let key = KeySource::Variable(KEY.to_owned());
        let claims = NewToken {
            sub: "alice",
            scope: "feed:read",
            ttl: Duration::from_secs(60),
            ..NewToken::default()
        };
        let token = key.mint(&claims).unwrap();
        assert_eq!(token.sub().as_deref(), Some("alice"));
        assert!(token.is_jwt());
        let config = KeyConfig { hs256_key: KEY.to_owned(), ..KeyConfig::default() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let verified = KeySet::new(&config).unwrap().verify(token.expose(), now).unwrap();
        assert_eq!((&*verified.sub, &*verified.scope), ("alice", "feed:read"));
        assert!(key.mint(&NewToken::default()).is_err());
        assert!(KeySource::Variable("short".to_owned()).mint(&claims).is_err());
    }

    #[test]
    fn what_is_no_token_is_named_and_not_shown() {
        for text in ["", "two words", "é", "line\nbreak"] {
            let failure = Token::new(text, "BELLWIRE_TOKEN".to_owned()).err().unwrap();
            assert_eq!(failure.kind, Kind::Unauthorized);
            assert_eq!(failure.detail, "BELLWIRE_TOKEN is empty or holds no token");
        }
        for text in ["opaque", "a.b.c"] {
            let token = Token::new(text, String::new()).unwrap();
            assert!(token.sub().is_none() && !token.is_jwt(), "{text}");
        }
    }
}
