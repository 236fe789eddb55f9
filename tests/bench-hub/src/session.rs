//! One gateway's turn: start, sockets, idle time, load, stop.

use std::time::Duration;

use anyhow::{Context as _, Result};
use support::memory::pss;
use support::{RedisServer, cpu};

use crate::audience::{Borne, Users};
use crate::cli::{Args, Kind};
use crate::gateway::{Gateway, Programs};
use crate::memory::Kernel;
use crate::publisher::Pace;

/// Sockets opened and closed first, with messages: one-time allocations must not count as the
/// sockets' memory.
const WARM_UP_SOCKETS: usize = 100;
const WARM_UP_TIME: Duration = Duration::from_millis(500);
/// After the last handshake, presence is written and temporary memory is released.
const SETTLE: Duration = Duration::from_secs(3);

/// The results of a turn. CPU times are microseconds, memory is KiB per socket.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// CPU of the server until it is quiet, per connection.
    pub connect_us: f64,
    pub connects_per_s: f64,
    /// Of the whole process, before the sockets connect.
    pub base_mib: f64,
    pub idle_kib: f64,
    /// When it is quiet again after all messages.
    pub later_kib: f64,
    /// One end of the connection, in the kernel.
    pub kernel_kib: Option<f64>,
    pub steady: Borne,
    pub full: Borne,
}

/// `turn` is a unique name of the turn.
pub async fn run(
    args: &Args,
    programs: &Programs,
    kind: Kind,
    redis: &RedisServer,
    turn: &str,
) -> Result<Sample> {
    let gateway = Gateway::start(programs, kind, redis).await?;
    let sample = measure(args, &gateway, redis, turn).await;
    sample.with_context(|| format!("{}, which printed:\n{}", kind.name(), gateway.output()))
}

async fn measure(
    args: &Args,
    gateway: &Gateway,
    redis: &RedisServer,
    turn: &str,
) -> Result<Sample> {
    let warm = Users::prepare(gateway, redis, "warm", WARM_UP_SOCKETS, turn).await?;
    let mut audience = warm.come(gateway, redis).await?;
    audience.hear(Pace::Full, WARM_UP_TIME, gateway, redis).await?;
    drop(audience);
    let users = Users::prepare(gateway, redis, "user", args.sockets, turn).await?;
    tokio::time::sleep(SETTLE).await;

    let sockets = args.sockets as f64;
    let per_socket = |now: u64, before: u64| (now as f64 - before as f64) / 1024.0 / sockets;
    let base = pss(gateway.pid())?;
    let kernel_base = Kernel::now();
    let cpu_base = server_cpu(gateway);
    let begun = std::time::Instant::now();
    let mut audience = users.come(gateway, redis).await?;
    let connecting = begun.elapsed();
    tokio::time::sleep(SETTLE).await;
    let connect = server_cpu(gateway).saturating_sub(cpu_base);
    let idle_kib = per_socket(pss(gateway.pid())?, base);
    // Both ends of all connections are on this machine, and alike. Below half of them, other
    // programs have closed so many that the number would mean little.
    let kernel = Kernel::now().zip(kernel_base);
    let kernel = kernel.and_then(|(now, before)| now.per_socket(before, args.sockets as u64));
    let kernel_kib = kernel.map(|bytes| bytes / 1024.0);

    let pace = Pace::Steady(args.rate);
    let steady = audience.hear(pace, args.seconds, gateway, redis).await?;
    let full = audience.hear(Pace::Full, args.seconds, gateway, redis).await?;
    tokio::time::sleep(SETTLE).await;
    let later_kib = per_socket(pss(gateway.pid())?, base);
    Ok(Sample {
        connect_us: connect.as_secs_f64() * 1e6 / sockets,
        connects_per_s: sockets / connecting.as_secs_f64(),
        base_mib: base as f64 / 1024.0 / 1024.0,
        idle_kib,
        later_kib,
        kernel_kib,
        steady,
        full,
    })
}

fn server_cpu(gateway: &Gateway) -> Duration {
    let [cpu] = cpu::of_processes([gateway.pid()]);
    cpu
}
