//! Who may do what: tokens good and bad, over HTTP.

use serde_json::json;
use support::jwt::{self, KEY, RsaKey};
use support::{Answer, Functions, Jwt, RedisServer, token};

async fn read_with(functions: &Functions, token: &str) -> Answer {
    functions.get("/users/alice/notifications").token(token).send().await
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let alice = Jwt::of("alice");
    read_with(&functions, &alice.sign(KEY)).await.expect(200);

    let good = alice.sign(KEY);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let (_, others) = head.split_once('.').unwrap();
    let bobs = Jwt::of("bob").sign(KEY);
    let bobs_claims = bobs.split('.').nth(1).unwrap();
    let cases = [
        ("another key", alice.sign("another key of at least 32 bytes."), "does not match the key"),
        ("none", alice.unsigned(), "`alg` is none"),
        ("none with a signature", format!("{}{signature}", alice.unsigned()), "`alg` is none"),
        ("another HMAC", alice.sign_hs512(KEY), "`alg` is \"HS512\""),
        ("no signature", format!("{head}."), "no signature"),
        (
            "another's claims",
            format!("{header}.{bobs_claims}.{signature}"),
            "does not match the key",
        ),
        ("no header", format!(".{others}.{signature}"), "header"),
        ("an unknown kid", alice.clone().kid("k1").sign(KEY), "no key with kid \"k1\""),
        ("no exp", alice.clone().without("exp").sign(KEY), "`exp` is missing"),
        ("no sub", alice.clone().without("sub").sign(KEY), "`sub` is missing"),
        ("an empty sub", alice.clone().claim("sub", "").sign(KEY), "`sub` is empty"),
        ("a number as sub", alice.clone().claim("sub", 7).sign(KEY), "`sub` is not text"),
        ("NUL in sub", alice.clone().claim("sub", "a\0").sign(KEY), "control character"),
        (
            "a text as exp",
            alice.clone().claim("exp", "tomorrow").sign(KEY),
            "`exp` is not a number",
        ),
        ("exp in ms", alice.clone().expires_in(1_800_000_000_000).sign(KEY), "not milliseconds"),
        ("not valid yet", alice.clone().claim("nbf", jwt::now_s() + 600).sign(KEY), "`nbf`"),
        (
            "a number as scope",
            alice.clone().claim("scope", json!([7])).sign(KEY),
            "`scope` contains a number",
        ),
        ("many issuers", alice.clone().claim("iss", json!(["a"])).sign(KEY), "`iss` is not text"),
        ("two parts", "a.b".to_owned(), "two parts, not three"),
        ("noise", "a.b.c".to_owned(), "header"),
        ("nothing", String::new(), ""),
        ("too long", "x".repeat(9000), "longer than 8192 bytes"),
    ];
    for (name, token, problem) in cases {
        let answer = read_with(&functions, &token).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        let told = answer.json();
        assert_eq!(told["code"], "unauthorized", "{name}");
        assert!(told["detail"].as_str().unwrap().contains(problem), "{name}: {told}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}");
        assert!(token.len() < 9 || !answer.text().contains(&token), "{name}: repeats the token");
    }
}

#[tokio::test]
async fn the_authorization_header_is_the_only_way_in() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let good = token("alice", "");
    let target = "/users/alice/notifications";
    functions.get(target).send().await.expect_problem(401, "unauthorized");
    for value in
        ["Basic YTpi".to_owned(), "Bearer".to_owned(), format!("Token {good}"), good.clone()]
    {
        let answer = functions.get(target).header("authorization", &value).send().await;
        answer.expect_problem(401, "unauthorized");
    }
    let in_url = format!("{target}?access_token={good}");
    functions.get(&in_url).send().await.expect_problem(401, "unauthorized");
    let lower_case = format!("bearer {good}");
    functions.get(target).header("authorization", &lower_case).send().await.expect(200);
}

#[tokio::test]
async fn expiry_has_a_minute_of_leeway() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let alice = Jwt::of("alice");
    read_with(&functions, &alice.clone().expires_in(-40).sign(KEY)).await.expect(200);
    let expired = read_with(&functions, &alice.clone().expires_in(-80).sign(KEY)).await;
    expired.expect_problem(401, "token_expired");
    // A NumericDate may have a fraction.
    let fraction = alice.claim("exp", jwt::now_s() as f64 + 60.5).sign(KEY);
    read_with(&functions, &fraction).await.expect(200);
}

