//! What the console costs the hub.

use support::stats::median;
use support::table::{Cell, Table};

use crate::cli::{Args, Kind};
use crate::report::Series;

/// What the console costs the hub, in percent of a core; `None` unless it was measured beside the
/// hub without it.
pub(super) fn table(args: &Args, series: &[Series]) -> Option<Table> {
    let find = |kind| series.iter().find(|one| one.kind == kind);
    let hub = find(Kind::Hub)?;
    let with: Vec<&Series> =
        [Kind::HubConsole, Kind::HubViewer].into_iter().filter_map(find).collect();
    if with.is_empty() {
        return None;
    }
    let title = format!("The console, at {} messages/s", args.rate);
    let mut table = Table::new(title, &["", "server cores", "more than the hub, % of a core"]);
    for one in std::iter::once(hub).chain(with) {
        let pairs = one.samples.iter().zip(&hub.samples);
        let more = median(pairs.map(|(with, without)| with.steady.cores - without.steady.cores));
        table.rows.push(vec![
            Cell::text(one.kind.name()),
            Cell::Number(one.of(|s| s.steady.cores), 3),
            Cell::Number(100.0 * more, 2),
        ]);
    }
    table.note("Median of the differences within each round. Goal: at most 1 % with one viewer.");
    Some(table)
}
