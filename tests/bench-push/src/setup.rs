//! What the server, our sender and the peers share: a certificate, credentials, the message and the
//! addresses, in a directory with one description.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::push_service::{Certificate, RSA};
use tempfile::TempDir;

pub const PROJECT: &str = "p";
/// Tokens and endpoints take turns; each contains its number.
pub const ADDRESSES: usize = 100_000;
/// Length of FCM's tokens today, and about that of an endpoint's path.
pub const TOKEN_CHARS: usize = 163;
/// Browsers, each with its own key.
const SUBSCRIPTIONS: usize = 100;
/// Place of the private key in ring's PKCS#8 of P-256.
const PRIVATE_KEY: std::ops::Range<usize> = 36..68;

/// The description, which the peers read, too.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    pub origin: String,
    /// PEM.
    pub certificate: PathBuf,
    pub certificate_der: PathBuf,
    pub certificate_key: PathBuf,
    pub service_account: PathBuf,
    pub vapid_key: PathBuf,
    pub vapid: VapidKey,
    pub subscriptions: Vec<Subscription>,
    pub addresses: usize,
    pub token_chars: usize,
    pub message: Content,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VapidKey {
    pub subject: String,
    pub public_key: String,
    pub private_key: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Subscription {
    pub keys: SubscriptionKeys,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SubscriptionKeys {
    pub p256dh: String,
    pub auth: String,
}

/// A usual notification.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    pub title: String,
    pub body: String,
    pub kind: String,
    /// JSON.
    pub data: String,
    pub ttl_seconds: u64,
}

impl Setup {
    /// Reads a description.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| file.display().to_string())
    }

    /// Makes keys and files for a server on `port`; returns the description and its file.
    pub fn make(dir: &TempDir, port: u16) -> Result<(Self, PathBuf)> {
        let origin = format!("https://localhost:{port}");
        let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            Ok(path)
        };
        let certificate = Certificate::new("localhost");
        let body = STANDARD.encode(&certificate.der);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let account = json!({
            "type": "service_account", "project_id": PROJECT, "private_key_id": "kid",
            "client_email": "push@p.iam.gserviceaccount.com",
            "private_key": RSA, "token_uri": format!("{origin}/token"),
        });
        let (public_key, private_key) = p256()?;
        let vapid = json!({"publicKey": public_key, "privateKey": private_key});
        let subject = "mailto:ops@example.com".to_owned();
        let setup = Self {
            origin,
            certificate: write("certificate.pem", pem.as_bytes())?,
            certificate_der: write("certificate.der", &certificate.der)?,
            certificate_key: write("certificate.key", &certificate.key)?,
            service_account: write("service-account.json", account.to_string().as_bytes())?,
            vapid_key: write("vapid.json", vapid.to_string().as_bytes())?,
            vapid: VapidKey { subject, public_key, private_key },
            subscriptions: (0..SUBSCRIPTIONS).map(|_| subscription()).collect::<Result<_>>()?,
            addresses: ADDRESSES,
            token_chars: TOKEN_CHARS,
            message: Content {
                title: "Invoice paid".to_owned(),
                body: "Your invoice 2026-1183 of 49.90 euros was paid.".to_owned(),
                kind: "invoice.paid".to_owned(),
                data: r#"{"invoice":"2026-1183","cents":4990}"#.to_owned(),
                ttl_seconds: 86_400,
            },
        };
        let file = write("setup.json", &serde_json::to_vec(&setup)?)?;
        Ok((setup, file))
    }

    /// The address of a number, as the server reads it back.
    pub fn token(&self, number: usize) -> String {
        token(number, self.token_chars)
    }

    pub fn endpoint(&self, number: usize) -> String {
        format!("{}/push/{number}/{}", self.origin, "x".repeat(self.token_chars))
    }
}

fn token(number: usize, chars: usize) -> String {
    let mut token = format!("{number}:");
    token.extend(std::iter::repeat_n('x', chars.saturating_sub(token.len())));
    token
}

fn subscription() -> Result<Subscription> {
    let (p256dh, _) = p256()?;
    let auth = URL_SAFE_NO_PAD.encode([7; 16]);
    Ok(Subscription { keys: SubscriptionKeys { p256dh, auth } })
}

/// A new key: public point and private number, in base64url.
fn p256() -> Result<(String, String)> {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let failed = |_| anyhow::anyhow!("no P-256 key");
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random);
    let pair = pair.map_err(|error| anyhow::anyhow!("{error}"))?;
    let private = pkcs8.as_ref().get(PRIVATE_KEY).context("a PKCS#8 key")?;
    Ok((URL_SAFE_NO_PAD.encode(pair.public_key()), URL_SAFE_NO_PAD.encode(private)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_key_and_the_peers_are_one() {
        let (public, private) = p256().unwrap();
        let json = json!({"publicKey": public, "privateKey": private}).to_string();
        assert_eq!(push::Es256::parse(&json).unwrap().public(), public);
        assert_eq!(token(7, 10), "7:xxxxxxxx");
    }
}
