mod access;
mod live;
mod state;
pub mod viewer;

use std::time::Duration;

use hub::config::Pace;

use crate::support::{Hub, Options};

/// A hub whose console takes snapshots quickly.
async fn hub() -> Hub {
    Hub::start_with(options()).await
}

fn options() -> Options {
    let pace = Pace { console_interval: Duration::from_millis(20), ..Pace::default() };
    Options { pace, has_console: true, ..Options::default() }
}
