use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::json;

use super::*;

/// Made by `openssl ecparam -name prime256v1 -genkey`, for tests only.
const SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEINFDaWYhSbAIYzFBfrSHkzE5PAr/ev/aentitt8SSBA5oAoGCCqGSM49
AwEHoUQDQgAEPczRXMrXc9VoMWI4+diCfsCicSNjqpeme/JAAkK8SYKS2WGqS7x3
C20jIsv32LWhvPlNrgqAdnIHJJ8kGAU+xw==
-----END EC PRIVATE KEY-----
";

pub(crate) fn pkcs8_pem() -> String {
    let rng = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

fn is_signed_by(token: &str, public: &str) -> bool {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, B64.decode(public).unwrap());
    public.verify(text.as_bytes(), &B64.decode(signature).unwrap()).is_ok()
}

#[test]
fn keys_of_openssl_apple_and_web_push_sign() {
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    for pem in [pkcs8_pem(), SEC1.to_owned(), format!("{parameters}{SEC1}")] {
        let key = Es256::parse(&pem).unwrap();
        let token = key.sign(&json!({"alg": "ES256"}), &json!({"sub": "a"})).unwrap();
        assert!(is_signed_by(&token, &key.public()));
        assert!(!is_signed_by(&token.replacen("ey", "eY", 1), &key.public()));
        assert!(!is_signed_by(&token, &Es256::parse(&pkcs8_pem()).unwrap().public()));
    }
    // The private number of `SEC1`, at its place in the structure.
    let der = pem(SEC1, "EC PRIVATE KEY").unwrap();
    let public = Es256::parse(SEC1).unwrap().public();
    let json = json!({"publicKey": public, "privateKey": B64.encode(&der[7..39])}).to_string();
    let key = Es256::parse(&json).unwrap();
    assert!(is_signed_by(&key.sign(&json!({}), &json!({})).unwrap(), &public));
}

#[test]
fn what_is_no_key_is_refused_without_quoting_it() {
    let other = Es256::parse(&pkcs8_pem()).unwrap().public();
    let der = pem(SEC1, "EC PRIVATE KEY").unwrap();
    let pair = json!({"publicKey": other, "privateKey": B64.encode(&der[7..39])}).to_string();
    for (text, error) in [
        ("", KeyError::NoPem),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", KeyError::NoPem),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::NotP256),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", KeyError::NotP256),
        (RSA, KeyError::NotP256),
        ("{}", KeyError::Pair),
        ("{", KeyError::Pair),
        (&pair, KeyError::Pair),
    ] {
        assert_eq!(Es256::parse(text).err(), Some(error), "{text}");
    }
    assert_eq!(Rs256::parse(&pkcs8_pem()).err(), Some(KeyError::NotRsa));
    assert_eq!(Rs256::parse(SEC1).err(), Some(KeyError::NoPem));
}

#[test]
fn rs256_signs_as_rsa_verifies() {
    let key = Rs256::parse(RSA).unwrap();
    let token = key.sign(&json!({"alg": "RS256"}), &json!({"iss": "a"})).unwrap();
    let (text, signature) = token.rsplit_once('.').unwrap();
    let public: RsaPublicKeyComponents<Vec<u8>> = key.pair.public().into();
    let signature = B64.decode(signature).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature).unwrap();
}

/// Made by `openssl genpkey -algorithm RSA`, for tests only.
pub(crate) const RSA: &str = include_str!("../../tests/support/keys/rsa.pem");
