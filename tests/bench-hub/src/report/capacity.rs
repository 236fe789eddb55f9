//! The capacity of a machine, computed from the other tables.

use support::table::{Cell, Table};

use super::Series;

const KIB_PER_GIB: f64 = 1024.0 * 1024.0;

/// Capacity per machine: the numbers of `docs/CAPACITY.md`.
pub fn table(series: &[Series]) -> Table {
    let mut table = Table::new(
        "Capacity",
        &[
            "",
            "sockets per GiB",
            "of which the kernel's share",
            "messages/s per core, steady",
            "messages/s per core, busy",
            "connects/s per core",
        ],
    );
    table.rows.extend(series.iter().map(|one| {
        // The larger value: memory used once may be reused.
        let own = one.of(|s| s.idle_kib.max(s.later_kib));
        // A socket costs the kernel the same for every gateway.
        let kernel = one.kernel_kib().or_else(|| series.iter().find_map(Series::kernel_kib));
        vec![
            Cell::text(one.kind.name()),
            kernel.map_or(Cell::Nothing, |kib| Cell::Number(KIB_PER_GIB / (own + kib), 0)),
            kernel.map_or(Cell::Nothing, |kib| {
                Cell::text(format!("{:.0} %", 100.0 * kib / (own + kib)))
            }),
            Cell::Number(1e6 / one.of(|s| s.steady.server_us), 0),
            Cell::Number(1e6 / one.of(|s| s.full.server_us), 0),
            Cell::Number(1e6 / one.of(|s| s.connect_us), 0),
        ]
    }));
    table.note("Computed from the tables above; Redis and the clients not included.");
    table
}
