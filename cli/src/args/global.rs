//! Flags that every command has.

use std::path::PathBuf;

use clap::Args;

use crate::limits::{TIMEOUT_S, TIMEOUT_S_MAX};

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where and how")]
pub struct Global {
    /// Base URL of the functions (BELLWIRE_URL).
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// Base URL of the hub (BELLWIRE_HUB_URL).
    #[arg(long, global = true, value_name = "URL")]
    pub hub_url: Option<String>,

    /// File with the token; `-` reads it from standard input (BELLWIRE_TOKEN_FILE; BELLWIRE_TOKEN
    /// holds the token itself).
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with the HS256 key, for commands that make tokens (BELLWIRE_KEY_FILE).
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// Profile of the configuration file; the environment is ignored then (BELLWIRE_PROFILE names
    /// one without that).
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// Configuration file (BELLWIRE_CONFIG).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print JSON, one document per line: what the API answers, unchanged.
    #[arg(long, global = true)]
    pub json: bool,

    /// Seconds to wait for an answer; a call that is repeated takes three times as long at most.
    /// `doctor` ends after this time with all its calls.
    #[arg(
        long,
        global = true,
        default_value_t = TIMEOUT_S,
        value_parser = clap::value_parser!(u64).range(1..=TIMEOUT_S_MAX),
        value_name = "SECONDS"
    )]
    pub timeout: u64,
}
