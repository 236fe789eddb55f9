//! `bellwire token`, `doctor` and `probe`: setting an installation up and checking it.

use clap::Args;

#[derive(Args, Debug)]
pub struct TokenArgs {
    /// The token's user, or the name of a calling service.
    #[arg(long, value_name = "SUB")]
    pub sub: String,

    /// Scopes, separated by spaces; `all` for every one.
    #[arg(long, default_value = "", value_name = "SCOPES")]
    pub scope: String,

    /// Hours until it expires.
    #[arg(
        long,
        default_value_t = 24,
        value_parser = clap::value_parser!(u64).range(1..=8760),
        value_name = "HOURS"
    )]
    pub ttl_hours: u64,

    /// Issuer, where functions and hub have one configured.
    #[arg(long, value_name = "ISS")]
    pub issuer: Option<String>,

    /// Audience, likewise.
    #[arg(long, value_name = "AUD")]
    pub audience: Option<String>,
}

#[derive(Args, Debug)]
pub struct Doctor {
    /// Also look at this Redis (BELLWIRE_REDIS_URL). A URL with a password belongs in the variable.
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,

    /// Also look at this Postgres (BELLWIRE_POSTGRES_URL), likewise.
    #[arg(long, value_name = "URL")]
    pub postgres_url: Option<String>,

    /// Hosts that serve the functions: each may open 384 connections to Postgres.
    #[arg(
        long,
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        value_name = "N"
    )]
    pub hosts: u32,
}

#[derive(Args, Debug)]
pub struct Probe {
    /// The URL, such as `http://127.0.0.1:9464/readyz`.
    pub url: String,
}
