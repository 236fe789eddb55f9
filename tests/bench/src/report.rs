//! The output of a run besides its tables.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use support::chart::{self, Chart};
use support::table::Table;

use crate::cli::{Args, ROUNDS, SECONDS};
use crate::load::CONNECTIONS;

/// A whole run.
pub struct Report {
    seconds: f64,
    rounds: u32,
    cores: usize,
    /// Load average at the start of the run, caused by other programs.
    load_average: String,
    charts: PathBuf,
    pub tables: Vec<Table>,
}

impl Report {
    pub fn new(args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_average = load.split(' ').next().unwrap_or_default().to_owned();
        let seconds = args.seconds.as_secs_f64();
        let is_short = args.rounds < ROUNDS || args.seconds < SECONDS;
        let charts = args.charts.clone().unwrap_or_else(|| chart::directory(is_short));
        Self { seconds, rounds: args.rounds, cores, load_average, charts, tables: Vec::new() }
    }

    pub fn head(&self) -> String {
        let Self { seconds, rounds, cores, load_average, .. } = self;
        format!(
            "{cores} cores, load average {load_average}; {rounds} rounds of {seconds} s in turns, \
             {CONNECTIONS} connections; medians of the rounds, ratios within each round"
        )
    }

    /// Writes the charts of all tables. They name the load, like the head of the tables: a picture
    /// travels without it.
    pub fn write_charts(&self) -> Result<()> {
        for chart in self.tables.iter().flat_map(|table| &table.charts) {
            let subtitle = format!("{}; load {}", chart.subtitle, self.load_average);
            let chart = Chart { subtitle, ..chart.clone() };
            chart.write(&self.charts).with_context(|| self.charts.display().to_string())?;
        }
        Ok(())
    }

    pub fn to_json(&self) -> Value {
        json!({
            "cores": self.cores,
            "loadAverage": self.load_average,
            "seconds": self.seconds,
            "rounds": self.rounds,
            "connections": CONNECTIONS,
            "tables": self.tables.iter().map(Table::to_json).collect::<Vec<_>>(),
        })
    }
}
