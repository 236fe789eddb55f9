use clap::Parser as _;

use super::*;
use crate::config::flags::Cli;

fn config(arguments: &[&str], env: &[(&str, &str)]) -> Result<Config> {
    let arguments = [&["bellwire-hub"], arguments].concat();
    let look_up = |name: &str| {
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Config::new(&Cli::try_parse_from(arguments)?.serve, &look_up)
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
    let ftp = problem(&["--functions-url", "ftp://x", "--relay-token-file", "t"], &[]);
    assert!(ftp.contains("BELLWIRE_FUNCTIONS_URL"));
    let slash = problem(&["--allowed-origins", "https://a.example/"], &[]);
    assert!(slash.contains("https://a.example\""), "{slash}");
    assert!(problem(&["--allowed-origins", "*"], &[]).contains("ALLOWED_ORIGINS"));
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
fn the_relay_takes_a_base_with_and_without_slash() {
    for base in ["http://f:3000", "http://f:3000/"] {
        let arguments = ["--functions-url", base, "--relay-token-file", "t"];
        let relay = config(&arguments, &[]).unwrap().relay.unwrap();
        assert_eq!(relay.url, "http://f:3000/admin/relay");
    }
}
