//! The benchmarks: `make bench`. Runs the scenarios in order; `docs/BENCHMARKS.md` explains them.
//!
//! Prints no number alone: each is compared with a floor or a peer that was measured in turns with
//! it.

mod answer;
mod cli;
mod load;
mod measure;
mod native;
mod node;
mod records;
mod redis_calls;
mod report;
mod scenarios;
mod stalls;

use anyhow::{Context as _, Result};
use clap::{Parser as _, ValueEnum as _};
use support::output::{show, write_json};

use crate::cli::{Args, Command, Scenario};
use crate::report::Report;

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    match &args.command {
        Some(Command::Native(native)) => runtime.block_on(native::serve(native)),
        None => runtime.block_on(run(&args)),
    }
}

async fn run(args: &Args) -> Result<()> {
    let mut report = Report::new(args);
    show(&report.head())?;
    for &scenario in Scenario::value_variants() {
        if !args.only.is_empty() && !args.only.contains(&scenario) {
            continue;
        }
        let tables = match scenario {
            Scenario::Feed => scenarios::feed::run(args).await,
            Scenario::Allocations => scenarios::allocations::run().await,
            Scenario::Counts => scenarios::counts::run().await,
            Scenario::Cache => scenarios::cache::run(args).await,
            Scenario::Pages => scenarios::pages::run(args).await,
            Scenario::Queues => scenarios::queues::run(args).await,
            Scenario::Create => scenarios::create::run(args).await,
            Scenario::Nest => scenarios::nest::run(args).await,
            Scenario::Bulk => scenarios::bulk::run(args).await,
            Scenario::Cluster => scenarios::cluster::run(args).await,
            Scenario::Tails => scenarios::tails::run(args).await,
            Scenario::Start => scenarios::start::run(args).await,
        };
        for table in tables.with_context(|| format!("{scenario:?}"))? {
            show(&table.to_text())?;
            report.tables.push(table);
        }
    }
    report.write_charts()?;
    if let Some(path) = &args.json {
        write_json(path, &report.to_json())?;
    }
    Ok(())
}
