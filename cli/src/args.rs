//! The command line. Secrets have flags for a file, never for the value.

mod campaign;
mod queue;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use campaign::{Campaign, CampaignCommand, Load};
pub use queue::{QueueCommand, QueueReceive, QueueSend};

use crate::failure::EXIT_CODES;
use crate::limits::{TIMEOUT_S, TIMEOUT_S_MAX};

/// Bellwire from the command line: watch, send, read, steer, and find what is wrong.
///
/// Where functions and hub are, and the token for them, come from flags, from the environment
/// (BELLWIRE_URL, BELLWIRE_HUB_URL, BELLWIRE_TOKEN or BELLWIRE_TOKEN_FILE), or from a profile in
/// ~/.config/bellwire/config.toml. With `make up`, `. .bellwire/up.env` sets all of them.
#[derive(Debug, Parser)]
#[command(name = "bellwire", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

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
    #[arg(
        long,
        global = true,
        default_value_t = TIMEOUT_S,
        value_parser = clap::value_parser!(u64).range(1..=TIMEOUT_S_MAX),
        value_name = "SECONDS"
    )]
    pub timeout: u64,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a user's notifications as they arrive; resume after a cut, and show gaps.
    Watch(Watch),
    /// Create a notification.
    Notify(Notify),
    /// Show a user's feed, newest first.
    Feed(Feed),
    /// Mark notifications as read.
    Read(Read),
    /// Show who is online; without users, how many are.
    Presence(Presence),
    /// Show the queues in use and their depths; on a terminal again and again.
    Queues(Queues),
    /// Send, receive, acknowledge, look at dead letters, put them back.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Load, start and steer a campaign.
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Import the notifications of another system: JSON lines, each user's oldest first.
    ///
    /// A line has the members of `POST /notifications/import` and, instead of an `idempotencyKey`, the `id` that the
    /// notification had. Nothing is published or pushed. Wrong lines are named and left out. A repeat
    /// imports nothing twice: after Ctrl-C, or any failure, run the same command again.
    Import(Import),
    /// Show a user's devices, without their addresses.
    Devices(OneUser),
    /// Read and invalidate cached resources.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a development token, made with the key of --key-file.
    Token(TokenArgs),
    /// Look at functions, hub, token, clocks, Redis and Postgres, and say what is wrong.
    Doctor(Doctor),
    /// Ask once whether a URL answers with success, such as the /readyz of a hub: for health checks.
    Probe(Probe),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print the manual page.
    Man(Man),
}

/// A command that is about one user.
#[derive(Args, Debug)]
pub struct OneUser {
    /// Id of the user.
    pub user: String,
}

#[derive(Args, Debug)]
pub struct Watch {
    /// Id of the user. The hub needs this user's own token; with another one, --key-file makes it.
    pub user: String,

    /// Start after this position: `id:<id of a notification>`, or `<epoch>:<seq>`. By default with
    /// what comes next.
    #[arg(long, value_name = "CURSOR")]
    pub since: Option<String>,

    /// End after this many notifications.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Notify {
    /// Id of the user.
    pub user: String,

    /// Title, at most 200 characters.
    pub title: String,

    /// Body, at most 4 KiB; `@FILE` reads a file, `-` standard input.
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,

    /// Label for clients, such as `order`.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// Any JSON, at most 8 KiB, sent unchanged; `@FILE` reads a file, `-` standard input.
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,

    /// When it vanishes from the feed, such as 2027-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,

    /// Whether the user's devices get a push.
    #[arg(long, value_name = "WHEN")]
    pub push: Option<PushWhen>,

    /// Seconds between the notification and the push.
    #[arg(long, requires = "push", value_name = "SECONDS")]
    pub push_after: Option<u32>,

    /// Seconds after which the push is worthless.
    #[arg(long, requires = "push", value_name = "SECONDS")]
    pub push_ttl: Option<u32>,

    /// How much a device may be disturbed.
    #[arg(long, requires = "push", value_name = "URGENCY")]
    pub push_urgency: Option<Urgency>,

    /// Pushes with the same text replace each other on the device.
    #[arg(long, requires = "push", value_name = "TEXT")]
    pub push_collapse: Option<String>,

    /// Name of this create: for 24 hours a repeat with it creates nothing. By default a random one,
    /// so that the command itself can repeat the call.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PushWhen {
    Always,
    /// If no hub holds the user.
    Offline,
    /// If it was not read by then.
    Unread,
    Never,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Urgency {
    VeryLow,
    Low,
    Normal,
    High,
}

#[derive(Args, Debug)]
pub struct Feed {
    /// Id of the user.
    pub user: String,

    /// Most entries.
    #[arg(
        long,
        short = 'n',
        default_value_t = 20,
        value_name = "N",
        value_parser = at_least_one,
        conflicts_with = "all"
    )]
    pub limit: usize,

    /// All entries that the record has.
    #[arg(long)]
    pub all: bool,

    /// Only what is unread.
    #[arg(long)]
    pub unread: bool,

    /// Only what is older than this notification, or the `next` of a page.
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Read {
    /// Id of the user.
    pub user: String,

    /// Ids of notifications.
    #[arg(group = "which")]
    pub ids: Vec<String>,

    /// Everything up to this `seq`.
    #[arg(long, group = "which", value_name = "SEQ")]
    pub up_to: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Import {
    /// File with a JSON object a line; `-` reads standard input.
    pub file: PathBuf,

    /// First delete the entries with the rows' ids, which the old service has pushed to the users'
    /// lists.
    #[arg(long)]
    pub replace: bool,
}

#[derive(Args, Debug)]
pub struct Presence {
    /// Ids of users.
    pub users: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Queues {
    /// Show them once. This is the default with --json, and if the output is not a terminal.
    #[arg(long)]
    pub once: bool,

    /// Seconds between two looks.
    #[arg(
        long,
        default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_name = "SECONDS"
    )]
    pub interval: u64,
}

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

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct Man {
    /// Write the pages of all commands into this directory instead.
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("must be a number, 1 or more")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Everyone on the machine can read arguments.
    #[test]
    fn no_flag_takes_a_secret() {
        fn flags(command: &clap::Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned));
            own.chain(command.get_subcommands().flat_map(flags)).collect()
        }
        let flags = flags(&Cli::command());
        assert!(flags.len() > 30, "{flags:?}");
        for secret in ["token", "key", "password", "secret"] {
            assert!(!flags.iter().any(|flag| flag == secret), "--{secret}");
        }
    }
}
