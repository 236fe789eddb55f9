//! `start`: the time until the host's first answer, with compiled components in its cache, and the
//! sizes of the components.

use std::time::Instant;

use anyhow::{Context as _, Result};
use support::functions::Setup;
use support::{Functions, RedisServer, paths};

use crate::cli::Args;
use support::stats::median;
use support::table::{Cell, Table};

const TIMES: &[&str] = &["start until the first answer", "ms", "components"];
const SIZES: &[&str] = &["component", "KiB"];

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let redis = RedisServer::start().await;
    let fixture = || {
        let manifest = paths::workspace().join("tests/host/fixture/spin.toml");
        Functions::with(&redis).manifest(manifest).variable("secret", "none")
    };
    // Compiles the components that are not cached.
    let (floor, ours) =
        (until_answer(fixture(), "/ok"), until_answer(Functions::with(&redis), "/healthz"));
    let _ = (floor.await, ours.await);
    let (mut floors, mut times) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        floors.push(until_answer(fixture(), "/ok").await);
        times.push(until_answer(Functions::with(&redis), "/healthz").await);
    }
    let sizes = sizes()?;
    let mut table = Table::new("start: warm compile cache", TIMES);
    for (name, times, count) in
        [("fixture, /ok", floors, 1), ("functions, /healthz", times, sizes.rows.len())]
    {
        let count = Cell::Number(count as f64, 0);
        table.rows.push(vec![Cell::text(name), Cell::Number(median(times), 0), count]);
    }
    table.note("Read from the host's log every 10 ms.");
    Ok(vec![table, sizes])
}

/// Milliseconds from the start of a host until an answer.
async fn until_answer(setup: Setup, target: &str) -> f64 {
    let begun = Instant::now();
    let functions = setup.start().await;
    // The fixture does not follow the contract of the API.
    let http = support::Http::plain(functions.url().trim_start_matches("http://"));
    http.get(target).send().await.expect(200);
    begun.elapsed().as_secs_f64() * 1000.0
}

fn sizes() -> Result<Table> {
    let mut table = Table::new("sizes of the components", SIZES);
    let manifest = std::fs::read_to_string(paths::manifest())?;
    for source in manifest.lines().filter_map(|line| line.strip_prefix("source = \"")) {
        let path = paths::workspace().join(source.trim_end_matches('"'));
        let name = path.file_stem().context("a component without a name")?.to_string_lossy();
        let bytes = std::fs::metadata(&path)?.len();
        table.rows.push(vec![Cell::text(name), Cell::Number(bytes as f64 / 1024.0, 0)]);
    }
    Ok(table)
}
