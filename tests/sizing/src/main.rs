//! Prints what 1, 10 and 100 million users need, in each mode: the table in `docs/scale.md`.
//! `sizing 3000000` prints it for another number of users.

mod costs;
mod model;

use std::io::Write as _;

use model::{Live, Machine, Need, Usage, need};

fn main() -> std::io::Result<()> {
    let given: Vec<f64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let users = if given.is_empty() { vec![1e6, 10e6, 100e6] } else { given };
    std::io::stdout().write_all(table(&users).as_bytes())
}

const HEAD: &str = "\
| users, live | sockets | messages/s | hubs | CPU of a hub, ms/s | memory of a hub, GiB | masters | \
Redis, cores | Redis, GiB | Redis to hubs, MB/s | functions, cores | Postgres, cores |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

fn table(users: &[f64]) -> String {
    let mut text = HEAD.to_owned();
    for &users in users {
        for (name, live) in [("all", Live::All), ("bridge", Live::Bridge), ("own", Live::Own)] {
            let need = need(Usage::of(users), Machine::default(), live);
            text.push_str(&row(&format!("{} M, {name}", users / 1e6), need));
        }
    }
    text
}

fn row(name: &str, need: Need) -> String {
    let gib = |bytes: f64| bytes / (1024.0 * 1024.0 * 1024.0);
    format!(
        "| {name} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} |\n",
        need.sockets,
        need.messages_per_s,
        need.hubs,
        need.hub_ms_per_s,
        gib(need.hub_bytes),
        need.masters,
        need.redis_cores,
        gib(need.redis_bytes),
        need.traffic / 1e6,
        need.functions_cores,
        need.postgres_cores,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use crate::model::foreign_us;

    #[test]
    fn the_document_has_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");
        let document = std::fs::read_to_string(path).unwrap();
        let table = table(&[1e6, 10e6, 100e6]);
        assert!(document.contains(&table), "docs/scale.md needs this table:\n{table}");
    }

    /// The points that were measured, 20 hubs at 5,000 messages per second (docs/BENCHMARKS.md): what
    /// one of them spends on messages to users of others, and with own channels in all.
    #[test]
    fn the_model_agrees_with_the_measured_fleet() {
        let foreign = foreign_us(5_000.0) / 1e3;
        assert!((0.8..1.25).contains(&(foreign / 49.6)), "{foreign} ms");
        let own = 5_000.0 / 20.0 * costs::DELIVERED_US / 1e3;
        assert!((0.8..1.25).contains(&(own / 11.8)), "{own} ms");
    }

    #[test]
    fn only_own_channels_keep_a_hub_from_hearing_the_fleet() {
        let at = |live| need(Usage::of(100e6), Machine::default(), live);
        assert!(at(Live::Own).hub_ms_per_s * 10.0 < at(Live::All).hub_ms_per_s);
        assert!(at(Live::Own).traffic * 100.0 < at(Live::All).traffic);
    }
}
