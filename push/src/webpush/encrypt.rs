//! Message encryption for Web Push (RFC 8291) with the content coding aes128gcm (RFC 8188).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use crate::limits::WEBPUSH_TEXT_BYTES_MAX;

const SALT_BYTES: usize = 16;
const AUTH_BYTES: usize = 16;
const POINT_BYTES: usize = 65;
/// One record holds the whole text; the size is the largest body that every service takes.
const RECORD_BYTES: u32 = 4096;
/// Marks the end of the last record's text.
const LAST_RECORD: u8 = 2;

/// Browsers give base64url without padding, some libraries with.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text was not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    #[error("keys.p256dh is not a P-256 point in base64url")]
    P256dh,
    #[error("keys.auth is not 16 bytes in base64url")]
    Auth,
    #[error("the text has more than {WEBPUSH_TEXT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("no randomness")]
    Random,
}

impl EncryptError {
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            EncryptError::P256dh | EncryptError::Auth => "invalid_subscription_keys",
            EncryptError::TooLarge => "payload_too_large",
            EncryptError::Random => "no_randomness",
        }
    }
}

/// A subscription's `keys`.
#[derive(Clone)]
pub struct Keys {
    p256dh: [u8; POINT_BYTES],
    auth: [u8; AUTH_BYTES],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// # Errors
    /// One has the wrong length or form. Whether the point is on the curve shows when it is used.
    pub fn parse(p256dh: &str, auth: &str) -> Result<Self, EncryptError> {
        let bytes = |text: &str| BASE64.decode(text).ok();
        let point = bytes(p256dh).and_then(|bytes| <[u8; POINT_BYTES]>::try_from(bytes).ok());
        let p256dh = point.filter(|point| point.first() == Some(&4)).ok_or(EncryptError::P256dh)?;
        let auth = bytes(auth).and_then(|bytes| bytes.try_into().ok()).ok_or(EncryptError::Auth)?;
        Ok(Self { p256dh, auth })
    }
}

/// The request's body for `text`, with a new key and salt.
///
/// # Errors
/// The subscription's point is not on the curve, or the text is too long.
pub fn encrypt(keys: &Keys, text: &[u8]) -> Result<Vec<u8>, EncryptError> {
    let random = SystemRandom::new();
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &random);
    let private = private.map_err(|_| EncryptError::Random)?;
    let public = private.compute_public_key().map_err(|_| EncryptError::Random)?;
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt).map_err(|_| EncryptError::Random)?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, &keys.p256dh);
    agreement::agree_ephemeral(private, &theirs, |secret| {
        seal(secret, public.as_ref(), keys, &salt, text)
    })
    .map_err(|_| EncryptError::P256dh)?
}

/// Encrypts under a shared secret. `public` is the sender's key for this message.
fn seal(
    secret: &[u8],
    public: &[u8],
    keys: &Keys,
    salt: &[u8; SALT_BYTES],
    text: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    if text.len() > WEBPUSH_TEXT_BYTES_MAX {
        return Err(EncryptError::TooLarge);
    }
    let (key, nonce) = derive(secret, public, keys, salt).ok_or(EncryptError::Random)?;
    let mut record = Vec::with_capacity(text.len() + 1 + AES_128_GCM.tag_len());
    record.extend_from_slice(text);
    record.push(LAST_RECORD);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)
        .map_err(|_| EncryptError::TooLarge)?;
    let mut body = Vec::with_capacity(SALT_BYTES + 5 + POINT_BYTES + record.len());
    body.extend_from_slice(salt);
    body.extend_from_slice(&RECORD_BYTES.to_be_bytes());
    body.push(POINT_BYTES as u8);
    body.extend_from_slice(public);
    body.append(&mut record);
    Ok(body)
}

/// Key and nonce of the only record.
fn derive(secret: &[u8], public: &[u8], keys: &Keys, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
    let mut info = b"WebPush: info\0".to_vec();
    info.extend_from_slice(&keys.p256dh);
    info.extend_from_slice(public);
    let ikm: [u8; 32] = expand(&Salt::new(HKDF_SHA256, &keys.auth).extract(secret), &info)?;
    let prk = Salt::new(HKDF_SHA256, salt).extract(&ikm);
    let key: [u8; 16] = expand(&prk, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; 12] = expand(&prk, b"Content-Encoding: nonce\0")?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
    Some((key, Nonce::assume_unique_for_key(nonce)))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(prk: &Prk, info: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    prk.expand(&[info], Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

#[cfg(test)]
#[path = "encrypt_tests.rs"]
mod tests;
