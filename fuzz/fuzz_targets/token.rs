//! Tokens, none of which is ever accepted, because the fuzzer does not know the key; and JWK sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::auth::{KeyConfig, KeySet};

mod config;

/// Token headers in base64url, so that the parser goes on to the parts after them: HS256, EdDSA,
/// none.
const HEADERS: [&str; 3] = ["eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJFZERTQSJ9", "eyJhbGciOiJub25lIn0"];

fuzz_target!(|text: &str| {
    let keys = &config::get().keys;
    for now_s in [0.0, 1_800_000_000.0] {
        assert!(keys.verify(text, now_s).is_err());
        for header in HEADERS {
            assert!(keys.verify(&format!("{header}.{text}"), now_s).is_err());
        }
    }
    let _ = KeySet::new(&KeyConfig { jwks: text.to_owned(), ..KeyConfig::default() });
});
