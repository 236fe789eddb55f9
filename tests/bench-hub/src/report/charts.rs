//! The charts: costs beside the gateway in Node, and latencies.

use support::chart::{Bar, Chart, Content, Curve};
use support::stats::median;

use super::{Read, Series};
use crate::cli::{Args, Kind};

/// What the hub costs compared with Node, and the goals: at most so much.
const COSTS: [(&str, Read, Option<f64>); 5] = [
    ("CPU per message, steady", |s| s.steady.server_us, Some(0.4)),
    ("CPU per message, busy", |s| s.full.server_us, None),
    ("CPU per connect", |s| s.connect_us, Some(0.3)),
    ("memory per idle socket", |s| s.idle_kib, None),
    ("p99, publish to client", |s| s.steady.p99_ms, Some(1.0)),
];

/// `None` unless hub and Node were both measured.
pub fn costs(args: &Args, series: &[Series]) -> Option<Chart> {
    let find = |kind| series.iter().find(|one| one.kind == kind);
    let (hub, node) = (find(Kind::Hub)?, find(Kind::Node)?);
    let bar = |(label, read, goal): &(&str, Read, Option<f64>)| {
        let pairs = hub.samples.iter().zip(&node.samples);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| read(ours) / read(theirs)).collect();
        Bar {
            label: (*label).to_owned(),
            low: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            high: ratios.iter().copied().fold(0.0, f64::max),
            middle: median(ratios),
            goal: *goal,
        }
    };
    let (sockets, rounds, load) = (args.sockets, args.rounds, super::load_average());
    Some(Chart {
        name: "hub",
        title: "What the hub costs beside a gateway in Node".to_owned(),
        subtitle: format!(
            "1 × is ws and ioredis, less is better; {sockets} sockets; median, least, most of \
             {rounds} rounds; load {load}"
        ),
        content: Content::Ratios(COSTS.iter().map(bar).collect()),
    })
}

/// Publish to client, of all gateways; `None` if nothing was measured.
pub fn latencies(args: &Args, series: &[Series]) -> Option<Chart> {
    let curve = |one: &Series| {
        let at = |at: usize| median(one.samples.iter().map(|sample| sample.steady.curve_ms[at]));
        let worst = one.samples.iter().map(|sample| sample.steady.worst_ms).fold(0.0, f64::max);
        Curve { label: one.kind.name().to_owned(), ms: [at(0), at(1), at(2), at(3), worst] }
    };
    let (rate, sockets) = (args.rate, args.sockets);
    let curves: Vec<Curve> = series.iter().map(curve).collect();
    (!curves.is_empty()).then(|| Chart {
        name: "hub-latencies",
        title: format!("Publish to client, {rate} messages/s on {sockets} sockets"),
        subtitle: "Milliseconds that a share of all messages did not exceed; medians of the \
                   rounds, the worst of all"
            .to_owned(),
        content: Content::Latencies(curves),
    })
}
