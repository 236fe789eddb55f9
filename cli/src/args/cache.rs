//! `bellwire cache`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Print a cached value; where it came from goes to standard error.
    Get(CacheGet),
    /// Invalidate values by their paths or tags.
    Invalidate(CacheInvalidate),
}

#[derive(Args, Debug)]
pub struct CacheGet {
    /// Path below /cache, such as `profile/alice`.
    pub path: String,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct CacheInvalidate {
    /// Paths below /cache, such as `profile/alice`.
    #[arg(group = "what")]
    pub paths: Vec<String>,

    /// Tag whose values are invalidated; may be given several times.
    #[arg(long = "tag", group = "what", value_name = "TAG")]
    pub tags: Vec<String>,

    /// Mark values as stale instead of removing them.
    #[arg(long)]
    pub soft: bool,
}
