//! `bellwire campaign`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::limits::LOAD_USERS;

#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Add the users of a CSV file, then start the push if there is one.
    ///
    /// All rows are checked before the first user is added. Each part of the file is added under a
    /// name made of --name and its first row, so that a repeat adds no user twice: after Ctrl-C, or
    /// any failure, run the same command again. This holds while the campaign exists: 24 hours after
    /// its last use.
    Load(Load),
    /// Show users and push.
    Status(Campaign),
    /// Pause the push.
    Pause(Campaign),
    /// Resume the push.
    Resume(Campaign),
    /// Cancel the push; users who were not claimed stay in the list.
    Cancel(Campaign),
    /// Remove the campaign with its users, responses and push.
    Remove(Campaign),
}

/// A command that is about one campaign.
#[derive(Args, Debug)]
pub struct Campaign {
    /// Id of the campaign.
    pub id: String,
}

#[derive(Args, Debug)]
pub struct Load {
    /// CSV file with a header: `userId`, `fcmToken` if you have it, and any others are fields for
    /// the template. `-` reads standard input.
    pub file: PathBuf,

    /// Id of the campaign.
    #[arg(long, value_name = "ID")]
    pub id: String,

    /// Start this push afterwards (TOML, with the members of `PUT /campaigns/{id}/push`).
    #[arg(long, value_name = "TEMPLATE")]
    pub push: Option<PathBuf>,

    /// Name of this load within the campaign; by default the file's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Users in one call. A repeat needs the same number.
    #[arg(
        long,
        default_value_t = LOAD_USERS,
        value_parser = clap::value_parser!(u32).range(1..=5000),
        value_name = "N"
    )]
    pub batch: u32,
}
