//! Which keys are accepted, and the errors about the others.

use super::*;

#[test]
fn keys_are_pinned_to_one_algorithm() {
    // The classic confusion: a public RSA key used as an HMAC secret.
    let modulus = BASE64URL.encode([0xc5; 256]);
    let jwks = json!({"keys": [
        {"kty": "RSA", "alg": "RS256", "kid": "r", "n": modulus, "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "e", "x": BASE64URL.encode([9; 32])},
    ]});
    let config = KeyConfig { jwks: jwks.to_string(), ..KeyConfig::default() };
    let keys = KeySet::new(&config).unwrap();
    let header = Header { kid: Some("r".to_owned()), ..Header::new(Algorithm::HS256) };
    let claims = json!({"sub": "alice", "exp": NOW_S + 10.0});
    for secret in [modulus.as_bytes(), &[0xc5; 256]] {
        let forged = encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(keys.verify(&forged, NOW_S).unwrap_err().code(), Code::Unauthorized);
    }
}

/// A number of that many bits as in a JWK; odd, as a modulus is.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] >>= (8 - bits % 8) % 8;
    BASE64URL.encode(bytes)
}

fn error(jwks: serde_json::Value) -> String {
    let config = KeyConfig { jwks: jwks.to_string(), ..KeyConfig::default() };
    KeySet::new(&config).expect_err(&config.jwks).to_string()
}

fn is_taken(key: &serde_json::Value) -> bool {
    let jwks = json!({"keys": [key]}).to_string();
    KeySet::new(&KeyConfig { jwks, ..KeyConfig::default() }).is_ok()
}

/// A JWK with some members set, or removed where the value is null.
fn with(jwk: &serde_json::Value, members: serde_json::Value) -> serde_json::Value {
    let mut jwk = jwk.clone();
    for (name, value) in members.as_object().unwrap() {
        match value.is_null() {
            true => drop(jwk.as_object_mut().unwrap().remove(name)),
            false => jwk[name] = value.clone(),
        }
    }
    jwk
}

#[test]
fn a_key_that_cannot_be_used_is_refused_with_the_reason() {
    let oct = json!({"kty": "oct", "alg": "HS256", "kid": "o", "k": BASE64URL.encode(SECRET)});
    let rsa = json!({"kty": "RSA", "alg": "RS256", "kid": "r", "n": modulus(2048), "e": "AQAB"});
    let okp = json!({
        "kty": "OKP", "alg": "EdDSA", "kid": "e", "crv": "Ed25519", "x": BASE64URL.encode([9; 32]),
    });
    for sound in [&oct, &rsa, &okp] {
        assert!(is_taken(sound), "{sound}");
        assert!(is_taken(&with(sound, json!({"use": "sig", "key_ops": ["verify"]}))), "{sound}");
        assert!(is_taken(&with(sound, json!({"kid": null}))), "{sound}");
    }
    // Leading zeros do not count; 4096 is the maximum, 3 a common exponent.
    assert!(is_taken(&with(&rsa, json!({"n": modulus(4096), "e": "Aw"}))));
    let padded = BASE64URL.encode([&[0][..], &[0xff; 256]].concat());
    assert!(is_taken(&with(&rsa, json!({"n": padded}))));

    let cases = [
        (with(&oct, json!({"alg": null})), "no `alg`"),
        (with(&oct, json!({"kty": null})), "no `kty`"),
        (with(&oct, json!({"alg": "HS512"})), "HS256"),
        (with(&oct, json!({"alg": "RS256"})), "RS256 (RSA)"),
        (with(&oct, json!({"alg": 7})), "`alg` that is not text"),
        (with(&rsa, json!({"alg": "HS256"})), "HS256 (oct)"),
        (with(&rsa, json!({"alg": "PS256"})), "RS256 (RSA)"),
        (with(&rsa, json!({"alg": "RSA-OAEP"})), "RS256 (RSA)"),
        (with(&okp, json!({"kty": "EC"})), "EdDSA (OKP)"),
        (with(&oct, json!({"k": "eA"})), "shorter than 32 bytes"),
        (with(&oct, json!({"k": BASE64URL.encode([7; 31])})), "shorter than 32 bytes"),
        (with(&oct, json!({"k": null})), "no `k`"),
        (with(&oct, json!({"k": "+/=="})), "`k` that is not base64url"),
        (with(&rsa, json!({"n": modulus(1024)})), "1024 bits, at least 2048"),
        (with(&rsa, json!({"n": modulus(2047)})), "2047 bits"),
        (with(&rsa, json!({"n": BASE64URL.encode([[0; 128], [0xff; 128]].concat())})), "1024 bits"),
        (with(&rsa, json!({"n": modulus(4097)})), "at most 4096"),
        (with(&rsa, json!({"n": BASE64URL.encode([0xfe; 256])})), "is not a valid RSA key"),
        (with(&rsa, json!({"n": ""})), "0 bits"),
        (with(&rsa, json!({"n": null})), "no `n`"),
        (with(&rsa, json!({"e": null})), "no `e`"),
        (with(&rsa, json!({"e": "AQ"})), "is not a valid RSA key"),
        (with(&rsa, json!({"e": "AQAA"})), "is not a valid RSA key"),
        (with(&rsa, json!({"e": BASE64URL.encode([1, 0, 0, 0, 0, 1])})), "is not a valid RSA key"),
        (with(&okp, json!({"crv": "P-256"})), "`crv`"),
        (with(&okp, json!({"crv": "X25519"})), "`crv`"),
        (with(&okp, json!({"crv": null})), "`crv`"),
        (with(&okp, json!({"x": BASE64URL.encode([9; 31])})), "must have 32 bytes"),
        (with(&okp, json!({"x": BASE64URL.encode([9; 33])})), "must have 32 bytes"),
        (with(&okp, json!({"x": BASE64URL.encode([2; 32])})), "not a point"),
        (with(&okp, json!({"x": null})), "no `x`"),
        (with(&rsa, json!({"use": "enc"})), "`use` is not sig"),
        (with(&oct, json!({"use": 1})), "`use` is not sig"),
        (with(&rsa, json!({"key_ops": ["encrypt"]})), "`key_ops` do not include verify"),
        (with(&oct, json!({"key_ops": ["sign"]})), "`key_ops` do not include verify"),
        (with(&okp, json!({"key_ops": []})), "`key_ops` do not include verify"),
        (with(&okp, json!({"key_ops": "verify"})), "`key_ops` do not include verify"),
        (with(&oct, json!({"kid": ""})), "empty `kid`"),
        (with(&oct, json!({"kid": 1})), "`kid` that is not text"),
        (json!("key"), "not a JSON object"),
    ];
    for (key, problem) in cases {
        let text = error(json!({"keys": [oct, key]}));
        assert!(text.starts_with("key 1 of the JWK set ") && text.contains(problem), "{text}");
        let secret = key["k"].as_str().or(key["n"].as_str()).filter(|value| value.len() > 4);
        assert!(secret.is_none_or(|value| !text.contains(value)), "{text}");
    }
}

