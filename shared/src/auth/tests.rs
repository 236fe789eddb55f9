mod keys;
mod provider;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW_S: f64 = 1_800_000_000.0;

fn keys() -> KeySet {
    KeySet::new(&KeyConfig { hs256_key: SECRET.to_owned(), ..KeyConfig::default() }).unwrap()
}

fn token(claims: &serde_json::Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[test]
fn accepts_a_good_token_and_reads_its_scopes() {
    let token =
        token(&json!({"sub": "alice", "exp": NOW_S + 10.0, "scope": "feed:read ops:write"}));
    let claims = keys().verify(&token, NOW_S).unwrap();
    assert!(claims.is_subject("alice"));
    assert!(claims.has(Scope::FeedRead) && claims.has(Scope::OpsWrite));
    assert!(!claims.has(Scope::OpsRead));
}

#[test]
fn expiry_has_sixty_seconds_of_leeway() {
    let token = token(&json!({"sub": "alice", "exp": NOW_S}));
    assert!(keys().verify(&token, NOW_S + 59.0).is_ok());
    assert_eq!(keys().verify(&token, NOW_S + 60.0).unwrap_err().code(), Code::TokenExpired);
}

#[test]
fn rejects_invalid_tokens() {
    let good = json!({"sub": "alice", "exp": NOW_S + 10.0});
    let wrong_key = encode(&Header::default(), &good, &EncodingKey::from_secret(&[7; 32])).unwrap();
    let none = format!(
        "{}.{}.",
        BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#),
        BASE64URL.encode(good.to_string())
    );
    let header = Header { kid: Some("other".to_owned()), ..Header::default() };
    let unknown_kid = encode(&header, &good, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    let hs384 =
        encode(&Header::new(Algorithm::HS384), &good, &EncodingKey::from_secret(SECRET.as_bytes()))
            .unwrap();
    let critical = |crit: &[&str]| {
        let crit = Some(crit.iter().map(|name| (*name).to_owned()).collect());
        let header = Header { crit, ..Header::default() };
        encode(&header, &good, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
    };
    let cases = [
        ("critical header", critical(&["b64"])),
        ("critical headers, none named", critical(&[])),
        ("wrong key", wrong_key),
        ("none", none),
        ("hs384", hs384),
        ("no exp", token(&json!({"sub": "alice"}))),
        ("no sub", token(&json!({"exp": NOW_S + 10.0}))),
        ("empty sub", token(&json!({"sub": "", "exp": NOW_S + 10.0}))),
        ("number as sub", token(&json!({"sub": 7, "exp": NOW_S + 10.0}))),
        ("not yet", token(&json!({"sub": "alice", "exp": NOW_S + 900.0, "nbf": NOW_S + 61.0}))),
        ("garbage", "a.b.c".to_owned()),
        ("empty", String::new()),
        ("long", "x".repeat(TOKEN_BYTES_MAX + 1)),
    ];
    for (name, token) in cases {
        let error = keys().verify(&token, NOW_S).expect_err(name);
        assert_eq!(error.code(), Code::Unauthorized, "{name}");
    }
    // A `kid` that matches no key is rejected even if there is only one key.
    assert_eq!(keys().verify(&unknown_kid, NOW_S).unwrap_err().code(), Code::Unauthorized);
}

#[test]
fn issuer_and_audience_are_required_where_configured() {
    let config = KeyConfig {
        hs256_key: SECRET.to_owned(),
        issuer: "https://issuer".to_owned(),
        audience: "bellwire".to_owned(),
        ..KeyConfig::default()
    };
    let keys = KeySet::new(&config).unwrap();
    let claims = |iss: &str, aud: &str| {
        token(&json!({"sub": "a", "exp": NOW_S + 10.0, "iss": iss, "aud": aud}))
    };
    assert!(keys.verify(&claims("https://issuer", "bellwire"), NOW_S).is_ok());
    assert!(keys.verify(&claims("https://other", "bellwire"), NOW_S).is_err());
    assert!(keys.verify(&claims("https://issuer", "other"), NOW_S).is_err());
    assert!(keys.verify(&token(&json!({"sub": "a", "exp": NOW_S + 10.0})), NOW_S).is_err());
}

#[test]
fn without_keys_nothing_is_accepted() {
    let keys = KeySet::new(&KeyConfig::default()).unwrap();
    assert!(keys.is_empty());
    let token = token(&json!({"sub": "alice", "exp": NOW_S + 10.0}));
    assert_eq!(keys.verify(&token, NOW_S).unwrap_err().code(), Code::AuthNotConfigured);
}

proptest! {
    #[test]
    fn never_panics_and_never_accepts_noise(text in "[A-Za-z0-9_.\\-]{0,300}") {
        prop_assert!(keys().verify(&text, NOW_S).is_err());
    }

    #[test]
    fn a_changed_token_is_refused(at in 0usize..200, with in "[A-Za-z0-9_]") {
        let good = token(&json!({"sub": "alice", "exp": NOW_S + 10.0, "scope": "feed:read"}));
        let at = at % good.len();
        let mut changed = good.clone();
        changed.replace_range(at..=at, &with);
        // The last character of a base64 part may have unused bits; a decoder must reject those.
        if changed != good {
            prop_assert!(keys().verify(&changed, NOW_S).is_err());
        }
    }

    /// Signed with the right key, so that its claims are checked.
    #[test]
    fn of_any_claims_only_sound_ones_are_accepted(
        sub in any_claim(), exp in any_claim(), nbf in any_claim(), scope in any_claim(),
    ) {
        let mut claims = serde_json::Map::new();
        for (name, value) in [("sub", &sub), ("exp", &exp), ("nbf", &nbf), ("scope", &scope)] {
            claims.extend(value.clone().map(|value| (name.to_owned(), value)));
        }
        if let Ok(claims) = keys().verify(&token(&claims.into()), NOW_S) {
            prop_assert_eq!(Some(json!(claims.sub)), sub);
            prop_assert!(exp.unwrap().as_f64().unwrap() > NOW_S - 60.0);
            prop_assert!(nbf.is_none_or(|nbf| nbf.as_f64().is_none_or(|nbf| nbf <= NOW_S + 60.0)));
        }
    }

    /// Three parts of base64url, as in tokens, with wrong signatures.
    #[test]
    fn random_tokens_are_rejected(
        header in concat!(
            "\\{(\"(alg|kid|crit|b64|typ)\":",
            "(\"(HS256|none|EdDSA|a)\"|[0-9]|\\[\"b64\"\\]|null),?){0,3}\\}",
        ),
        claims in "[{]\"sub\":\"a\",\"exp\":[0-9]{1,20}[}]",
        signature in prop::collection::vec(any::<u8>(), 0..65),
    ) {
        let encode = |bytes: &[u8]| BASE64URL.encode(bytes);
        let (header, claims) = (encode(header.as_bytes()), encode(claims.as_bytes()));
        let text = format!("{header}.{claims}.{}", encode(&signature));
        prop_assert!(keys().verify(&text, NOW_S).is_err());
    }
}

/// A claim that is missing or of any type; valid ones are frequent.
fn any_claim() -> impl Strategy<Value = Option<serde_json::Value>> {
    prop_oneof![
        Just(None),
        Just(Some(json!(null))),
        any::<bool>().prop_map(|value| Some(json!(value))),
        any::<f64>().prop_map(|value| Some(json!(value))),
        any::<i64>().prop_map(|value| Some(json!(value))),
        (-200.0..200.0).prop_map(|seconds| Some(json!(NOW_S + seconds))),
        "[a-z:]{0,8}".prop_map(|value| Some(json!(value))),
        Just(Some(json!(["a"]))),
    ]
}
