//! `probe`: one request for health checks, such as those of containers that have no shell. It needs
//! no settings and no token.

use std::io::Write as _;
use std::time::Duration;

use native::base_url::base_url;

use crate::api::{Api, Call, Repeat};
use crate::args::Probe;
use crate::failure::Outcome;
use crate::settings::wrong_url;

/// # Errors
/// No answer in time, or an answer that is not a success; the failure gives the reason.
pub async fn run(args: &Probe, timeout: Duration) -> Outcome<()> {
    let url = base_url(&args.url, "the argument")
        .map_err(|error| wrong_url(&args.url, &format!("{error:#}")))?;
    let api = Api::new(&url.origin().ascii_serialization(), None, timeout)?;
    // Once: health checks are repeated by what runs them.
    api.send(Call::get(url.path()).repeat(Repeat::Never)).await?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "ok")?;
    Ok(())
}
