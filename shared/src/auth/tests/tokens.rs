//! The errors about rejected tokens name the failed check.

use super::*;

/// A token with this header and payload, signed with the right key.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const PAYLOAD: &str = r#"{"sub":"alice","exp":1900000000}"#;

fn refused(keys: &KeySet, token: &str) -> String {
    let error = keys.verify(token, NOW_S).expect_err(token);
    assert_eq!(error.code(), Code::Unauthorized, "{error}");
    assert!(!error.detail().contains(SECRET), "{error}");
    error.detail().to_owned()
}

#[test]
fn the_form_is_checked_part_by_part() {
    assert!(keys().verify(&signed(HEADER, PAYLOAD), NOW_S).is_ok());
    let good = signed(HEADER, PAYLOAD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let header = |header: &str| signed(header, PAYLOAD);
    let cases = [
        (String::new(), "the token is empty"),
        ("x".repeat(TOKEN_BYTES_MAX + 1), "longer than 8192 bytes"),
        ("a".to_owned(), "one part, not three"),
        (message.to_owned(), "two parts, not three"),
        (format!("{good}.x"), "four parts, not three"),
        (format!("{good}.x.x"), "(JWE)"),
        (format!("{good}.x.x.x.x"), "more than three parts"),
        (format!("!{good}"), "header is not base64url"),
        (header("x"), "header is not a JSON object"),
        (header(r#"["HS256"]"#), "header is not a JSON object"),
        (header(r#"{"alg":"HS256","alg":"HS256"}"#), "unique names"),
        (header("{}"), "`alg` is missing"),
        (header(r#"{"alg":7}"#), "`alg` is not text but a number"),
        (header(r#"{"alg":"none"}"#), "`alg` is none"),
        (header(r#"{"alg":"NONE"}"#), "`alg` is none"),
        (header(r#"{"alg":"RS256"}"#), r#"`alg` is "RS256", but the key is for HS256"#),
        (header(r#"{"alg":"hs256"}"#), "but the key is for HS256"),
        (header(r#"{"alg":"HS256","kid":"k\"1"}"#), r#"no key with kid "k\"1""#),
        (header(r#"{"alg":"HS256","kid":""}"#), r#"no key with kid """#),
        (header(r#"{"alg":"HS256","kid":null}"#), "`kid` is not text but null"),
        (header(r#"{"alg":"HS256","kid":["a"]}"#), "`kid` is not text but an array"),
        (header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#), "`crit`"),
        (header(r#"{"alg":"HS256","crit":[]}"#), "`crit`"),
        (header(r#"{"alg":"HS256","crit":null}"#), "`crit`"),
        (format!("{message}."), "the token has no signature"),
        (format!("{message}.!"), "signature is not base64url"),
        (format!("{message}.{}", &signature[1..]), "signature"),
        (signed(HEADER, "alice").replacen('.', ".x", 1), "the signature does not match the key"),
        (signed(HEADER, "alice"), "claims part is not a JSON object"),
        (signed(HEADER, r#"["alice",1900000000]"#), "not a JSON object"),
        (signed(HEADER, r#"{"sub":"a","sub":"b","exp":1900000000}"#), "unique names"),
        (signed(HEADER, r#"{"sub":"a","exp":1e400}"#), "not a JSON object"),
    ];
    for (token, problem) in cases {
        let detail = refused(&keys(), &token);
        assert!(detail.contains(problem), "{token}: {detail}, not {problem}");
    }
    // A key inside the token itself is ignored.
    let own = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"eA"},"jku":"http://127.0.0.1:1/"}"#;
    assert!(keys().verify(&header(own), NOW_S).is_ok());
    let long = header(&format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(1000)));
    assert!(refused(&keys(), &long).len() < 100);
}

#[test]
fn an_invalid_claim_is_named_with_its_problem() {
    let good = json!({"sub": "alice", "exp": NOW_S + 60.0});
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        token(&claims)
    };
    let long = "x".repeat(256);
    let cases = [
        (token(&json!({"exp": NOW_S})), "`sub` is missing"),
        (with("sub", json!(7)), "`sub` is not text but a number"),
        (with("sub", json!(null)), "`sub` is not text but null"),
        (with("sub", json!({})), "`sub` is not text but an object"),
        (with("sub", json!("")), "`sub` is empty"),
        (with("sub", json!("a\u{0}b")), "`sub` contains a control character"),
        (with("sub", json!(long)), "`sub` is longer than 255 bytes"),
        (token(&json!({"sub": "alice"})), "`exp` is missing"),
        (with("exp", json!("1900000000")), "`exp` is not a number but text"),
        (with("exp", json!(null)), "`exp` is not a number but null"),
        (with("exp", json!(true)), "`exp` is not a number but a boolean"),
        (with("exp", json!(NOW_S * 1000.0)), "`exp` is beyond the year 9999"),
        (with("exp", json!(u64::MAX)), "`exp` is beyond the year 9999"),
        (with("exp", json!(1e300)), "`exp` is beyond the year 9999"),
        (with("nbf", json!("now")), "`nbf` is not a number but text"),
        (with("nbf", json!(NOW_S + 61.0)), "not valid yet: `nbf`"),
        (with("nbf", json!(1e300)), "not valid yet: `nbf`"),
        (with("iat", json!([1])), "`iat` is not a number but an array"),
        (with("scope", json!([7])), "`scope` contains a number: must be an array of texts"),
        (with("scope", json!(7)), "`scope` is a number: must be scopes separated by spaces"),
        (with("scope", json!(null)), "`scope` is null"),
        (with("iss", json!(["a"])), "`iss` is not text but an array"),
        (with("aud", json!(7)), "`aud` is neither text nor an array of texts"),
        (with("aud", json!(["a", 7])), "`aud` is neither text nor an array of texts"),
    ];
    for (token, problem) in cases {
        let detail = refused(&keys(), &token);
        assert!(detail.contains(problem), "{detail}, not {problem}");
    }
    for accepted in [
        with("exp", json!(NOW_S + 0.5)),
        with("exp", json!(4_000_000_000_u64)),
        with("nbf", json!(-1)),
        with("nbf", json!(NOW_S + 60.0)),
        with("iat", json!(NOW_S + 900.5)),
        with("scope", json!("")),
        with("iss", json!("anybody")),
        with("aud", json!(["a", "b"])),
        with("aud", json!([])),
        // A service; it can never be a user.
        with("sub", json!("a service")),
        with("sub", json!("x".repeat(255))),
        with("other", json!({"exp": "x"})),
    ] {
        assert!(keys().verify(&accepted, NOW_S).is_ok(), "{accepted}");
    }
    for expired in [json!(-1), json!(0), json!(NOW_S - 60.0), json!(-1e300)] {
        let error = keys().verify(&with("exp", expired), NOW_S).unwrap_err();
        assert_eq!(error.code(), Code::TokenExpired, "{error}");
    }
}

#[test]
fn the_issuer_is_one_text_and_the_audience_among_those_named() {
    let keys = KeySet::new(&KeyConfig {
        hs256_key: SECRET.to_owned(),
        issuer: "us".to_owned(),
        audience: "bellwire".to_owned(),
        ..KeyConfig::default()
    });
    let keys = keys.unwrap();
    let with = |iss: serde_json::Value, aud: serde_json::Value| {
        token(&json!({"sub": "alice", "exp": NOW_S + 60.0, "iss": iss, "aud": aud}))
    };
    for aud in [json!("bellwire"), json!(["bellwire"]), json!(["other", "bellwire"])] {
        assert!(keys.verify(&with(json!("us"), aud), NOW_S).is_ok());
    }
    let cases = [
        (with(json!(["us"]), json!("bellwire")), "`iss` is not text but an array"),
        (with(json!(["us", "them"]), json!("bellwire")), "`iss` is not text"),
        (with(json!("US"), json!("bellwire")), "`iss` is not the expected issuer"),
        (with(json!(null), json!("bellwire")), "`iss` is not text but null"),
        (with(json!("us"), json!("bellwires")), "`aud` does not name"),
        (with(json!("us"), json!([])), "`aud` does not name"),
        (with(json!("us"), json!(["bellwire", 1])), "`aud` is neither"),
        (with(json!("us"), json!([["bellwire"]])), "`aud` is neither"),
        (with(json!("us"), json!({"bellwire": 1})), "`aud` is neither"),
        (with(json!("us"), json!(null)), "`aud` is neither"),
        (token(&json!({"sub": "a", "exp": NOW_S, "aud": "bellwire"})), "`iss` is missing"),
        (token(&json!({"sub": "a", "exp": NOW_S, "iss": "us"})), "`aud` is missing"),
    ];
    for (token, problem) in cases {
        let detail = refused(&keys, &token);
        assert!(detail.contains(problem), "{detail}, not {problem}");
    }
}

#[test]
fn a_token_without_kid_needs_a_key_without() {
    let secret = |byte: u8| BASE64URL.encode([byte; 32]);
    let key =
        |kid: &str, byte| json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": secret(byte)});
    let jwks = json!({"keys": [key("a", 1), key("b", 2)]}).to_string();
    let keys = KeySet::new(&KeyConfig { jwks, ..KeyConfig::default() }).unwrap();
    let detail = refused(&keys, &signed(HEADER, PAYLOAD));
    assert_eq!(detail, "the token has no `kid`, and there are several keys");
}
