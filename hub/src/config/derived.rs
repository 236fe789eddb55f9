//! Limits, metrics access and shutdown times, computed from their settings.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use native::ops::MetricsAccess;

use crate::admission::Limits;
use crate::admission::client_address::TrustedProxies;
use crate::admission::rate_limit::Rate;
use crate::config::limit_flags::{LimitArgs, MetricsArgs, TimeArgs};
use crate::limits::{
    CONNECTIONS_PER_SPARE, CONNECTS_BURST_S, FILES_RESERVED, SHUTDOWN_DEADLINE,
    SHUTDOWN_SOCKETS_DEADLINE,
};

/// The deadlines of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    pub(crate) deadline: Duration,
    /// The part of `deadline` that sockets get to close; the rest is for releasing presence.
    pub(crate) sockets_deadline: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::within(SHUTDOWN_DEADLINE)
    }
}

impl Shutdown {
    /// # Errors
    /// The drain spread exceeds the time for closing sockets.
    pub(crate) fn new(args: &TimeArgs) -> Result<Self> {
        let shutdown = Self::within(Duration::from_secs(args.shutdown_deadline_s));
        ensure!(
            Duration::from_millis(args.drain_spread_ms) <= shutdown.sockets_deadline,
            "--drain-spread-ms (BELLWIRE_HUB_DRAIN_SPREAD_MS) is {}, but of --shutdown-deadline-s \
             only {} ms are for the sockets",
            args.drain_spread_ms,
            shutdown.sockets_deadline.as_millis()
        );
        Ok(shutdown)
    }

    fn within(deadline: Duration) -> Self {
        let share = SHUTDOWN_SOCKETS_DEADLINE.div_duration_f64(SHUTDOWN_DEADLINE);
        Self { deadline, sockets_deadline: deadline.mul_f64(share) }
    }
}

/// Computes the limits; `files_max` is the number of files that the process may open.
///
/// # Errors
/// The settings need more files than that, or a network is invalid.
pub(crate) fn limits(args: &LimitArgs, files_max: u64) -> Result<Limits> {
    let connections_max = connections_max(args.connections_max as usize, files_max)?;
    let sockets_max = match args.sockets_max as usize {
        0 => (connections_max - connections_max / CONNECTIONS_PER_SPARE).max(1),
        wanted => {
            ensure!(
                wanted <= connections_max,
                "--sockets-max (BELLWIRE_HUB_SOCKETS_MAX) is {wanted}, but there are only \
                 {connections_max} connections"
            );
            wanted
        }
    };
    let networks = args.trusted_proxies.iter().map(|text| text.trim());
    let networks = networks.filter(|text| !text.is_empty());
    let trusted_proxies =
        TrustedProxies::parse(networks, args.forwarded_header).map_err(|problem| {
            anyhow!("--trusted-proxies (BELLWIRE_HUB_TRUSTED_PROXIES): {problem}")
        })?;
    let rate = |per_s: u32, burst_s: u32| Rate { per_s, burst: per_s.saturating_mul(burst_s) };
    Ok(Limits {
        connections_max,
        sockets_max,
        sockets_per_user_max: args.sockets_per_user_max,
        connections_per_address_max: args.connections_per_address_max,
        connects_per_address: rate(args.connects_per_address_per_s, CONNECTS_BURST_S),
        handshakes: rate(args.handshakes_per_s, 1),
        trusted_proxies,
    })
}

/// `wanted` connections, or the possible maximum for 0.
fn connections_max(wanted: usize, files_max: u64) -> Result<usize> {
    let possible = usize::try_from(files_max.saturating_sub(FILES_RESERVED)).unwrap_or(usize::MAX);
    ensure!(
        possible > 0,
        "the process may open {files_max} files; it needs {FILES_RESERVED} beside its connections"
    );
    ensure!(
        wanted <= possible,
        "--connections-max (BELLWIRE_HUB_CONNECTIONS_MAX) is {wanted}, but the process may open \
         {files_max} files and needs {FILES_RESERVED} for other things; raise the hard limit \
         (LimitNOFILE= of systemd, --ulimit nofile= of docker)"
    );
    Ok(if wanted == 0 { possible } else { wanted })
}

