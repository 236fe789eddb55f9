//! A self-signed certificate, written by hand (RFC 5280): a name, a key, thirty years.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};

const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const PRIME256V1: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];

pub struct Certificate {
    pub der: Vec<u8>,
    pub key: Vec<u8>,
}

impl Certificate {
    pub fn new(name: &str) -> Self {
        let rng = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key, &rng).unwrap();

        let sequence = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
        let oid = |bytes: &[u8]| tlv(6, bytes);
        let bits = |bytes: &[u8]| tlv(3, &[&[0], bytes].concat());
        let signature_algorithm = sequence(&[&oid(&ECDSA_WITH_SHA256)]);
        let common = sequence(&[&oid(&COMMON_NAME), &tlv(0x0c, name.as_bytes())]);
        let names = sequence(&[&tlv(0x31, &common)]);
        let validity = sequence(&[&tlv(0x17, b"200101000000Z"), &tlv(0x17, b"491231235959Z")]);
        let key_algorithm = sequence(&[&oid(&EC_PUBLIC_KEY), &oid(&PRIME256V1)]);
        let public = sequence(&[&key_algorithm, &bits(pair.public_key().as_ref())]);
        let alternative = sequence(&[&tlv(0x82, name.as_bytes())]);
        let extension = sequence(&[&oid(&SUBJECT_ALT_NAME), &tlv(4, &alternative)]);
        let signed = sequence(&[
            &tlv(0xa0, &tlv(2, &[2])),
            &tlv(2, &[1]),
            &signature_algorithm,
            &names,
            &validity,
            &names,
            &public,
            &tlv(0xa3, &sequence(&[&extension])),
        ]);
        let signature = pair.sign(&rng, &signed).unwrap();
        let der = sequence(&[&signed, &signature_algorithm, &bits(signature.as_ref())]);
        Self { der, key }
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// A new P-256 key.
pub fn pem() -> String {
    let rng = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    let body = STANDARD.encode(key);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}
