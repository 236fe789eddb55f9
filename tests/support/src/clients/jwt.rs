//! Tokens of every kind: valid ones, and those of attackers.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::EncodePrivateKey as _;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

/// The HS256 key of all functions and hubs in tests.
pub const KEY: &str = "a test's own key, 32 bytes or more";

/// A valid token: `sub`, scopes separated by spaces, valid for an hour.
pub fn token(sub: &str, scope: &str) -> String {
    Jwt::of(sub).scope(scope).sign(KEY)
}

/// A token with exactly these claims, signed with HS256.
pub fn sign(key: &str, claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

/// Seconds since the Unix epoch.
pub fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A token under construction.
#[derive(Clone)]
pub struct Jwt {
    claims: Value,
    kid: Option<String>,
}

impl Jwt {
    /// With `sub` and an `exp` in an hour.
    pub fn of(sub: &str) -> Self {
        Self { claims: json!({"sub": sub, "exp": now_s() + 3600}), kid: None }
    }

    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Sets `exp` in seconds from now; negative for an expired token.
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", now_s() + seconds)
    }

    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    pub fn kid(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    /// Signs with HS256.
    pub fn sign(&self, key: impl AsRef<[u8]>) -> String {
        self.sign_as(Algorithm::HS256, &EncodingKey::from_secret(key.as_ref()))
    }

    /// Signs with RS256.
    pub fn sign_rs256(&self, key: &RsaKey) -> String {
        self.sign_as(Algorithm::RS256, &EncodingKey::from_rsa_der(&key.der))
    }

    /// Signs with ES256.
    pub fn sign_es256(&self, key: &EcKey) -> String {
        self.sign_as(Algorithm::ES256, &EncodingKey::from_ec_der(&key.der))
    }

    /// Signs with another HMAC algorithm than the key's.
    pub fn sign_hs512(&self, key: &str) -> String {
        self.sign_as(Algorithm::HS512, &EncodingKey::from_secret(key.as_bytes()))
    }

    /// A token with `"alg":"none"` and without a signature.
    pub fn unsigned(&self) -> String {
        let header = json!({"alg": "none", "typ": "JWT"}).to_string();
        format!("{}.{}.", BASE64URL.encode(header), BASE64URL.encode(self.claims.to_string()))
    }

    fn sign_as(&self, algorithm: Algorithm, key: &EncodingKey) -> String {
        let mut header = Header::new(algorithm);
        header.kid.clone_from(&self.kid);
        encode(&header, &self.claims, key).unwrap()
    }
}

/// An RSA key, generated for the test.
pub struct RsaKey {
    der: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaKey {
    pub fn generate() -> Self {
        Self::of_bits(2048)
    }

    /// A key of any size, including sizes too small to be accepted.
    pub fn of_bits(bits: usize) -> Self {
        let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, bits).unwrap();
        Self {
            der: key.to_pkcs1_der().unwrap().as_bytes().to_vec(),
            modulus: key.n().to_bytes_be(),
            exponent: key.e().to_bytes_be(),
        }
    }

    /// The public modulus, known to attackers.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The modulus as in a JWK.
    pub fn modulus_text(&self) -> String {
        BASE64URL.encode(&self.modulus)
    }

    /// The public key as a JWK (RFC 7517) for RS256.
    pub fn jwk(&self, kid: &str) -> Value {
        let exponent = BASE64URL.encode(&self.exponent);
        json!({"kty": "RSA", "alg": "RS256", "kid": kid, "n": self.modulus_text(), "e": exponent})
    }
}

/// A key of P-256, generated for the test.
pub struct EcKey {
    der: Vec<u8>,
    x: String,
    y: String,
}

impl EcKey {
    pub fn generate() -> Self {
        let key = p256::SecretKey::random(&mut rand_core::OsRng);
        let point = key.public_key().to_encoded_point(false);
        Self {
            der: key.to_pkcs8_der().unwrap().as_bytes().to_vec(),
            x: BASE64URL.encode(point.x().unwrap()),
            y: BASE64URL.encode(point.y().unwrap()),
        }
    }

    /// The public key as a JWK, without `alg`.
    pub fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": self.x, "y": self.y})
    }
}

/// An HS256 key as a JWK.
pub fn hs256_jwk(kid: &str, key: &str) -> Value {
    json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": BASE64URL.encode(key)})
}
