//! `bellwire devices` and `presence`: users and where they are.

use clap::Args;

/// A command that is about one user.
#[derive(Args, Debug)]
pub struct OneUser {
    /// Id of the user.
    pub user: String,
}

#[derive(Args, Debug)]
pub struct Presence {
    /// Ids of users.
    pub users: Vec<String>,
}
