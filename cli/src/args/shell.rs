//! `bellwire completions` and `man`: what shells and `man` know of the command line.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

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
