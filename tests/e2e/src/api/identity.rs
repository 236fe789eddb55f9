//! Keys of an identity provider: rotation, unknown keys, outages and lies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::keys::{provider_lease, provider_lookup};
use support::functions::Setup;
use support::http::Answer;
use support::jwt::{EcKey, Jwt, KEY, RsaKey, hs256_jwk};
use support::origin::{Origin, Plan};
use support::{Functions, Hub, RedisServer, Socket, eventually, logged, token, within};

const KEYS: &str = "/keys";
/// A fetch may take three seconds; a program that lost Redis, too, a little more.
const BOUND: Duration = Duration::from_secs(5);

fn serve(provider: &Origin, keys: &[Value]) {
    provider.plan_for(KEYS, Plan::json(&json!({"keys": keys}).to_string()));
}

fn with(redis: &RedisServer, provider: &Origin) -> Setup {
    let origin = format!("http://{}", provider.address());
    Functions::with(redis)
        .variable("auth_jwks_url", format!("{origin}{KEYS}"))
        .variable("auth_origin", origin)
}

async fn read(functions: &Functions, token: &str) -> Answer {
    functions.get("/users/alice/notifications").token(token).send().await
}

async fn hub(redis: &RedisServer, provider: &Origin) -> Hub {
    let url = format!("--auth-jwks-url=http://{}{KEYS}", provider.address());
    Hub::with(&redis.url()).arguments(&[&url]).start().await
}

/// A socket, or the status that rejected the handshake.
async fn connect(hub: &Hub, token: &str) -> Result<Socket, u16> {
    let mut request = hub.request("");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("sec-websocket-protocol", "bellwire.v1".parse().unwrap());
    let mut socket = hub.handshake(request).await?;
    assert_eq!(socket.json().await["type"], "welcome");
    Ok(socket)
}

#[tokio::test]
async fn keys_of_both_algorithms_are_fetched_once_for_all_instances() {
    let (redis, provider) = (RedisServer::start().await, Origin::start().await);
    let (rsa, ec) = (RsaKey::generate(), EcKey::generate());
    serve(&provider, &[rsa.jwk("r"), ec.jwk("e")]);
    let functions = with(&redis, &provider).start().await;
    let alice = Jwt::of("alice");
    let (first, second) = (alice.clone().kid("r").sign_rs256(&rsa), alice.kid("e").sign_es256(&ec));
    // More than one instance serves so many at once.
    let all = (0..200).map(|n| read(&functions, if n % 2 == 0 { &first } else { &second }));
    for answer in futures_util::future::join_all(all).await {
        answer.expect(200);
    }
    functions.kill();
    functions.restart().await;
    read(&functions, &first).await.expect(200);
    assert_eq!(provider.count_of(KEYS), 1);
    // The configured key works beside them, and is never looked up.
    read(&functions, &token("alice", "")).await.expect(200);
    let ttl: i64 = redis.run(&format!("TTL {}", stored(&redis).await)).await;
    assert!((600_000..=604_800).contains(&ttl), "{ttl}");

    let hub = hub(&redis, &provider).await;
    hub.ready().await;
    let mut socket = connect(&hub, &second).await.unwrap();
    functions.create(&json!({"userId": "alice", "title": "one"})).await.expect(201);
    assert_eq!(socket.titles(1).await, ["one"]);
    assert_eq!(provider.count_of(KEYS), 2, "the hub asks for itself");
}

/// The key of Redis with the provider's keys.
async fn stored(redis: &RedisServer) -> String {
    let keys: Vec<String> = redis.run("KEYS bw:jwks:*").await;
    keys.into_iter().find(|key| key.matches(':').count() == 2).expect("the keys are shared")
}

