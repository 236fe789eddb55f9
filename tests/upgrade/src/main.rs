//! The upgrade run: `make test-upgrade`. Functions and hubs of a previous version are replaced by this one's, one
//! process at a time, and then put back, while services create, users listen, and queues are worked on. It ends with
//! the counts, and with an error if anything was lost, doubled, out of order, or answered 500.
//!
//! Two hosts of functions and two hubs, so that there are always both versions side by side; a step lasts some seconds.
//! Not here: a Redis or a database that fails (`tests/e2e`, `make chaos`).

mod counts;
mod load;
mod queue;
mod scene;
mod user;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use crate::scene::{Part, Scene, Version};

/// Every order in which somebody may upgrade. `make up` and docs/operations.md start with the functions.
const ORDERS: [(&str, [Part; 4]); 3] = [
    ("functions first", [Part::Functions(0), Part::Functions(1), Part::Hub(0), Part::Hub(1)]),
    ("hubs first", [Part::Hub(0), Part::Hub(1), Part::Functions(0), Part::Functions(1)]),
    ("in turns", [Part::Functions(0), Part::Hub(0), Part::Functions(1), Part::Hub(1)]),
];

/// Upgrades and goes back under load, and checks that nothing is lost or doubled.
#[derive(Parser)]
struct Args {
    /// The checkout of the previous version, with its components, host and hub built.
    #[arg(long)]
    previous: PathBuf,
    /// How long both versions work side by side after each step.
    #[arg(long, default_value_t = 3)]
    step_seconds: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let step = Duration::from_secs(args.step_seconds);
    let mut is_clean = true;
    for record in ["sqlite", "postgres"] {
        for (name, parts) in ORDERS {
            let mut scene = Scene::set_up(&args.previous, record).await;
            let load = load::start(&scene).await;
            tokio::time::sleep(step).await;
            for (version, parts) in [
                (Version::Present, parts),
                // Back: the last one that was upgraded first.
                (Version::Previous, {
                    let mut back = parts;
                    back.reverse();
                    back
                }),
            ] {
                for part in parts {
                    scene.exchange(part, version).await;
                    tokio::time::sleep(step).await;
                }
            }
            let counts = load.end().await;
            say(&format!("{record}, {name}: {counts}"))?;
            is_clean &= counts.is_clean();
        }
    }
    if !is_clean {
        bail!("a run is not clean: see above");
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
