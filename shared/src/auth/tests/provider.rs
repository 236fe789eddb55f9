//! Keys of an identity provider, and claims under other names.

use super::*;
use crate::auth::provider::{Due, Schedule};

/// RFC 7515 appendix A.3.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                      Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmX\
                      FCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const SIGNED_S: f64 = 1_300_819_000.0;

fn ec() -> serde_json::Value {
    json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y})
}

fn of_provider() -> KeySet {
    KeySet::new(&KeyConfig {
        jwks_url: "https://id.test/keys".to_owned(),
        user_claim: "iss".to_owned(),
        ..KeyConfig::default()
    })
    .unwrap()
}

fn take(keys: &KeySet, jwks: &serde_json::Value) -> Result<(), String> {
    keys.provider().unwrap().take(&jwks.to_string()).map_err(|error| error.to_string())
}

#[test]
fn es256_is_the_signature_of_the_rfc() {
    let mut key = ec();
    key["alg"] = json!("ES256");
    let of = |key: &serde_json::Value| {
        KeySet::new(&KeyConfig {
            jwks: json!({"keys": [key]}).to_string(),
            user_claim: "iss".to_owned(),
            ..KeyConfig::default()
        })
    };
    let keys = of(&key).unwrap();
    assert_eq!(keys.verify(SIGNED, SIGNED_S).unwrap().sub, "joe");
    let (signed, signature) = SIGNED.rsplit_once('.').unwrap();
    for wrong in [signature.replace("DtEh", "DtEi"), BASE64URL.encode([0; 64]), "AAAA".to_owned()] {
        let error = keys.verify(&format!("{signed}.{wrong}"), SIGNED_S).unwrap_err();
        assert_eq!(error.detail(), "the signature does not match the key");
    }
    for (name, value, problem) in [
        ("crv", "P-384", "another `crv` than P-256"),
        ("x", "AAAA", "`x` must have 32 bytes"),
        ("y", X, "no point of the curve"),
    ] {
        let mut bad = key.clone();
        bad[name] = json!(value);
        let text = of(&bad).unwrap_err().to_string();
        assert!(text.contains(problem), "{text}");
    }
}