#[tokio::test]
async fn a_new_key_is_found_and_made_up_ones_are_cheap() {
    let (redis, provider) = (RedisServer::start().await, Origin::start().await);
    let (old, new) = (RsaKey::generate(), EcKey::generate());
    serve(&provider, &[old.jwk("old")]);
    let functions = with(&redis, &provider).start().await;
    let hub = hub(&redis, &provider).await;
    hub.ready().await;
    let alice = Jwt::of("alice");
    let before = alice.clone().kid("old").sign_rs256(&old);
    let after = alice.clone().kid("new").sign_es256(&new);
    read(&functions, &before).await.expect(200);
    let mut socket = connect(&hub, &before).await.unwrap();

    serve(&provider, &[old.jwk("old"), new.jwk("new")]);
    read(&functions, &after).await.expect(200);
    // An open socket is renewed with a token of the new key.
    socket.send_text(&json!({"type": "auth", "token": after}).to_string()).await;
    eventually("the socket is renewed", async || {
        (socket.json().await["type"] == "auth").then_some(())
    })
    .await;
    connect(&hub, &after).await.unwrap();
    let asked = provider.count_of(KEYS);
    assert_eq!(asked, 4, "once at the start and once for the new key, functions and hub");

    for n in 0..50 {
        let made_up = alice.clone().kid(&format!("made up {n}")).sign_es256(&new);
        let refused = read(&functions, &made_up).await.expect_problem(401, "unauthorized");
        assert!(refused.text().contains("no key with kid"), "{}", refused.text());
        assert_eq!(connect(&hub, &made_up).await.err(), Some(401));
    }
    assert_eq!(provider.count_of(KEYS), asked, "at most once in 30 s");
    read(&functions, &before).await.expect(200);
}

#[tokio::test]
async fn the_last_keys_go_on_through_an_outage() {
    let (redis, provider) = (RedisServer::start().await, Origin::start().await);
    let ec = EcKey::generate();
    serve(&provider, &[ec.jwk("e")]);
    let functions = with(&redis, &provider).start().await;
    let token = Jwt::of("alice").kid("e").sign_es256(&ec);
    read(&functions, &token).await.expect(200);

    // They have become old, and new instances know them from Redis only.
    provider.plan_for(KEYS, Plan { hangs: true, ..Plan::default() });
    let key = stored(&redis).await;
    let text: String = redis.run(&format!("GET {key}")).await;
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    kept["freshUntilMs"] = json!(1);
    redis.command(&["SET", &key, &kept.to_string(), "EX", "1000"]).await;
    functions.kill();
    functions.restart().await;
    for _ in 0..20 {
        read(&functions, &token).await.within(Duration::from_secs(2)).expect(200);
    }

    // Nobody knows them any more.
    redis.command(&["FLUSHALL"]).await;
    functions.kill();
    functions.restart().await;
    let begun = Instant::now();
    read(&functions, &token).await.expect_problem(503, "auth_unavailable");
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    logged(|| functions.output(), &["identity_provider_failed", "no answer in time"]).await;
    let ready = functions.get("/readyz").send().await.expect_problem(503, "auth_unavailable");
    assert!(ready.text().contains("identity provider: no answer in time"), "{}", ready.text());
    let hub = hub(&redis, &provider).await;
    assert_eq!(connect(&hub, &token).await.err(), Some(503));

    serve(&provider, &[ec.jwk("e")]);
    eventually("the functions accept it", async || {
        (read(&functions, &token).await.status == 200).then_some(())
    })
    .await;
    eventually("the hub accepts it", async || connect(&hub, &token).await.ok()).await;
    hub.ready().await;
}

#[tokio::test]
async fn without_redis_every_instance_asks_for_itself() {
    let (redis, provider) = (RedisServer::start().await, Origin::start().await);
    let ec = EcKey::generate();
    serve(&provider, &[ec.jwk("e")]);
    let functions = with(&redis, &provider).start().await;
    redis.kill();
    let token = Jwt::of("alice").kid("e").scope("presence:read").sign_es256(&ec);
    let presence = functions.get("/presence").token(&token).send();
    let answer = within(BOUND, "an answer", presence).await;
    answer.expect_problem(503, "redis_unavailable");
    assert_eq!(provider.count_of(KEYS), 1);
}

