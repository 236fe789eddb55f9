//! Precedence, errors with their lines, the sample file, and the printed settings.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use native::settings::sample;
use tempfile::TempDir;

use super::*;

const SAMPLE: &str = include_str!("../../../../docs/hub.example.toml");

fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hub.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn read(path: &Path, arguments: &[&str]) -> Result<Settings, SettingsError> {
    let config = ["bellwire-hub", "check-config", "--config", path.to_str().unwrap()];
    let arguments: Vec<OsString> = config.iter().chain(arguments).map(OsString::from).collect();
    super::read(&arguments)
}

fn problem(text: &str) -> String {
    let (_directory, path) = file(text);
    let problem = read(&path, &[]).err().expect("a refused file").to_string();
    problem.strip_prefix(path.to_str().unwrap()).expect(&problem).to_owned()
}

fn shown(settings: &Settings) -> String {
    let Some(crate::config::flags::Command::CheckConfig(args)) = &settings.cli.command else {
        panic!()
    };
    show(settings, &Config::new(&args.serve, &|_| None).unwrap())
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let (_directory, path) = file(
        "ping_interval_s = 7\nsockets_per_user_max = 3\nallow_query_token = true\n\
         allowed_origins = [\"https://a.example\", \"https://b.example\"]\n",
    );
    let settings = read(&path, &["--sockets-per-user-max", "4"]).unwrap();
    let Some(crate::config::flags::Command::CheckConfig(args)) = &settings.cli.command else {
        panic!()
    };
    let args = &args.serve;
    assert_eq!((args.times.ping_interval_s, args.limits.sockets_per_user_max), (7, 4));
    assert_eq!(args.allowed_origins, ["https://a.example", "https://b.example"]);
    assert!(args.allow_query_token);
    let shown = shown(&settings);
    let place = path.display();
    for line in [
        format!("ping_interval_s = 7  # {place}:1"),
        "sockets_per_user_max = 4  # flag".to_owned(),
        format!("allow_query_token = true  # {place}:3"),
        format!("allowed_origins = [\"https://a.example\", \"https://b.example\"]  # {place}:4"),
        "handshakes_per_s = 1000  # default".to_owned(),
        "# metrics_listen is not set".to_owned(),
    ] {
        assert!(shown.lines().any(|known| known == line), "{line}\n{shown}");
    }
    let settings = read(&path, &["--allow-query-token=false", "--allowed-origins="]).unwrap();
    let Some(crate::config::flags::Command::CheckConfig(args)) = settings.cli.command else {
        panic!()
    };
    assert!(!args.serve.allow_query_token && args.serve.allowed_origins == [""]);
}

#[test]
fn mistakes_have_a_line_and_a_name() {
    assert_eq!(problem("\npong = 1"), ":2: `pong` is not a known setting");
    assert_eq!(
        problem("ping_interval = 7"),
        ":1: `ping_interval` is not a known setting; did you mean `ping_interval_s`?"
    );
    let unquoted = problem("log = info\n");
    assert!(unquoted.ends_with("text needs quotes: name = \"text\""), "{unquoted}");
    assert_eq!(problem("config = \"x\""), ":1: `config` is not a known setting");
    assert_eq!(problem("ping_interval_s = \"7\""), ":1: `ping_interval_s` must be a number");
    assert_eq!(problem("\n\nlog = 1"), ":3: `log` must be a string");
    assert_eq!(problem("allow_query_token = 1"), ":1: `allow_query_token` must be true or false");
    assert_eq!(
        problem("trusted_proxies = \"a\""),
        ":1: `trusted_proxies` must be an array of strings"
    );
    assert!(problem("trusted_proxies = [\"a,b\"]").contains("without a comma"));
    for (text, name) in [
        ("ping_interval_s = 0", "--ping-interval-s"),
        ("ping_interval_s = -1", "--ping-interval-s"),
        ("listen = \"nowhere\"", "--listen"),
        ("log_format = \"xml\"", "--log-format"),
        ("sockets_max = 99999999999999999999", "--sockets-max"),
    ] {
        let problem = problem(&format!("\n{text}"));
        assert!(problem.starts_with(":2: invalid value") && problem.contains(name), "{problem}");
    }
    assert!(problem("listen = \"a\"\nlisten = \"b\"").starts_with(":2: "));
    assert!(problem("listen =").starts_with(":1: "));
    assert!(problem("[limits]\n").contains("`limits`"));
    let missing = read(Path::new("/nowhere/hub.toml"), &[]).err().unwrap().to_string();
    assert!(missing.contains("BELLWIRE_HUB_CONFIG") && missing.contains("/nowhere/hub.toml"));
}

#[test]
fn variables_that_no_setting_has_are_found() {
    let (_directory, path) = file("");
    let settings = read(&path, &[]).unwrap();
    let names = [
        "BELLWIRE_HUB_PNIG_INTERVAL_S",
        "BELLWIRE_PING_INTERVAL_S",
        // Known.
        "BELLWIRE_HUB_PING_INTERVAL_S",
        "BELLWIRE_HUB_CONFIG",
        "BELLWIRE_RELAY_TOKEN_FILE",
        // Of the command `bellwire`.
        "BELLWIRE_URL",
        "BELLWIRE_HUB_URL",
        "BELLWIRE_TOKEN",
        // Of the push worker, which may share the environment.
        "BELLWIRE_PUSH_IN_FLIGHT",
        // Of Kubernetes, for services `bellwire-hub` and `bellwire-functions`.
        "BELLWIRE_HUB_SERVICE_HOST",
        "BELLWIRE_HUB_SERVICE_PORT_HTTP",
        "BELLWIRE_HUB_PORT",
        "BELLWIRE_FUNCTIONS_PORT_3000_TCP_PROTO",
        // Of others.
        "HUB_PING_INTERVAL_S",
    ];
    let unknown = settings.unknown_variables(names.into_iter().map(str::to_owned));
    assert_eq!(unknown, ["BELLWIRE_HUB_PNIG_INTERVAL_S", "BELLWIRE_PING_INTERVAL_S"]);
}

#[test]
fn a_password_is_not_printed() {
    let (_directory, path) = file("redis_url = \"redis://u:hunter2@redis.example/1\"");
    let shown = shown(&read(&path, &[]).unwrap());
    assert!(
        shown.contains("redis://u:***@redis.example/1") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn the_sample_holds_every_setting_with_its_default() {
    sample::check(SAMPLE, &Cli::command()).unwrap();
}
