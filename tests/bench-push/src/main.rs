//! The benchmark of pushes: `make bench-push`. Runs the measurements in order; `docs/BENCHMARKS.md`
//! explains them.
//!
//! Linux only: CPU time and memory come from `/proc`.

mod campaign;
mod cli;
mod dialogue;
mod measure;
mod report;
mod send;
mod serve;
mod setup;
mod subject;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use support::output::{show, write_json};

use crate::cli::{Args, Command, Scenario, Service};
use crate::measure::Server;

fn main() -> Result<()> {
    let args = Args::parse();
    match &args.command {
        Some(Command::Serve(serve)) => serve::run(serve),
        Some(Command::Send(send)) => send::run(send),
        None => tokio::runtime::Runtime::new()?.block_on(run(&args)),
    }
}

async fn run(args: &Args) -> Result<()> {
    let head = report::head(args);
    show(&head)?;
    let mut tables = Vec::new();
    let has_peers = args.wants(Scenario::Fcm) || args.wants(Scenario::Webpush);
    let peers = if has_peers { subject::peers(args) } else { None };
    for (scenario, service) in
        [(Scenario::Fcm, Service::Fcm), (Scenario::Webpush, Service::WebPush)]
    {
        if !args.wants(scenario) {
            continue;
        }
        let mut server = Server::start().await?;
        let series = measure::all(args, &mut server, service, peers.as_deref()).await;
        let series = series.with_context(|| service.name())?;
        for table in [report::table(service, &series), report::goals(service, &series)] {
            show(&table.to_text())?;
            tables.push(table);
        }
    }
    if args.wants(Scenario::Campaign)
        && let Some(worker) = campaign::worker()
    {
        let table = report::campaigns(&campaign::all(args, &worker).await?);
        show(&table.to_text())?;
        tables.push(table);
    }
    if let Some(path) = &args.json {
        write_json(path, &report::to_json(args, &head, &tables))?;
    }
    Ok(())
}
