//! Keys in files are rotated as docs/operations.md says: without a closed socket and without a refused
//! token.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::jwt::{EcKey, Jwt, RsaKey, hs256_jwk};
use support::{Functions, Hub, RedisServer, Socket, eventually_within, logged};

/// The hub reads the files every ten seconds.
const NOTICED: Duration = Duration::from_secs(25);

fn write(file: &Path, keys: &[Value]) {
    // As a secret's new version is mounted: in one step.
    let new = file.with_extension("new");
    std::fs::write(&new, json!({"keys": keys}).to_string()).unwrap();
    std::fs::rename(&new, file).unwrap();
}

async fn functions(redis: &RedisServer, record: Option<&Functions>, keys: &[Value]) -> Functions {
    let jwks = json!({"keys": keys}).to_string();
    let setup = Functions::with(redis).variable("auth_hs256_key", "").variable("auth_jwks", jwks);
    match record {
        Some(other) => setup.record(&other.record).start().await,
        None => setup.start().await,
    }
}

async fn connect(hub: &Hub, token: &str) -> Result<Socket, u16> {
    let mut request = hub.request("");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("sec-websocket-protocol", "bellwire.v1".parse().unwrap());
    let mut socket = hub.handshake(request).await?;
    assert_eq!(socket.json().await["type"], "welcome");
    Ok(socket)
}

async fn create(functions: &Functions, token: &str, title: &str) {
    let body = json!({"userId": "alice", "title": title}).to_string();
    functions.post("/notifications", body).token(token).send().await.expect(201);
}

#[tokio::test]
async fn keys_are_rotated_without_a_closed_socket_or_a_refused_token() {
    let redis = RedisServer::start().await;
    let (old, new) = (RsaKey::generate(), EcKey::generate());
    let old_jwk = old.jwk("2026-05");
    let mut new_jwk = new.jwk("2026-11");
    new_jwk["alg"] = json!("ES256");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwks.json");
    write(&file, std::slice::from_ref(&old_jwk));
    let first = functions(&redis, None, std::slice::from_ref(&old_jwk)).await;
    let argument = format!("--auth-jwks-file={}", file.display());
    let hub = Hub::with(&redis.url()).key("").arguments(&[&argument]).start().await;
    hub.ready().await;
    let alice = Jwt::of("alice").scope("notifications:write");
    let before = alice.clone().kid("2026-05").sign_rs256(&old);
    let after = alice.clone().kid("2026-11").sign_es256(&new);
    let mut socket = connect(&hub, &before).await.unwrap();
    assert_eq!(connect(&hub, &after).await.err(), Some(401), "nobody knows the new key yet");

    // 1. Both keys, at the hub without a restart, at the functions on new hosts.
    write(&file, &[old_jwk.clone(), new_jwk.clone()]);
    let both = functions(&redis, Some(&first), &[old_jwk, new_jwk.clone()]).await;
    create(&first, &before, "old at the old host").await;
    create(&both, &before, "old at the new host").await;
    first.kill();
    let mut renewed = eventually_within(NOTICED, "the hub knows the new key", async || {
        connect(&hub, &after).await.ok()
    })
    .await;

    // 2. The issuer signs with the new one; an open socket is renewed with it.
    create(&both, &after, "new").await;
    assert_eq!(socket.titles(3).await, ["old at the old host", "old at the new host", "new"]);
    socket.send_text(&json!({"type": "auth", "token": after}).to_string()).await;
    assert_eq!(socket.json().await["type"], "auth");

    // 3. The last old token has expired: the old key goes.
    write(&file, std::slice::from_ref(&new_jwk));
    let last = functions(&redis, Some(&both), std::slice::from_ref(&new_jwk)).await;
    both.kill();
    eventually_within(NOTICED, "the hub refuses the old key", async || {
        (connect(&hub, &before).await.err() == Some(401)).then_some(())
    })
    .await;
    create(&last, &after, "last").await;
    assert_eq!(socket.titles(1).await, ["last"]);
    // Its own notifications: those since it was opened.
    while renewed.titles(1).await != ["last"] {}
}

#[tokio::test]
async fn a_file_that_cannot_be_used_leaves_the_last_keys_in_force() {
    let redis = RedisServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwks.json");
    let (old, new) = ("an old secret key of 32 bytes or so", "a new secret key of 32 bytes or so");
    write(&file, &[hs256_jwk("old", old)]);
    let argument = format!("--auth-jwks-file={}", file.display());
    let hub = Hub::with(&redis.url()).key("").arguments(&[&argument]).start().await;
    hub.ready().await;
    let before = Jwt::of("alice").kid("old").sign(old);
    let after = Jwt::of("alice").kid("new").sign(new);
    std::fs::write(&file, r#"{"keys":[{"kty":"oct","alg":"HS256","kid":"new","k":"c2hvcnQ"}]}"#)
        .unwrap();
    eventually_within(NOTICED, "the hub says so", async || {
        hub.output().contains("the last keys stay").then_some(())
    })
    .await;
    connect(&hub, &before).await.unwrap();
    assert_eq!(connect(&hub, &after).await.err(), Some(401));
    assert!(!hub.output().contains("c2hvcnQ"), "{}", hub.output());

    write(&file, &[hs256_jwk("new", new)]);
    eventually_within(NOTICED, "the hub knows the new key", async || {
        connect(&hub, &after).await.ok().map(drop)
    })
    .await;
    logged(|| hub.output(), &["the keys for tokens were replaced"]).await;
    assert_eq!(connect(&hub, &before).await.err(), Some(401));
}
