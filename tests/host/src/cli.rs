//! The command line, with the names and formats of `spin up` where it has the flag.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Serves a spin.toml on a machine without the Spin CLI, for development and tests.
#[derive(Debug, Clone, Parser)]
#[command(name = "bellwire-host", version)]
pub struct Args {
    /// The manifest
    #[arg(short = 'f', long = "from", alias = "manifest", default_value = "spin.toml")]
    pub manifest: PathBuf,

    /// IP address and port to listen on; port 0 takes a free one
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000")]
    pub listen: String,

    /// A value for an application variable
    #[arg(long = "variable", value_name = "KEY=VALUE | KEY=@FILE", value_parser = parse_variable)]
    pub variables: Vec<(String, String)>,

    /// SQLite databases other than the default one
    #[arg(long, env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,

    /// Statements for the default SQLite database, run before serving; may be repeated
    #[arg(long = "sqlite", value_name = "SQL | @FILE | @FILE:LABEL")]
    pub sqlite_statements: Vec<String>,

    /// Where the default database is stored [default: .spin beside the manifest; empty: in memory]
    #[arg(long)]
    pub state_dir: Option<String>,

    /// Requests that one instance serves before it is dropped
    #[arg(long, default_value_t = 128, value_parser = parse_count)]
    pub max_instance_reuse_count: usize,

    /// Requests that one instance serves at the same time
    #[arg(long, default_value_t = 16, value_parser = parse_count)]
    pub max_instance_concurrent_reuse_count: usize,

    /// How long an idle instance is kept
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    pub idle_instance_timeout: Duration,

    /// How long a component may take to answer, and to finish afterwards [default: unlimited]
    #[arg(long, value_parser = parse_limit)]
    pub request_timeout: Option<Limit>,

    /// Requests that all components serve at the same time; further ones wait for up to 1 s and are
    /// then answered 503. wasmtime has room for 1,000 tasks; when it is full, an instance fails
    /// with all of its requests
    #[arg(long, default_value_t = 500, value_parser = parse_count)]
    pub max_requests_in_flight: usize,

    /// Do not show the output of components
    #[arg(short, long)]
    pub quiet: bool,

    /// Where compiled components are kept [default: beside this program]
    #[arg(long, env = "BELLWIRE_HOST_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// A duration or `none`. Not an `Option`, which means an optional flag to clap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit(pub Option<Duration>);

fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be in the form key=value")?;
    let value = match value.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

/// At least 1: with 0, no instance would ever accept a request.
fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err("must be a number of at least 1".into()),
    }
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit(None)) } else { parse_duration(text).map(|d| Limit(Some(d))) }
}

/// Seconds, unless a suffix says otherwise.
fn parse_duration(text: &str) -> Result<Duration, String> {
    type Unit = fn(u64) -> Duration;
    let units: [(&str, Unit); 6] = [
        ("ms", Duration::from_millis),
        ("us", Duration::from_micros),
        ("μs", Duration::from_micros),
        ("ns", Duration::from_nanos),
        ("s", Duration::from_secs),
        ("", Duration::from_secs),
    ];
    let parsed = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)));
    match parsed.and_then(|(number, unit)| Some(unit(number.parse().ok()?))) {
        Some(duration) => Ok(duration),
        None => Err("must be a whole number with the suffix s, ms, us or ns, or none".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_as_in_spin() {
        assert_eq!(parse_duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("7us"), Ok(Duration::from_micros(7)));
        assert!(parse_duration("1.5s").is_err());
        assert!(parse_duration("1m").is_err());
        assert_eq!(parse_limit("none"), Ok(Limit(None)));
    }

    #[test]
    fn only_the_first_equals_sign_separates() {
        assert_eq!(parse_variable("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(parse_variable("a").is_err());
    }

    #[test]
    fn the_defaults_are_spins() {
        let args = Args::parse_from(["bellwire-host"]);
        assert_eq!(args.max_instance_reuse_count, 128);
        assert_eq!(args.max_instance_concurrent_reuse_count, 16);
        assert_eq!(args.idle_instance_timeout, Duration::from_secs(1));
        assert_eq!(args.request_timeout, None);
    }
}
