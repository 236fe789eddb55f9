use clap::Parser as _;
use tempfile::NamedTempFile;

use super::*;
use crate::config::flags::Cli;

fn config(arguments: &[&str], env: &[(&str, &str)]) -> Result<Config> {
    let arguments = [&["bellwire-hub"], arguments].concat();
    let look_up = |name: &str| {
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Config::new(&Cli::try_parse_from(arguments)?.serve, &look_up)
}

fn file_with(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn problem(arguments: &[&str], env: &[(&str, &str)]) -> String {
    format!("{:#}", config(arguments, env).err().expect("a refused configuration"))
}

#[test]
fn defaults_are_usable_and_hold_no_key() {
    let config = config(&[], &[]).unwrap();
    assert!(config.keys.is_empty() && config.relay.is_none());
    assert!(config.allowed_origins.is_empty() && !config.allow_query_token);
}

#[test]
fn errors_name_the_setting() {
    assert!(problem(&["--redis-url", "http://x"], &[]).contains("REDIS_URL"));
    assert!(problem(&[], &[("AUTH_HS256_KEY", "short")]).contains("AUTH_HS256_KEY"));
    assert!(problem(&[], &[("AUTH_JWKS", "{")]).contains("AUTH_JWKS"));
    let missing = problem(&["--auth-hs256-key-file", "/nowhere"], &[]);
    assert!(missing.contains("AUTH_HS256_KEY_FILE"), "{missing}");
    assert!(problem(&["--functions-url", "http://x"], &[]).contains("RELAY_TOKEN_FILE"));
    let ftp = problem(&["--functions-url", "ftp://x", "--relay-token-file", "/nowhere"], &[]);
    assert!(ftp.contains("BELLWIRE_FUNCTIONS_URL"));
    let slash = problem(&["--allowed-origins", "https://a.example/"], &[]);
    assert!(slash.contains("https://a.example\""), "{slash}");
    let all = problem(&["--allowed-origins", "*"], &[]);
    assert!(all.contains("ALLOWED_ORIGINS") && all.contains("name each origin"), "{all}");
    for (bare, problem_of) in [
        ("app.example.com", "has no scheme; did you mean \"https://app.example.com\"?"),
        ("app.example.com:8443", "did you mean \"https://app.example.com:8443\"?"),
        ("localhost:3000/x", "did you mean \"https://localhost:3000\"?"),
        ("https://", "must be like https://app.example.com"),
        ("file:///x", "must be like https://app.example.com"),
        ("null", "cannot be told apart"),
    ] {
        let text = problem(&["--allowed-origins", bare], &[]);
        assert!(text.contains(problem_of), "{text}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let target = RedisTarget::parse("rediss://u:hunter2@redis.example:6380/1").unwrap();
    assert_eq!(target.to_string(), "rediss://u:***@redis.example:6380/1");
    assert!(!problem(&["--redis-url", "redis//u:hunter2@x"], &[]).contains("hunter2"));
}

#[test]
fn tls_without_certificate_checks_is_rejected() {
    let problem = problem(&["--redis-url", "rediss://u:hunter2@redis.example:6380/#insecure"], &[]);
    assert!(problem.contains("#insecure") && !problem.contains("hunter2"), "{problem}");
}

#[test]
fn a_key_file_is_named_and_not_the_variable_that_is_unset() {
    let file = file_with("short");
    let path = file.path().to_str().unwrap();
    for (flag, name) in
        [("--auth-hs256-key-file", "AUTH_HS256_KEY_FILE"), ("--auth-jwks-file", "AUTH_JWKS_FILE")]
    {
        let problem = problem(&[flag, path], &[]);
        assert!(problem.starts_with(&format!("{name} ({path}): ")), "{problem}");
    }
    let problem = problem(&[], &[("AUTH_HS256_KEY", "short")]);
    assert!(problem.starts_with("AUTH_HS256_KEY: "), "{problem}");
}

#[test]
fn a_relay_token_that_cannot_be_used_is_refused() {
    let problem = |path: &str| {
        let text = problem(&["--functions-url", "http://f:3000", "--relay-token-file", path], &[]);
        assert!(text.starts_with("--relay-token-file (BELLWIRE_RELAY_TOKEN_FILE): "), "{text}");
        text
    };
    assert!(problem("/nowhere/token").contains("cannot read /nowhere/token: "));
    for text in ["", "\n", "two\nlines"] {
        let file = file_with(text);
        let path = file.path().to_str().unwrap();
        let problem = problem(path);
        assert!(problem.ends_with(&format!("{path} is empty or not a token")), "{problem}");
    }
}

#[test]
fn the_relay_takes_a_base_with_and_without_slash() {
    let token = file_with("a.b.c\n");
    for base in ["http://f:3000", "http://f:3000/"] {
        let token = token.path().to_str().unwrap();
        let arguments = ["--functions-url", base, "--relay-token-file", token];
        let relay = config(&arguments, &[]).unwrap().relay.unwrap();
        assert_eq!(relay.base, "http://f:3000");
    }
}