#[test]
fn a_kid_names_one_key() {
    let key = json!({"kty": "oct", "alg": "HS256", "kid": "a", "k": BASE64URL.encode(SECRET)});
    assert!(error(json!({"keys": [key, key]})).contains("twice"));
    // The second one would never be used.
    let nameless = with(&key, json!({"kid": null}));
    assert!(error(json!({"keys": [nameless, nameless]})).contains("no `kid`"));
    let config = KeyConfig {
        hs256_key: SECRET.to_owned(),
        jwks: json!({"keys": [nameless]}).to_string(),
        ..KeyConfig::default()
    };
    assert!(KeySet::new(&config).unwrap_err().to_string().contains("no `kid`"));
    let config = KeyConfig { jwks: json!({"keys": [key]}).to_string(), ..config };
    assert!(KeySet::new(&config).is_ok());
}

#[test]
fn an_invalid_set_is_rejected_without_quoting_it() {
    // A misplaced text may be the secret.
    let texts = [
        (format!("\"{SECRET}\""), "not a JSON object"),
        (SECRET.to_owned(), "not JSON: line 1"),
        (format!("{{\"keys\":[\"{SECRET}\"]}}"), "not a JSON object"),
        (format!("{{\"keys\":\"{SECRET}\"}}"), "not an array"),
        (format!("{{\"keys\":[{{\"kty\":\"{SECRET}\",\"alg\":\"{SECRET}\"}}]}}"), "HS256"),
        (format!("{{\"kty\":\"oct\",\"k\":\"{SECRET}\"}}"), "single key"),
        ("{\"keys\":[]}".to_owned(), "holds no key"),
        ("{}".to_owned(), "no `keys`"),
        ("{".to_owned(), "not JSON"),
    ];
    for (jwks, problem) in texts {
        let text =
            KeySet::new(&KeyConfig { jwks, ..KeyConfig::default() }).unwrap_err().to_string();
        assert!(text.contains(problem) && !text.contains(SECRET), "{text}");
    }
    let short = KeyConfig { hs256_key: "short".to_owned(), ..KeyConfig::default() };
    let text = KeySet::new(&short).unwrap_err().to_string();
    assert_eq!(text, "the HS256 key is shorter than 32 bytes");
}
