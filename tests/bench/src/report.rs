//! The output of a run besides its tables.

use serde_json::{Value, json};
use support::table::Table;

use crate::cli::Args;
use crate::load::CONNECTIONS;

/// A whole run.
pub struct Report {
    seconds: f64,
    rounds: u32,
    cores: usize,
    /// Load average at the start of the run, caused by other programs.
    load_average: String,
    pub tables: Vec<Table>,
}

impl Report {
    pub fn new(args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_average = load.split(' ').next().unwrap_or_default().to_owned();
        let seconds = args.seconds.as_secs_f64();
        Self { seconds, rounds: args.rounds, cores, load_average, tables: Vec::new() }
    }

    pub fn head(&self) -> String {
        let Self { seconds, rounds, cores, load_average, .. } = self;
        format!(
            "{cores} cores, load average {load_average}; {rounds} rounds of {seconds} s in turns, \
             {CONNECTIONS} connections; medians of the rounds, ratios within each round"
        )
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
