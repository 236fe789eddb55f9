//! Parses the configured keys. Error texts name a key's place and its problem, never its value: an
//! invalid text may be the secret itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use crate::limits::{HS256_KEY_BYTES_MIN, RSA_KEY_BITS_MAX, RSA_KEY_BITS_MIN};

/// The configured keys are unusable; the text names the key and the problem, never a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

impl KeyError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

/// The key settings: variables of the functions, configuration of the hub.
#[derive(Clone, Debug, Default)]
pub struct KeyConfig {
    /// One HS256 secret, used as the text's bytes; empty: none.
    pub hs256_key: String,
    /// A JWK set (RFC 7517) as JSON text; empty: none. Every key needs `alg`.
    pub jwks: String,
    /// Required `iss`; empty: any.
    pub issuer: String,
    /// Required `aud`; empty: any.
    pub audience: String,
    /// Address of an identity provider's JWK set; empty: none, or the discovery document of `issuer`
    /// names it if there is no other key.
    pub jwks_url: String,
    /// The claim with the user's id; empty: `sub`.
    pub user_claim: String,
    /// The claims with scopes, separated by spaces; empty: `scope`.
    pub scope_claim: String,
}

/// A key, pinned to one algorithm.
pub struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {})", self.kid, name_of(self.algorithm))
    }
}

/// Length of a public key (RFC 8032 §5.1.5).
const ED25519_KEY_BYTES: usize = 32;
/// Length of a coordinate of P-256 (RFC 7518 §6.2.1.2).
const P256_COORDINATE_BYTES: usize = 32;

/// The algorithm's name in `alg`.
pub(super) fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::RS256 => "RS256",
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        _ => "another algorithm",
    }
}

/// # Errors
/// A key is unusable.
pub(super) fn read(config: &KeyConfig) -> Result<Vec<Key>, KeyError> {
    let mut keys: Vec<Key> = Vec::new();
    if !config.hs256_key.is_empty() {
        let decoding = secret(config.hs256_key.as_bytes())
            .map_err(|problem| KeyError(format!("the HS256 key {problem}")))?;
        keys.push(Key { kid: None, algorithm: Algorithm::HS256, decoding });
    }
    if config.jwks.trim().is_empty() {
        return Ok(keys);
    }
    for (at, jwk) in jwks(&config.jwks)?.iter().enumerate() {
        let problem = |text: String| KeyError(format!("key {at} of the JWK set {text}"));
        let key = key(jwk).map_err(problem)?;
        if keys.iter().any(|known| known.kid == key.kid) {
            return Err(problem(match key.kid {
                Some(_) => "has a `kid` that occurs twice".to_owned(),
                None => "has no `kid`, and neither has another key".to_owned(),
            }));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The members of a JWK set, unchecked.
pub(super) fn jwks(text: &str) -> Result<Vec<Value>, KeyError> {
    let problem = |text: &str| KeyError(format!("the JWK set {text}"));
    // A parser's error quotes its input.
    let set: Value = serde_json::from_str(text).map_err(|error| {
        problem(&format!("is not JSON: line {}, column {}", error.line(), error.column()))
    })?;
    let Value::Object(mut set) = set else {
        return Err(problem("is not a JSON object"));
    };
    match set.remove("keys") {
        Some(Value::Array(keys)) if !keys.is_empty() => Ok(keys),
        Some(Value::Array(_)) => Err(problem("holds no key")),
        Some(_) => Err(problem("has `keys` that are not an array")),
        None if set.contains_key("kty") => {
            Err(problem("is a single key: it must be in {\"keys\":[…]}"))
        }
        None => Err(problem("has no `keys`")),
    }
}

fn key(jwk: &Value) -> Result<Key, String> {
    let jwk = object(jwk)?;
    let kid = kid(jwk)?;
    check_use(jwk)?;
    let Some(alg) = text(jwk, "alg")? else {
        return Err("has no `alg`: every key is pinned to one".to_owned());
    };
    let (algorithm, decoding) = match (text(jwk, "kty")?, alg) {
        (None, _) => return Err("has no `kty`".to_owned()),
        (Some("oct"), "HS256") => (Algorithm::HS256, secret(&bytes(jwk, "k")?)?),
        (Some(kty), alg) => public(jwk, kty, alg)?.ok_or_else(|| {
            "is not HS256 (oct), RS256 (RSA), ES256 (EC) or EdDSA (OKP)".to_owned()
        })?,
    };
    Ok(Key { kid, algorithm, decoding })
}

/// A key of an identity provider, whose set is public: a secret in it would prove nothing. Some
/// providers leave `alg` out.
pub(super) fn key_of_provider(jwk: &Value) -> Result<Key, String> {
    let jwk = object(jwk)?;
    let kid = kid(jwk)?;
    check_use(jwk)?;
    let kty = text(jwk, "kty")?.ok_or("has no `kty`")?;
    let alg = text(jwk, "alg")?.unwrap_or(match kty {
        "RSA" => "RS256",
        "EC" => "ES256",
        _ => "EdDSA",
    });
    let (algorithm, decoding) = public(jwk, kty, alg)?
        .ok_or_else(|| "is not RS256 (RSA), ES256 (EC) or EdDSA (OKP)".to_owned())?;
    Ok(Key { kid, algorithm, decoding })
}

/// A public key; `None` if the algorithm is another.
fn public(
    jwk: &Map<String, Value>,
    kty: &str,
    alg: &str,
) -> Result<Option<(Algorithm, DecodingKey)>, String> {
    Ok(Some(match (kty, alg) {
        ("RSA", "RS256") => (Algorithm::RS256, rsa(jwk)?),
        ("EC", "ES256") => (Algorithm::ES256, p256(jwk)?),
        ("OKP", "EdDSA") => (Algorithm::EdDSA, ed25519(jwk)?),
        _ => return Ok(None),
    }))
}

fn object(jwk: &Value) -> Result<&Map<String, Value>, String> {
    jwk.as_object().ok_or_else(|| "is not a JSON object".to_owned())
}

fn kid(jwk: &Map<String, Value>) -> Result<Option<String>, String> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if !kid.is_empty() => Ok(Some(kid.clone())),
        Some(Value::String(_)) => Err("has an empty `kid`".to_owned()),
        Some(_) => Err("has a `kid` that is not text".to_owned()),
    }
}

/// Rejects a key that is not meant for verification (RFC 7517 §4.2, §4.3).
fn check_use(jwk: &Map<String, Value>) -> Result<(), String> {
    if jwk.get("use").is_some_and(|usage| usage != "sig") {
        return Err("is not for signatures: its `use` is not sig".to_owned());
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(all)) if all.iter().any(|one| one == "verify") => Ok(()),
        Some(_) => Err("is not for verifying: its `key_ops` do not include verify".to_owned()),
    }
}

