//! The state of the hub at one moment, with what was counted since the one before.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use native::process::usage::{cpu_time, resident_bytes};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::console::counts::Counts;
use crate::metrics::families::PROTOCOLS;
use crate::protocol::Protocol;
use crate::session::state::App;

/// One second of the hub's life. Of a fixed size, so that the size of the ring is known.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot {
    /// Milliseconds since the Unix epoch.
    at: u64,
    /// Length of the interval of the counts, by the steady clock: the wall clock may be set, and
    /// jumps when a machine wakes.
    ms: u32,
    #[serde(serialize_with = "by_protocol")]
    sockets: [u32; Protocol::COUNT],
    users: u32,
    #[serde(flatten)]
    counts: Counts<u32>,
    queued_bytes: u64,
    redis: Redis,
    cpu_ms: u32,
    rss_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Redis {
    subscription: bool,
    commands: bool,
    heard_ms_ago: u32,
}

/// Totals at one moment; a snapshot is the difference of two.
pub(super) struct Reading {
    at: Instant,
    counts: Counts<u64>,
    cpu: Duration,
}

impl Reading {
    pub(super) fn now(app: &App) -> Self {
        Self { at: Instant::now(), counts: Counts::of(&app.metrics), cpu: cpu_time() }
    }

    /// The snapshot of this moment, with what was counted since `before`.
    pub(super) fn since(&self, before: &Self, app: &App) -> Snapshot {
        let metrics = &app.metrics;
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Snapshot {
            at: u64::try_from(epoch.as_millis()).unwrap_or(u64::MAX),
            ms: ms(self.at.saturating_duration_since(before.at)),
            sockets: metrics.sockets.each_ref().map(|gauge| number(gauge.get())),
            users: number(metrics.users.get()),
            counts: self.counts.since(&before.counts),
            queued_bytes: app.queued.bytes() as u64,
            redis: Redis {
                subscription: app.health.is_subscribed() && !app.health.is_deaf(),
                commands: metrics.commands_connected.get() > 0
                    && app.health.masters().iter().all(|master| master.is_connected),
                heard_ms_ago: ms(app.health.answer_age()),
            },
            cpu_ms: ms(self.cpu.saturating_sub(before.cpu)),
            rss_bytes: resident_bytes(),
        }
    }
}

fn number(gauge: i64) -> u32 {
    u32::try_from(gauge.max(0)).unwrap_or(u32::MAX)
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn by_protocol<S: Serializer>(
    sockets: &[u32; Protocol::COUNT],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(sockets.len()))?;
    for (protocol, sockets) in PROTOCOLS.iter().zip(sockets) {
        map.serialize_entry(protocol, sockets)?;
    }
    map.end()
}
