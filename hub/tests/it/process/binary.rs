//! The binary: command line, signals, tokens.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hub::config::{Pace, PresencePace};
use shared::auth::{KeyConfig, KeySet};

use crate::support::{Client, Hub, KEY, Options, RedisServer, now_s, token, until};

pub const BINARY: &str = env!("CARGO_BIN_EXE_bellwire-hub");

/// Sends a signal to a process of this test.
pub fn signal(pid: i32, signal: i32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.unwrap().success());
}

/// A hub of its own, and where it listens.
pub fn start(redis: &RedisServer) -> (Child, String) {
    hub::config::open_files::raise().unwrap();
    let mut child = Command::new(BINARY)
        .args(["--listen", "127.0.0.1:0", "--log", "off"])
        // All clients of a test have one address, and come at once.
        .args(["--connections-per-address-max=100000", "--connects-per-address-per-s=100000"])
        .arg("--handshakes-per-s=100000")
        .env("REDIS_URL", redis.url())
        .env("AUTH_HS256_KEY", KEY)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Listening http://").expect(&line).to_owned();
    (child, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_says_goodbye_and_ends() {
    let redis = RedisServer::start().await;
    let (mut child, address) = start(&redis);
    let address = address.parse().unwrap();
    let mut raw = Client::connect(address, &token("alice"), None).await.unwrap();
    let mut v1 = Client::connect(address, &token("bob"), Some("bellwire.v1")).await.unwrap();
    assert!(v1.text().await.contains("welcome"));
    signal(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
    let reconnect: serde_json::Value = serde_json::from_str(&v1.text().await).unwrap();
    assert_eq!(reconnect["type"], "reconnect");
    assert!(reconnect["afterMs"].as_u64().unwrap() <= 5_000);
    assert_eq!(v1.close_code().await, 1012);
    assert_eq!(raw.close_code().await, 1012);
    drop((raw, v1));
    until("the process has ended", async || child.try_wait().unwrap().is_some()).await;
    assert!(child.wait().unwrap().success());
    let online: Vec<String> = redis::cmd("SMEMBERS")
        .arg("online_users")
        .query_async(&mut redis.connection().await)
        .await
        .unwrap();
    assert!(online.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let redis = RedisServer::start().await;
    let (mut child, address) = start(&redis);
    // It never answers the close, so the hub would wait for it.
    let _silent = Client::connect(address.parse().unwrap(), &token("alice"), None).await.unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    signal(pid, libc::SIGINT);
    let address: std::net::SocketAddr = address.parse().unwrap();
    until("it has stopped accepting", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(child.try_wait().unwrap().is_none());
    signal(pid, libc::SIGINT);
    until("the process has ended", async || child.try_wait().unwrap().is_some()).await;
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn token_prints_one_line_that_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("auth.key");
    std::fs::write(&key_file, KEY).unwrap();
    let output = Command::new(BINARY)
        .args(["token", "--sub", "alice", "--scope", "feed:read ops:write", "--key-file"])
        .arg(&key_file)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    assert!(!token.contains('\n'));
    let config = KeyConfig { hs256_key: KEY.to_owned(), ..KeyConfig::default() };
    let claims = KeySet::new(&config).unwrap().verify(token, now_s()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.scope.as_str()), ("alice", "feed:read ops:write"));
    assert!((claims.exp - now_s() - 24.0 * 3600.0).abs() < 60.0);
}

#[test]
fn a_wrong_setting_is_named_before_anything_starts() {
    for (name, value, named) in [
        ("AUTH_HS256_KEY", "short", "AUTH_HS256_KEY"),
        ("REDIS_URL", "nonsense:hunter2", "REDIS_URL"),
        ("BELLWIRE_HUB_LISTEN", "nowhere", "--listen"),
        ("BELLWIRE_FUNCTIONS_URL", "http://127.0.0.1:1", "BELLWIRE_RELAY_TOKEN_FILE"),
        ("BELLWIRE_HUB_LOG", "a=b=c", "BELLWIRE_HUB_LOG"),
        // Keys that cannot be used are no keys that are missing: no hub starts that refuses everyone.
        ("AUTH_HS256_KEY_FILE", "/nowhere", "AUTH_HS256_KEY_FILE"),
        ("AUTH_HS256_KEY_FILE", "/dev/null", "AUTH_HS256_KEY_FILE"),
        ("AUTH_JWKS", "{", "AUTH_JWKS"),
        ("AUTH_JWKS", r#"{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}"#, "AUTH_JWKS"),
        ("AUTH_JWKS_FILE", "/nowhere", "AUTH_JWKS_FILE"),
        ("AUTH_JWKS_FILE", "/dev/null", "AUTH_JWKS_FILE"),
    ] {
        let output = Command::new(BINARY).arg("serve").env(name, value).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        // 2 is the command line's.
        let code = if name == "BELLWIRE_HUB_LISTEN" { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{name}: {text}");
        assert!(text.contains(named), "{name}: {text}");
        assert!(output.stdout.is_empty());
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }
}

/// The process then ends with 1, as after every error.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_ends_the_hub_with_an_error() {
    // No timer takes an interval of nothing: the task of presence panics.
    let presence = PresencePace { beat: Duration::ZERO, ..PresencePace::default() };
    let pace = Pace { presence, ..Pace::default() };
    let options = Options { pace, ..Options::default() };
    let mut hub = Hub::start_on(RedisServer::start().await, options).await;
    let error = hub.ended().await.unwrap_err();
    assert!(error.to_string().contains("a part of the hub has failed"), "{error}");
}

#[test]
fn check_config_says_what_it_comes_to_and_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hub.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let command = Command::new(BINARY)
            .arg("check-config")
            .env("BELLWIRE_HUB_CONFIG", &file)
            .env("BELLWIRE_HUB_HANDSHAKES_PER_S", "77")
            .env("AUTH_HS256_KEY", KEY)
            .output();
        let output = command.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (is_right, shown, stderr) =
        check("redis_url = \"redis://:hunter2@127.0.0.1:1\"\nhandshakes_per_s = 5\n");
    assert!(is_right && stderr.is_empty(), "{stderr}");
    assert!(shown.contains("handshakes_per_s = 77  # environment\n"), "{shown}");
    assert!(shown.contains(&format!("***@127.0.0.1:1\"  # {}:1\n", file.display())), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY));
    let (is_right, shown, stderr) = check("\nsocket_max = 5");
    assert!(!is_right && shown.is_empty());
    assert!(stderr.contains(&format!("{}:2: `socket_max`", file.display())), "{stderr}");
    // As `serve` would, and not only line by line.
    let (is_right, _, stderr) = check("connections_max = 10\nsockets_max = 11");
    assert!(!is_right && stderr.contains("BELLWIRE_HUB_SOCKETS_MAX"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_what_it_serves_with_and_its_open_files_are_raised() {
    let redis = RedisServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hub.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlog = \"off\"\n").unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -Sn 256 && exec \"$0\" serve --config \"$1\"", BINARY])
        .arg(&file)
        .env("REDIS_URL", redis.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id()));
    signal(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
    assert!(child.wait().unwrap().success());
    assert!(line.starts_with("Listening http://127.0.0.1:"), "{line}");
    // Linux only: elsewhere there is no such file.
    if let Ok(limits) = limits {
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let mut numbers = files.split_whitespace().skip(3);
        assert_eq!(numbers.next(), numbers.next(), "{files}");
    }
}