/// # Errors
/// An invalid address, or a token file that is unreadable or empty.
pub(crate) fn metrics(args: &MetricsArgs) -> Result<MetricsAccess> {
    let (listen, token_file) = (args.metrics_listen.as_deref(), args.metrics_token_file.as_deref());
    MetricsAccess::new(listen, token_file, "BELLWIRE_HUB_")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::flags::{Cli, ServeArgs};

    fn args(arguments: &[&str]) -> ServeArgs {
        Cli::try_parse_from([&["bellwire-hub"], arguments].concat()).unwrap().serve
    }

    fn limits_of(arguments: &[&str], files_max: u64) -> Result<Limits> {
        limits(&args(arguments).limits, files_max)
    }

    #[test]
    fn the_limit_of_open_files_is_the_default() {
        let limits = limits_of(&[], 20_000).unwrap();
        assert_eq!((limits.connections_max, limits.sockets_max), (19_900, 18_657));
        assert_eq!((limits.connects_per_address.burst, limits.handshakes.burst), (500, 1000));
        assert_eq!(limits_of(&["--sockets-max", "7"], 20_000).unwrap().sockets_max, 7);
        assert_eq!(limits_of(&["--connections-max", "1"], 20_000).unwrap().sockets_max, 1);
    }

    #[test]
    fn impossible_limits_are_rejected_by_name() {
        let problem = |arguments: &[&str], files_max| {
            limits_of(arguments, files_max).unwrap_err().to_string()
        };
        assert!(problem(&["--connections-max", "30000"], 20_000).contains("CONNECTIONS_MAX"));
        let sockets = problem(&["--connections-max", "10", "--sockets-max", "11"], 20_000);
        assert!(sockets.contains("SOCKETS_MAX"), "{sockets}");
        assert!(problem(&[], 100).contains("100 files"));
        let proxies = problem(&["--trusted-proxies", "10.0.0.0/8, nonsense"], 20_000);
        assert!(proxies.contains("TRUSTED_PROXIES") && proxies.contains("nonsense"), "{proxies}");
    }

    #[test]
    fn metrics_need_an_address_or_a_token() {
        let of = |arguments: &[&str]| metrics(&args(arguments).metrics);
        assert_eq!(of(&[]).unwrap(), MetricsAccess::default());
        let access = of(&["--metrics-listen", "127.0.0.1:9464"]).unwrap();
        assert_eq!(access.listen, Some(([127, 0, 0, 1], 9464).into()));
        let wrong = format!("{:#}", of(&["--metrics-listen", "here"]).unwrap_err());
        assert!(wrong.contains("METRICS_LISTEN"), "{wrong}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let path = file.to_str().unwrap();
        let of_file = || of(&["--metrics-token-file", path]);
        assert!(format!("{:#}", of_file().unwrap_err()).contains("METRICS_TOKEN_FILE"));
        std::fs::write(&file, " \n").unwrap();
        assert!(of_file().unwrap_err().to_string().contains("is empty"));
        std::fs::write(&file, "hunter2\n").unwrap();
        let access = of_file().unwrap();
        assert_eq!(access.token.as_deref(), Some("hunter2"));
        assert!(!format!("{access:?}").contains("hunter2"));
    }

    #[test]
    fn sockets_get_their_share_of_the_deadline() {
        let of = |arguments: &[&str]| Shutdown::new(&args(arguments).times);
        let shutdown = of(&["--shutdown-deadline-s", "20", "--drain-spread-ms", "12000"]).unwrap();
        assert_eq!(shutdown.sockets_deadline, Duration::from_secs(12));
        assert_eq!(of(&[]).unwrap(), Shutdown::default());
        let problem = of(&["--drain-spread-ms", "6001"]).unwrap_err().to_string();
        assert!(problem.contains("DRAIN_SPREAD_MS") && problem.contains("6000"), "{problem}");
    }
}
