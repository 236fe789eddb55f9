//! The benchmark of the hub: `make bench-hub`. Runs the measurements in order; `docs/BENCHMARKS.md`
//! explains them.
//!
//! Linux only: CPU time and memory come from `/proc`.

mod audience;
mod channels;
mod cli;
mod crowd;
mod fleet;
mod frames;
mod gateway;
mod memory;
mod nchan;
mod payload;
mod publisher;
mod report;
mod session;
mod wire;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::RedisServer;
use support::output::{show, write_json};

use crate::cli::{Args, Kind};
use crate::gateway::Programs;
use crate::report::Series;

/// Files besides the sockets: programs, Redis, epoll.
const FILES_BESIDE: u64 = 200;

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parsed();
    raise_limit(args.sockets)?;
    if let Some(part) = args.clients {
        return channels::clients(part).await;
    }
    let programs = Programs::find(&args)?;
    if args.fleet {
        return Ok(show(&fleet::measure(&args, &programs).await?.to_text())?);
    }
    if let Some(users) = args.channels {
        return Ok(show(&channels::measure(&programs, users as usize).await?.to_text())?);
    }
    show(&report::head(&args))?;
    let mut series: Vec<Series> = Kind::value_variants()
        .iter()
        .filter(|&&kind| args.wants(kind) && programs.has(kind))
        .map(|&kind| Series { kind, samples: Vec::new() })
        .collect();
    for round in 0..args.rounds {
        let count = series.len();
        for place in 0..count {
            let at = if round % 2 == 0 { place } else { count - 1 - place };
            let one = &mut series[at];
            // A fresh Redis: earlier turns leave no load behind.
            let redis = RedisServer::start().await;
            let turn = format!("bench-{round}-{place}");
            let sample = session::run(&args, &programs, one.kind, &redis, &turn).await?;
            one.samples.push(sample);
            eprintln!("{}", report::line(round + 1, one.kind, &sample));
        }
    }
    let tables = report::tables(&args, &series);
    for table in &tables {
        show(&table.to_text())?;
        for chart in &table.charts {
            let dir = args.charts();
            chart.write(&dir).with_context(|| dir.display().to_string())?;
        }
    }
    if let Some(path) = &args.json {
        write_json(path, &report::to_json(&args, &tables))?;
    }
    Ok(())
}

/// One file per socket, here and in the gateways, which inherit the limit.
fn raise_limit(sockets: usize) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let needed = sockets as u64 + FILES_BESIDE;
    ensure!(
        maximum.is_none_or(|maximum| maximum >= needed),
        "{sockets} sockets need {needed} open files per process; the hard limit is {maximum:?}"
    );
    Ok(())
}
