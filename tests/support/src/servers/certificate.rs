//! Certificates, written by hand (RFC 5280): of a server that signs its own, and of an authority
//! that signs those of several servers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use tempfile::TempDir;

const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const PRIME256V1: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];

/// Thirty years, or the first of them.
const LONG: [&str; 2] = ["200101000000Z", "491231235959Z"];
const OVER: [&str; 2] = ["200101000000Z", "201231235959Z"];

/// The tags of a DNS name and of an IP address among a certificate's names.
const DNS: u8 = 0x82;
const IP: u8 = 0x87;

pub struct Certificate {
    pub der: Vec<u8>,
    /// PKCS #8.
    pub key: Vec<u8>,
}

/// What a certificate says.
struct Contents<'a> {
    subject: &'a str,
    issuer: &'a str,
    validity: [&'a str; 2],
    /// Tag and bytes of each name; empty for an authority.
    names: &'a [(u8, &'a [u8])],
}

impl Certificate {
    /// Of a server that signs its own.
    pub fn new(name: &str) -> Self {
        let key = pkcs8();
        let names = [(DNS, name.as_bytes())];
        let contents = Contents { subject: name, issuer: name, validity: LONG, names: &names };
        Self { der: contents.signed(&key, &key), key }
    }
}

impl Contents<'_> {
    fn signed(&self, key: &[u8], issuers_key: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        let sequence = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
        let oid = |bytes: &[u8]| tlv(6, bytes);
        let bits = |bytes: &[u8]| tlv(3, &[&[0], bytes].concat());
        let name = |text: &str| {
            let common = sequence(&[&oid(&COMMON_NAME), &tlv(0x0c, text.as_bytes())]);
            sequence(&[&tlv(0x31, &common)])
        };
        // Positive, and never of the same authority twice.
        let mut serial = [1; 9];
        rng.fill(&mut serial[1..]).unwrap();
        let signature_algorithm = sequence(&[&oid(&ECDSA_WITH_SHA256)]);
        let [begin, end] = self.validity.map(|time| tlv(0x17, time.as_bytes()));
        let key_algorithm = sequence(&[&oid(&EC_PUBLIC_KEY), &oid(&PRIME256V1)]);
        let public = pair(key).public_key().as_ref().to_vec();
        let extension = if self.names.is_empty() {
            let is_authority = sequence(&[&tlv(1, &[0xff])]);
            sequence(&[&oid(&BASIC_CONSTRAINTS), &tlv(1, &[0xff]), &tlv(4, &is_authority)])
        } else {
            let names: Vec<u8> =
                self.names.iter().flat_map(|(tag, bytes)| tlv(*tag, bytes)).collect();
            sequence(&[&oid(&SUBJECT_ALT_NAME), &tlv(4, &tlv(0x30, &names))])
        };
        let signed = sequence(&[
            &tlv(0xa0, &tlv(2, &[2])),
            &tlv(2, &serial),
            &signature_algorithm,
            &name(self.issuer),
            &sequence(&[&begin, &end]),
            &name(self.subject),
            &sequence(&[&key_algorithm, &bits(&public)]),
            &tlv(0xa3, &sequence(&[&extension])),
        ]);
        let signature = pair(issuers_key).sign(&rng, &signed).unwrap();
        sequence(&[&signed, &signature_algorithm, &bits(signature.as_ref())])
    }
}

/// A private authority: programs that trust it accept the certificates that it issues for this
/// machine's loopback address.
pub struct Authority {
    name: String,
    certificate: Certificate,
    dir: TempDir,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = pkcs8();
        let contents = Contents { subject: name, issuer: name, validity: LONG, names: &[] };
        let certificate = Certificate { der: contents.signed(&key, &key), key };
        let authority = Self { name: name.to_owned(), certificate, dir: open_dir() };
        std::fs::write(authority.path(), pem_of("CERTIFICATE", &authority.certificate.der))
            .unwrap();
        authority
    }

    /// For programs that shall trust it, and no other authority.
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        trusting(&self.path())
    }

    /// The file with its certificate.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub fn issue(&self) -> Certificate {
        self.issue_for(LONG)
    }

    /// A certificate that was valid once.
    pub fn issue_expired(&self) -> Certificate {
        self.issue_for(OVER)
    }

    fn issue_for(&self, validity: [&str; 2]) -> Certificate {
        let key = pkcs8();
        let names: [(u8, &[u8]); 2] = [(IP, &[127, 0, 0, 1]), (DNS, b"localhost")];
        let contents =
            Contents { subject: "a test's server", issuer: &self.name, validity, names: &names };
        Certificate { der: contents.signed(&key, &self.certificate.key), key }
    }

    /// A certificate of this authority in files, as servers read it.
    pub fn files(&self) -> TlsFiles {
        let files = TlsFiles { dir: open_dir(), authority: self.path() };
        files.replace(&self.issue());
        files
    }
}

/// For programs that shall trust the authorities in a file, and no others: programs look into the
/// directory as well, which may be set where the test runs.
pub fn trusting(file: &Path) -> [(&'static str, OsString); 2] {
    let dir = file.parent().unwrap();
    [("SSL_CERT_FILE", file.into()), ("SSL_CERT_DIR", dir.into())]
}

/// A server's certificate and key in files. The authority must outlive it.
#[derive(Debug)]
pub struct TlsFiles {
    dir: TempDir,
    /// The authority's certificate.
    pub authority: PathBuf,
}

impl TlsFiles {
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("server.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.dir.path().join("server.key")
    }

    /// Writes another certificate, which a server has to load before it uses it.
    pub fn replace(&self, certificate: &Certificate) {
        std::fs::write(self.certificate(), pem_of("CERTIFICATE", &certificate.der)).unwrap();
        std::fs::write(self.key(), pem_of("PRIVATE KEY", &certificate.key)).unwrap();
    }
}

fn open_dir() -> TempDir {
    // Servers that run as another user read it, too.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    tempfile::Builder::new().permissions(open).tempdir().unwrap()
}

fn pkcs8() -> Vec<u8> {
    let rng = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap().as_ref().to_vec()
}

fn pair(key: &[u8]) -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    EcdsaKeyPair::from_pkcs8(algorithm, key, &SystemRandom::new()).unwrap()
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

fn pem_of(what: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

/// A new P-256 key.
pub fn pem() -> String {
    let rng = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    let body = STANDARD.encode(key);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}
