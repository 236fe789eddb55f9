//! The binary: command line, signals, tokens.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ::support::paths;
use ::support::process::{self, Process, Signal};
use hub::config::{Pace, PresencePace};
use shared::auth::{KeyConfig, KeySet};
use tokio::net::TcpStream;

use crate::support::{Client, Hub, KEY, Options, Program, RedisServer, SOON, now_s, token, until};

/// Time limit of a command that does not serve.
const RUN_LIMIT: Duration = Duration::from_secs(20);

fn program() -> PathBuf {
    paths::program("bellwire-hub")
}

/// Runs the program with arguments and variables; returns exit code, standard output, standard error.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program());
    // Variables of the tests themselves are unknown to the hub.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELLWIRE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied());
    let output = process::run(command, RUN_LIMIT).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_sends_reconnect_and_ends() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    let address = hub.address();
    let mut raw = Client::connect(address, &token("alice"), None).await.unwrap();
    let mut v1 = Client::connect(address, &token("bob"), Some("bellwire.v1")).await.unwrap();
    assert!(v1.text().await.contains("welcome"));
    hub.signal(Signal::TERM);
    let reconnect = v1.json().await;
    assert_eq!(reconnect["type"], "reconnect");
    assert!(reconnect["afterMs"].as_u64().unwrap() <= 5_000);
    assert_eq!(v1.close_code().await, 1012);
    assert_eq!(raw.close_code().await, 1012);
    drop((raw, v1));
    assert!(hub.ended(SOON).await.0.success());
    let online: Vec<String> = redis.run("SMEMBERS online_users").await;
    assert!(online.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let redis = RedisServer::start().await;
    let hub = Program::start(&redis).await;
    // This client never answers the close frame, so the hub would wait for it.
    let _silent = Client::connect(hub.address(), &token("alice"), None).await.unwrap();
    hub.signal(Signal::INT);
    until("it has stopped accepting", async || TcpStream::connect(hub.address()).await.is_err())
        .await;
    assert!(!hub.has_ended());
    hub.signal(Signal::INT);
    assert_eq!(hub.ended(SOON).await.0.code(), Some(130));
}

#[tokio::test]
async fn token_prints_one_line_that_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("auth.key");
    std::fs::write(&key_file, KEY).unwrap();
    let arguments = ["token", "--sub=alice", "--scope", "feed:read ops:write", "--key-file"];
    let arguments = [&arguments[..], &[key_file.to_str().unwrap()]].concat();
    let (code, text, errors) = run(&arguments, &[]).await;
    assert!(code == Some(0) && errors.is_empty(), "{errors}");
    let token = text.strip_suffix('\n').unwrap();
    assert!(!token.contains('\n'));
    let config = KeyConfig { hs256_key: KEY.to_owned(), ..KeyConfig::default() };
    let claims = KeySet::new(&config).unwrap().verify(token, now_s()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.scope.as_str()), ("alice", "feed:read ops:write"));
    assert!((claims.exp - now_s() - 24.0 * 3600.0).abs() < 60.0);
}

#[tokio::test]
async fn a_wrong_setting_is_named_before_anything_starts() {
    for (name, value, named) in [
        ("AUTH_HS256_KEY", "short", "AUTH_HS256_KEY"),
        ("REDIS_URL", "nonsense:hunter2", "REDIS_URL"),
        ("BELLWIRE_HUB_LISTEN", "nowhere", "--listen"),
        ("BELLWIRE_FUNCTIONS_URL", "http://127.0.0.1:1", "BELLWIRE_RELAY_TOKEN_FILE"),
        ("BELLWIRE_HUB_LOG", "a=b=c", "BELLWIRE_HUB_LOG"),
        // An unusable key is not a missing key: the hub must not start and reject every client.
        ("AUTH_HS256_KEY_FILE", "/nowhere", "AUTH_HS256_KEY_FILE"),
        ("AUTH_HS256_KEY_FILE", "/dev/null", "AUTH_HS256_KEY_FILE"),
        ("AUTH_HS256_KEY_FILE", "/proc/self/comm", "AUTH_HS256_KEY_FILE (/proc/self/comm)"),
        ("AUTH_JWKS", "{", "AUTH_JWKS"),
        ("AUTH_JWKS", r#"{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}"#, "AUTH_JWKS"),
        ("AUTH_JWKS_FILE", "/nowhere", "AUTH_JWKS_FILE"),
        ("AUTH_JWKS_FILE", "/dev/null", "AUTH_JWKS_FILE"),
    ] {
        let (code, output, text) = run(&["serve"], &[(name, value)]).await;
        // The command-line parser exits with 2.
        let expected = if name == "BELLWIRE_HUB_LISTEN" { 2 } else { 1 };
        assert_eq!(code, Some(expected), "{name}: {text}");
        assert!(text.contains(named), "{name}: {text}");
        assert!(output.is_empty(), "{name}: {output}");
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }
}

/// The process then exits with 1, as after every error.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_ends_the_hub_with_an_error() {
    // A zero interval makes the presence task panic.
    let presence = PresencePace { beat: Duration::ZERO, ..PresencePace::default() };
    let pace = Pace { presence, ..Pace::default() };
    let options = Options { pace, ..Options::default() };
    let mut hub = Hub::start_on(RedisServer::start().await, options).await;
    let error = hub.ended().await.unwrap_err();
    assert!(error.to_string().contains("a task of the hub failed"), "{error}");
}