#[tokio::test]
async fn a_provider_that_lies_is_named_and_not_believed() {
    let provider = Origin::start().await;
    let ec = EcKey::generate();
    let token = Jwt::of("alice").kid("e").sign_es256(&ec);
    let jwks = json!({"keys": [ec.jwk("e")]}).to_string();
    let other = Origin::start().await;
    other.plan(Plan::json(&jwks));
    let elsewhere = format!("http://{}{KEYS}", other.address());
    let secret = json!({"keys": [hs256_jwk("e", KEY)]}).to_string();
    for (plan, functions_say, hub_says) in [
        (Plan::status(500), "the provider answered 500", "the provider answered 500"),
        (Plan::json("<html>"), "is not JSON", "is not JSON"),
        (Plan::json(&secret), "key 0 of the JWK set is not RS256", "is not RS256"),
        (Plan { times: 300_000, ..Plan::json("x") }, "too large", "too long"),
        (
            Plan::status(302).with("location", elsewhere),
            "a redirect to another host",
            "the provider answered 302",
        ),
    ] {
        let redis = RedisServer::start().await;
        provider.plan_for(KEYS, plan);
        let functions = with(&redis, &provider).start().await;
        read(&functions, &token).await.expect_problem(503, "auth_unavailable");
        logged(|| functions.output(), &["identity_provider_failed", functions_say]).await;
        let ready = functions.get("/readyz").send().await.expect_problem(503, "auth_unavailable");
        assert!(ready.text().contains(functions_say), "{}", ready.text());
        let hub = hub(&redis, &provider).await;
        assert_eq!(connect(&hub, &token).await.err(), Some(503));
        let reason = hub.http.get("/readyz").send().await.expect_problem(503, "auth_unavailable");
        assert!(reason.text().contains(hub_says), "{}", reason.text());
    }
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn the_issuer_names_its_keys() {
    let (redis, provider) = (RedisServer::start().await, Origin::start().await);
    let keys = Origin::start().await;
    let ec = EcKey::generate();
    serve(&keys, &[ec.jwk("e")]);
    let issuer = format!("http://{}/realms/a", provider.address());
    let at = |origin: &Origin| format!("http://{}", origin.address());
    let document = "/realms/a/.well-known/openid-configuration";
    let describe = |named: &str| {
        let body = json!({"issuer": named, "jwks_uri": format!("{}{KEYS}", at(&keys))});
        provider.plan_for(document, Plan::json(&body.to_string()));
    };
    describe("http://127.0.0.1/realms/b");
    let functions = Functions::with(&redis)
        .variable("auth_hs256_key", "")
        .variable("auth_issuer", &issuer)
        .variable("auth_origin", at(&provider))
        .variable("auth_jwks_origin", at(&keys))
        .variable("auth_user_claim", "oid")
        .start()
        .await;
    let good = Jwt::of("pairwise").claim("oid", "alice").claim("iss", issuer.as_str()).kid("e");
    let token = good.sign_es256(&ec);
    read(&functions, &token).await.expect_problem(503, "auth_unavailable");
    let ready = functions.get("/readyz").send().await.expect_problem(503, "auth_unavailable");
    assert!(ready.text().contains("auth_issuer must be exactly that"), "{}", ready.text());

    describe(&issuer);
    eventually("it accepts the token", async || {
        (read(&functions, &token).await.status == 200).then_some(())
    })
    .await;
    let other = good.clone().claim("iss", "http://127.0.0.1/realms/b").sign_es256(&ec);
    read(&functions, &other).await.expect_problem(401, "unauthorized");
    read(&functions, &good.claim("oid", "bob").sign_es256(&ec))
        .await
        .expect_problem(403, "forbidden");
    let hub = Hub::with(&redis.url())
        .key("")
        .arguments(&[&format!("--auth-issuer={issuer}"), "--auth-user-claim=oid"]);
    let hub = hub.start().await;
    hub.ready().await;
    connect(&hub, &token).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_another_service_wrote_keeps_nobody_from_asking() {
    for spoil in ["SET", "LPUSH"] {
        let (redis, provider) = (RedisServer::start().await, Origin::start().await);
        let (old, new) = (RsaKey::generate(), EcKey::generate());
        serve(&provider, &[old.jwk("old")]);
        let url = format!("http://{}{KEYS}", provider.address());
        for key in [provider_lease(&url), provider_lookup(&url)] {
            redis.run_words::<()>(&[spoil, &key, "fetching"]).await;
        }
        let functions = with(&redis, &provider).start().await;
        let alice = Jwt::of("alice");
        let before = alice.clone().kid("old").sign_rs256(&old);
        read(&functions, &before).await.expect(200).within(BOUND);
        serve(&provider, &[old.jwk("old"), new.jwk("new")]);
        let after = alice.kid("new").sign_es256(&new);
        read(&functions, &after).await.expect(200).within(BOUND);
    }
}
