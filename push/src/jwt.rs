//! Tokens signed by ring: ES256 for VAPID and APNs, RS256 for Google's OAuth2.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde::Serialize;
use serde_json::Value;

use crate::secret::Secret;

/// Characters of a line in PEM (RFC 7468).
const PEM_LINE_CHARS: usize = 64;

/// What makes an EC private key (RFC 5915) PKCS#8, after the sequence's length: version 0, and the
/// algorithm id-ecPublicKey with the curve prime256v1.
const PKCS8_P256: [u8; 24] = [
    0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

/// Why a key or a signature failed. No text contains any part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("contains no private key in PEM (BEGIN PRIVATE KEY or BEGIN EC PRIVATE KEY)")]
    NoPem,
    #[error("the key is not P-256, or lacks its public key")]
    NotP256,
    #[error("the public key does not belong to the private key, or one of them is invalid")]
    Pair,
    #[error("the key is not RSA of at least 2,048 bits in PKCS#8")]
    NotRsa,
    #[error("no randomness")]
    Sign,
}

/// A P-256 key that signs.
#[derive(Clone)]
pub struct Es256 {
    pair: Arc<EcdsaKeyPair>,
}

impl Es256 {
    /// Reads PKCS#8 (Apple's `.p8`, `openssl genpkey`), SEC 1 (`openssl ecparam -genkey`), or the JSON
    /// of `web-push generate-vapid-keys --json`.
    ///
    /// # Errors
    /// The text holds none of them, or another curve.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rng = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        if text.trim_start().starts_with('{') {
            let json: Value = serde_json::from_str(text).map_err(|_| KeyError::Pair)?;
            let part = |name: &str| {
                let text = json.get(name).and_then(Value::as_str)?;
                URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
            };
            let (Some(private), Some(public)) = (part("privateKey"), part("publicKey")) else {
                return Err(KeyError::Pair);
            };
            let pair =
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &public, &rng);
            return Ok(Self { pair: Arc::new(pair.map_err(|_| KeyError::Pair)?) });
        }
        let der = match (pem(text, "PRIVATE KEY"), pem(text, "EC PRIVATE KEY")) {
            (Some(pkcs8), _) => pkcs8,
            (None, Some(sec1)) => pkcs8(&sec1).ok_or(KeyError::NotP256)?,
            (None, None) => return Err(KeyError::NoPem),
        };
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &der, &rng);
        Ok(Self { pair: Arc::new(pair.map_err(|_| KeyError::NotP256)?) })
    }

    /// A new key as PKCS#8 in PEM, for [`Es256::parse`].
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Secret, KeyError> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
        let body = STANDARD.encode(der.map_err(|_| KeyError::Sign)?);
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        for line in body.as_bytes().chunks(PEM_LINE_CHARS) {
            pem.push_str(std::str::from_utf8(line).unwrap_or_default());
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem))
    }

    /// The public key as browsers take it (`applicationServerKey`): an uncompressed point in
    /// base64url.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    pub(crate) fn sign(
        &self,
        header: &impl Serialize,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        let text = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes());
        Ok(signed(text, signature.map_err(|_| KeyError::Sign)?.as_ref()))
    }
}

/// An RSA key that signs.
pub struct Rs256 {
    pair: RsaKeyPair,
}

impl Rs256 {
    /// # Errors
    /// The text is not a PKCS#8 RSA key in PEM.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let der = pem(text, "PRIVATE KEY").ok_or(KeyError::NoPem)?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::NotRsa)?;
        Ok(Self { pair })
    }

    pub(crate) fn sign(
        &self,
        header: &impl Serialize,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        let text = unsigned(header, claims);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let rng = SystemRandom::new();
        let made = self.pair.sign(&RSA_PKCS1_SHA256, &rng, text.as_bytes(), &mut signature);
        made.map_err(|_| KeyError::Sign)?;
        Ok(signed(text, &signature))
    }
}

fn unsigned(header: &impl Serialize, claims: &impl Serialize) -> String {
    let part = |json: Option<Vec<u8>>| URL_SAFE_NO_PAD.encode(json.unwrap_or_default());
    let header = part(serde_json::to_vec(header).ok());
    format!("{header}.{}", part(serde_json::to_vec(claims).ok()))
}

fn signed(mut text: String, signature: &[u8]) -> String {
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    text
}

/// The bytes of the first PEM block of this label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// An EC private key of SEC 1, wrapped as PKCS#8. `None` if its length cannot be P-256's, which is
/// 121 bytes with and 109 without the curve's name.
fn pkcs8(sec1: &[u8]) -> Option<Vec<u8>> {
    let inner = u8::try_from(sec1.len()).ok().filter(|length| (102..0x80).contains(length))?;
    let mut der = vec![0x30, 0x81, PKCS8_P256.len() as u8 + 2 + inner];
    der.extend_from_slice(&PKCS8_P256);
    der.extend_from_slice(&[0x04, inner]);
    der.extend_from_slice(sec1);
    Some(der)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
pub(crate) mod tests;