#[test]
fn keys_of_a_provider_are_taken_as_far_as_they_can_be_used() {
    let keys = of_provider();
    assert!(!keys.is_empty());
    let early = keys.verify(SIGNED, SIGNED_S).unwrap_err();
    assert_eq!(early.code(), Code::AuthUnavailable);

    // A set as Keycloak's, with a key for encryption; no `alg`, as in Entra's.
    let encryption =
        json!({"kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "n": "AQAB", "e": "AQAB"});
    let curve = json!({"kty": "EC", "crv": "P-384", "alg": "ES384", "kid": "384"});
    take(&keys, &json!({"keys": [encryption, curve, ec()]})).unwrap();
    assert_eq!(keys.verify(SIGNED, SIGNED_S).unwrap().sub, "joe");

    // A public set must not hold secrets.
    let secret = json!({"kty": "oct", "alg": "HS256", "k": BASE64URL.encode(SECRET)});
    let text = take(&keys, &json!({"keys": [secret, encryption]})).unwrap_err();
    assert!(text.starts_with("key 0 of the JWK set is not RS256"), "{text}");
    for bad in [json!({}), json!({"keys": []}), json!([]), json!({"error": "x"})] {
        take(&keys, &bad).unwrap_err();
    }
    // The last ones stay.
    assert_eq!(keys.verify(SIGNED, SIGNED_S).unwrap().sub, "joe");
}

#[test]
fn a_provider_is_an_address_or_an_issuer_without_other_keys() {
    let source = |config: KeyConfig| {
        let keys = KeySet::new(&config).unwrap();
        keys.provider().map(|provider| provider.source().url().to_string())
    };
    let issuer = || KeyConfig { issuer: "https://id.test/t/".to_owned(), ..KeyConfig::default() };
    let discovery = "https://id.test/t/.well-known/openid-configuration";
    assert_eq!(source(issuer()).as_deref(), Some(discovery));
    // As before, it is only the required `iss`.
    assert_eq!(source(KeyConfig { hs256_key: SECRET.to_owned(), ..issuer() }), None);
    assert_eq!(source(KeyConfig { issuer: "us".to_owned(), ..KeyConfig::default() }), None);
    let url = || KeyConfig { jwks_url: "https://id.test/k".to_owned(), ..issuer() };
    assert_eq!(source(url()).as_deref(), Some("https://id.test/k"));
    let both = KeyConfig { hs256_key: SECRET.to_owned(), ..url() };
    assert_eq!(source(both).as_deref(), Some("https://id.test/k"));
    let plain = KeyConfig { jwks_url: "http://id.test/k".to_owned(), ..KeyConfig::default() };
    let error = KeySet::new(&plain).unwrap_err().to_string();
    assert_eq!(error, "the JWK set's URL must begin with https:// unless the host is this machine");
}

#[test]
fn keys_are_fetched_first_then_for_an_unknown_kid_and_when_they_are_old() {
    let keys = of_provider();
    let mut schedule = Schedule::default();
    let with_kid = |alg: &str, kid: &str| {
        let header = BASE64URL.encode(json!({"alg": alg, "kid": kid}).to_string());
        format!("{header}.e30.AAAA")
    };
    let due = |schedule: &Schedule, token: &str, now_ms| schedule.due(&keys, token, now_ms);
    let known = with_kid("ES256", "a");
    assert_eq!(due(&schedule, &known, 0), Some(Due::First));
    assert_eq!(due(&schedule, &with_kid("HS256", "a"), 0), None, "not of a provider");
    assert_eq!(due(&schedule, "x", 0), None);
    schedule.failed(0);
    assert_eq!(due(&schedule, &known, 4_999), None);
    assert_eq!(due(&schedule, &known, 5_000), Some(Due::First));
    // The clock was set back by an hour.
    assert_eq!(due(&schedule, &known, -3_600_000), Some(Due::First));

    let mut key = ec();
    key["kid"] = json!("a");
    take(&keys, &json!({"keys": [key]})).unwrap();
    schedule.taken(600_000);
    assert_eq!(due(&schedule, &known, 599_999), None);
    assert_eq!(schedule.fresh_for_ms(500_000), 100_000);
    let new = with_kid("RS256", "b");
    assert_eq!(due(&schedule, &new, 10), Some(Due::Lookup));
    schedule.looked_up(10, 30_000);
    assert_eq!(due(&schedule, &new, 30_009), None);
    assert_eq!(due(&schedule, &with_kid("RS256", "c"), 30_009), None, "one budget for all");
    assert_eq!(due(&schedule, &new, 30_010), Some(Due::Lookup));
    assert_eq!(due(&schedule, &known, 600_000), Some(Due::Refresh));
}

/// Tokens as the providers document them, with the settings that docs/identity.md names.
#[test]
fn users_and_scopes_are_where_each_provider_puts_them() {
    let with = |claims: serde_json::Value, user: &str, scopes: &str| {
        let mut claims = claims;
        claims["exp"] = json!(NOW_S + 10.0);
        let keys = KeySet::new(&KeyConfig {
            hs256_key: SECRET.to_owned(),
            user_claim: user.to_owned(),
            scope_claim: scopes.to_owned(),
            ..KeyConfig::default()
        });
        keys.unwrap().verify(&token(&claims), NOW_S)
    };
    let cases = [
        (
            "Auth0",
            "",
            "permissions",
            json!({"sub": "auth0|5f7c8ec7", "aud": ["api", "https://t/userinfo"],
            "scope": "openid profile", "permissions": ["feed:read"], "azp": "x"}),
            "auth0|5f7c8ec7",
        ),
        (
            "Auth0, own claims",
            "https://app.test/user.id",
            "https://app.test/scopes",
            json!({"sub": "auth0|1", "https://app.test/user.id": "u1",
                "https://app.test/scopes": ["feed:read"]}),
            "u1",
        ),
        (
            "Keycloak",
            "",
            "realm_access.roles",
            json!({"sub": "f2a7", "typ": "Bearer",
            "realm_access": {"roles": ["offline_access", "feed:read", "default roles"]},
            "scope": "profile email"}),
            "f2a7",
        ),
        (
            "Cognito",
            "username",
            "",
            json!({"sub": "aaaa", "token_use": "access",
            "scope": "aws.cognito.signin.user.admin feed:read", "username": "janedoe"}),
            "janedoe",
        ),
        (
            "Firebase",
            "user_id",
            "scopes",
            json!({"sub": "uid1", "user_id": "uid1",
            "firebase": {"sign_in_provider": "password"}, "scopes": ["feed:read"]}),
            "uid1",
        ),
        (
            "Supabase",
            "",
            "app_metadata.scopes",
            json!({"sub": "0b1c", "aud": "authenticated",
            "role": "authenticated", "app_metadata": {"scopes": ["feed:read"]}}),
            "0b1c",
        ),
        (
            "Entra",
            "oid",
            "scp roles",
            json!({"sub": "pairwise", "oid": "oid-1", "tid": "t",
            "roles": ["feed:read"]}),
            "oid-1",
        ),
        (
            "Clerk",
            "",
            "scp",
            json!({"sub": "user_2a", "azp": "https://app.test", "sid": "s",
            "scp": "feed:read"}),
            "user_2a",
        ),
    ];
    for (name, user, scopes, claims, sub) in cases {
        let claims = with(claims, user, scopes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(claims.sub, sub, "{name}");
        assert!(claims.has(Scope::FeedRead) && !claims.has(Scope::OpsRead), "{name}");
    }
    for (user, claims, problem) in [
        ("oid", json!({"sub": "a"}), "`oid` (auth_user_claim) is missing"),
        ("user.id", json!({"user": {"id": 7}}), "`user.id` is not text but a number"),
        ("user.id", json!({"user": "x"}), "`user.id` (auth_user_claim) is missing"),
    ] {
        assert_eq!(with(claims, user, "").unwrap_err().detail(), problem);
    }
    // One entry is one name, whatever it contains.
    let one = json!({"sub": "a", "scope": ["x feed:read"]});
    assert!(!with(one, "", "").unwrap().has(Scope::FeedRead));
    let twice = "{\"sub\":\"a\",\"sub\":\"b\"}";
    let header = BASE64URL.encode(r#"{"alg":"HS256"}"#);
    let unsigned = format!("{header}.{}.AAAA", BASE64URL.encode(twice));
    assert!(keys().verify(&unsigned, NOW_S).is_err());
}