#[tokio::test]
async fn check_config_prints_the_resulting_settings_and_the_errors() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hub.toml");
    let check = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        let variables = [
            ("BELLWIRE_HUB_CONFIG", file.to_str().unwrap()),
            ("BELLWIRE_HUB_HANDSHAKES_PER_S", "77"),
            ("AUTH_HS256_KEY", KEY),
        ];
        let (code, shown, stderr) = run(&["check-config"], &variables).await;
        (code == Some(0), shown, stderr)
    };
    let (is_right, shown, stderr) =
        check("redis_url = \"redis://:hunter2@127.0.0.1:1\"\nhandshakes_per_s = 5\n").await;
    assert!(is_right && stderr.is_empty(), "{stderr}");
    assert!(shown.contains("handshakes_per_s = 77  # environment\n"), "{shown}");
    assert!(shown.contains(&format!("***@127.0.0.1:1\"  # {}:1\n", file.display())), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY));
    let (is_right, shown, stderr) = check("\nsocket_max = 5").await;
    assert!(!is_right && shown.is_empty());
    assert!(stderr.contains(&format!("{}:2: `socket_max`", file.display())), "{stderr}");
    let (is_right, _, stderr) =
        check("functions_url = \"http://f:1\"\nrelay_token_file = \"/nowhere/token\"").await;
    assert!(!is_right && stderr.contains("cannot read /nowhere/token"), "{stderr}");
    let (is_right, _, stderr) =
        check("functions_url = \"http://f:1\"\nrelay_token_file = \"/dev\"").await;
    assert!(!is_right && stderr.contains("/dev") && stderr.contains("regular file"), "{stderr}");
    let (is_right, _, stderr) =
        check("functions_url = \"http://f;script-src\"\nrelay_token_file = \"/dev\"").await;
    assert!(
        !is_right && stderr.contains("--functions-url") && stderr.contains("a host"),
        "{stderr}"
    );
    // Checks settings together, as `serve` does, not only line by line.
    let (is_right, _, stderr) = check("connections_max = 10\nsockets_max = 11").await;
    assert!(!is_right && stderr.contains("BELLWIRE_HUB_SOCKETS_MAX"), "{stderr}");
}

#[tokio::test]
async fn a_strict_check_fails_where_a_hub_would_be_of_no_use() {
    let redis = RedisServer::start().await;
    let url = format!("redis://{}", redis.address());
    let check = async |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["check-config"], arguments].concat();
        let (code, shown, stderr) = run(&arguments, variables).await;
        assert!(shown.contains("ping_interval_s = 25"), "the settings are shown: {stderr}");
        assert!(!shown.contains("hunter2") && !stderr.contains("hunter2"), "{stderr}");
        (code == Some(0), stderr, shown)
    };
    // Without a key everything is refused.
    assert!(check(&[], &[]).await.0);
    let (is_right, stderr, _) = check(&["--strict"], &[]).await;
    assert!(
        !is_right && stderr.contains("AUTH_HS256_KEY") && stderr.contains("refused"),
        "{stderr}"
    );
    let key = ("AUTH_HS256_KEY", KEY);
    let (is_right, stderr, _) = check(&["--strict"], &[key]).await;
    assert!(is_right && stderr.is_empty(), "{stderr}");
    let misspelt = ("BELLWIRE_HUB_PNIG_INTERVAL_S", "7");
    let (is_right, stderr, _) = check(&["--strict"], &[key, misspelt]).await;
    assert!(!is_right && stderr.contains(misspelt.0), "{stderr}");

    // Redis is asked if that is wanted.
    let asked = ["--strict", "--ask-redis"];
    let (is_right, stderr, shown) = check(&asked, &[key, ("REDIS_URL", &url)]).await;
    assert!(is_right && shown.contains("# Redis answers: 1 server"), "{stderr}");
    redis.command(&["ACL", "SETUSER", "hub", "on", ">hunter2", "~*", "&*", "+@all", "-zadd"]).await;
    let url = format!("redis://hub:hunter2@{}", redis.address());
    let (is_right, stderr, _) = check(&asked, &[key, ("REDIS_URL", &url)]).await;
    assert!(!is_right && stderr.to_lowercase().contains("zadd"), "{stderr}");
    let (is_right, stderr, _) =
        check(&["--ask-redis"], &[key, ("REDIS_URL", "redis://:hunter2@127.0.0.1:1")]).await;
    assert!(
        !is_right && stderr.contains("--redis-url") && stderr.contains("does not answer"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_misspelt_variable_is_named_by_check_config_and_in_the_log() {
    let misspelt = ("BELLWIRE_HUB_PNIG_INTERVAL_S", "7");
    let (code, shown, stderr) = run(&["check-config"], &[misspelt]).await;
    assert!(code == Some(0) && shown.contains("ping_interval_s = 25"), "{stderr}");
    let expected =
        "bellwire-hub: BELLWIRE_HUB_PNIG_INTERVAL_S is set, but no setting has this name\n";
    assert_eq!(stderr, expected);
    // The short key ends `serve` after that.
    let (code, _, log) = run(&["serve"], &[misspelt, ("AUTH_HS256_KEY", "short")]).await;
    assert!(code == Some(1) && log.contains(misspelt.0), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_uses_the_file_and_raises_the_limit_of_open_files() {
    let redis = RedisServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hub.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlog = \"off\"\n").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256 && exec \"$0\" serve --config \"$1\""]);
    command.arg(program()).arg(&file);
    let mut hub = Process::start("bellwire-hub", command.env("REDIS_URL", redis.url()));
    let address = hub.line("Listening http://", SOON).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.pid()));
    hub.signal(Signal::TERM);
    assert!(hub.ended(SOON).await.success());
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    // Only Linux has this file.
    if let Ok(limits) = limits {
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let mut numbers = files.split_whitespace().skip(3);
        assert_eq!(numbers.next(), numbers.next(), "{files}");
    }
}
