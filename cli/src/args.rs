//! The command line. Secrets have flags for a file, never for the value.
//!
//! | file | commands |
//! |---|---|
//! | `global` | flags of every command |
//! | `notification` | `watch`, `notify`, `feed`, `read`, `import` |
//! | `user` | `devices`, `presence` |
//! | `queue`, `campaign`, `cache` | those of that name, and `queues` |
//! | `operations` | `token`, `doctor`, `probe` |
//! | `shell` | `completions`, `man` |

mod cache;
mod campaign;
mod global;
mod notification;
mod operations;
mod queue;
mod shell;
mod user;

use clap::{Parser, Subcommand};

pub use cache::{CacheCommand, CacheGet, CacheInvalidate};
pub use campaign::{Campaign, CampaignCommand, Load};
pub use global::Global;
pub use notification::{Feed, Import, Notify, Read, Watch};
pub use operations::{Doctor, Probe, TokenArgs};
pub use queue::{QueueCommand, QueueReceive, QueueSend, Queues};
pub use shell::{Completions, Man};
pub use user::{OneUser, Presence};

use crate::failure::EXIT_CODES;

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