#[tokio::test]
async fn users_reach_their_own_things_and_scopes_the_rest() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let body = json!({"userId": "alice", "title": "one"}).to_string();
    let post = async |scope: &str| {
        let token = token("alice", scope);
        functions.post("/notifications", body.clone()).token(&token).send().await
    };
    let refused = post("").await.expect_problem(403, "forbidden");
    assert!(refused.text().contains("notifications:write"), "{}", refused.text());
    for other in
        ["feed:read", "notifications:writes", "xnotifications:write", "Notifications:Write"]
    {
        post(other).await.expect_problem(403, "forbidden");
    }
    post("feed:read notifications:write").await.expect(201);

    let read = async |sub: &str, scope: &str| read_with(&functions, &token(sub, scope)).await;
    read("alice", "").await.expect(200);
    let refused =
        read("bob", "notifications:write ops:write").await.expect_problem(403, "forbidden");
    assert!(refused.text().contains("feed:read"), "{}", refused.text());
    read("Alice", "").await.expect_problem(403, "forbidden");
    read("bob", "feed:read").await.expect(200);

    for target in ["/admin/migrate", "/admin/relay"] {
        let call = functions.post(target, "").token(&token("alice", "ops:read"));
        let refused = call.send().await.expect_problem(403, "forbidden");
        assert!(refused.text().contains("ops:write"), "{}", refused.text());
        functions.post(target, "").send().await.expect_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let redis = RedisServer::start().await;
    let rsa = RsaKey::generate();
    let second = "a second key, also 32 bytes or more";
    let jwks = json!({"keys": [rsa.jwk("r"), jwt::hs256_jwk("h", second)]}).to_string();
    let functions = Functions::with(&redis)
        .variable("auth_hs256_key", "")
        .variable("auth_jwks", jwks)
        .start()
        .await;
    let alice = Jwt::of("alice");
    read_with(&functions, &alice.clone().kid("r").sign_rs256(&rsa)).await.expect(200);
    read_with(&functions, &alice.clone().kid("h").sign(second)).await.expect(200);

    let modulus_text = rsa.modulus_text();
    let cases = [
        ("the modulus as HMAC secret", alice.clone().kid("r").sign(rsa.modulus())),
        ("its text as HMAC secret", alice.clone().kid("r").sign(&modulus_text)),
        ("the HMAC key under the RSA kid", alice.clone().kid("r").sign(second)),
        ("the RSA key under the HMAC kid", alice.clone().kid("h").sign_rs256(&rsa)),
        ("no kid with two keys", alice.sign(second)),
        ("an unknown kid", alice.clone().kid("x").sign_rs256(&rsa)),
        ("another RSA key", alice.clone().kid("r").sign_rs256(&RsaKey::generate())),
        ("no key is left from elsewhere", alice.sign(KEY)),
        ("none", alice.unsigned()),
    ];
    for (name, token) in cases {
        let answer = read_with(&functions, &token).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        assert_eq!(answer.json()["code"], "unauthorized", "{name}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_required_where_configured() {
    let redis = RedisServer::start().await;
    let functions = Functions::with(&redis)
        .variable("auth_issuer", "https://issuer.example")
        .variable("auth_audience", "bellwire")
        .start()
        .await;
    let good = Jwt::of("alice").claim("iss", "https://issuer.example").claim("aud", "bellwire");
    read_with(&functions, &good.sign(KEY)).await.expect(200);
    let several = good.clone().claim("aud", json!(["other", "bellwire"]));
    read_with(&functions, &several.sign(KEY)).await.expect(200);
    let cases = [
        good.clone().claim("iss", "https://other.example"),
        good.clone().without("iss"),
        good.clone().claim("iss", json!(["https://issuer.example"])),
        good.clone().claim("aud", "other"),
        good.clone().without("aud"),
        good.clone().claim("aud", json!(["bellwire", 7])),
    ];
    for (at, token) in cases.into_iter().enumerate() {
        let answer = read_with(&functions, &token.sign(KEY)).await;
        assert_eq!(answer.status, 401, "case {at}: {}", answer.text());
    }
}

#[tokio::test]
async fn without_a_usable_key_everything_is_refused_and_says_so() {
    let redis = RedisServer::start().await;
    let unusable = [("none", "", ""), ("short", "too short", ""), ("broken", "", "{")];
    for (name, key, jwks) in unusable {
        let functions = Functions::with(&redis)
            .variable("auth_hs256_key", key)
            .variable("auth_jwks", jwks)
            .start()
            .await;
        for token in [Jwt::of("alice").sign(KEY), Jwt::of("alice").unsigned()] {
            let answer = read_with(&functions, &token).await;
            assert_eq!(answer.status, 503, "{name}: {}", answer.text());
            assert_eq!(answer.json()["code"], "auth_not_configured", "{name}");
        }
        if !key.is_empty() {
            let guessed = read_with(&functions, &Jwt::of("alice").sign(key)).await;
            guessed.expect_problem(503, "auth_not_configured");
            assert!(!functions.output().contains(key), "the key is in the log");
        }
        functions.create(&json!({})).await.expect_problem(503, "auth_not_configured");
        functions.get("/users/alice/notifications").send().await.expect(503);
        functions.get("/healthz").send().await.expect(200);
        functions.get("/nothing").send().await.expect_problem(404, "not_found");
    }
}