fn secret(secret: &[u8]) -> Result<DecodingKey, String> {
    match secret.len() < HS256_KEY_BYTES_MIN {
        true => Err(format!("is shorter than {HS256_KEY_BYTES_MIN} bytes")),
        false => Ok(DecodingKey::from_secret(secret)),
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<DecodingKey, String> {
    let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let bits = bits(&modulus);
    if bits < RSA_KEY_BITS_MIN {
        return Err(format!("has {bits} bits, at least {RSA_KEY_BITS_MIN} are required"));
    }
    if bits > RSA_KEY_BITS_MAX {
        return Err(format!("has {bits} bits, at most {RSA_KEY_BITS_MAX} are supported"));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    // A product of large primes is odd. An even exponent has no inverse, and with 1 a signature
    // proves nothing; the library supports exponents of up to 33 bits.
    if !is_odd(&modulus) || !is_odd(&exponent) || !(2..=33).contains(&self::bits(&exponent)) {
        return Err("is not a valid RSA key: `n` or `e` is out of range".to_owned());
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

/// The length in bits of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = number.get(zeros) else { return 0 };
    (number.len() - zeros) * 8 - first.leading_zeros() as usize
}

fn ed25519(jwk: &Map<String, Value>) -> Result<DecodingKey, String> {
    if text(jwk, "crv")? != Some("Ed25519") {
        return Err("has another `crv` than Ed25519".to_owned());
    }
    // The library assumes 32 bytes, and panics otherwise.
    if bytes(jwk, "x")?.len() != ED25519_KEY_BYTES {
        return Err(format!("is not an Ed25519 key: `x` must have {ED25519_KEY_BYTES} bytes"));
    }
    let x = text(jwk, "x")?.unwrap_or_default();
    let decoding = DecodingKey::from_ed_components(x).map_err(|_| unreadable("x"))?;
    on_curve(decoding, Algorithm::EdDSA)
        .ok_or_else(|| "is not an Ed25519 key: `x` is not a point of the curve".to_owned())
}

fn p256(jwk: &Map<String, Value>) -> Result<DecodingKey, String> {
    if text(jwk, "crv")? != Some("P-256") {
        return Err("has another `crv` than P-256".to_owned());
    }
    for name in ["x", "y"] {
        if bytes(jwk, name)?.len() != P256_COORDINATE_BYTES {
            let bytes = P256_COORDINATE_BYTES;
            return Err(format!("is not a P-256 key: `{name}` must have {bytes} bytes"));
        }
    }
    let coordinate = |name| Ok::<_, String>(text(jwk, name)?.unwrap_or_default());
    let decoding = DecodingKey::from_ec_components(coordinate("x")?, coordinate("y")?);
    let decoding = decoding.map_err(|_| unreadable("x"))?;
    on_curve(decoding, Algorithm::ES256)
        .ok_or_else(|| "is not a P-256 key: `x` and `y` are no point of the curve".to_owned())
}

/// The key, unless its bytes are no point of the curve, which is only detected in use: a valid key
/// reports a wrong signature as such.
fn on_curve(decoding: DecodingKey, algorithm: Algorithm) -> Option<DecodingKey> {
    let nothing = BASE64URL.encode([0; 64]);
    crypto::verify(&nothing, b"", &decoding, algorithm).ok().map(|_| decoding)
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a `{name}` that is not text")),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = text(jwk, name)?.ok_or_else(|| format!("has no `{name}`"))?;
    BASE64URL.decode(text).map_err(|_| unreadable(name))
}

fn unreadable(name: &str) -> String {
    format!("has a `{name}` that is not base64url")
}
