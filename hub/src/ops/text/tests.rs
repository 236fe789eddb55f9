//! The page: which format, which series, which values. How a format is written is the library's.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use shared::CloseCode;
use support::metrics_page;

use super::*;
use crate::admission::plenty;
use crate::config::RedisTarget;
use crate::http::refusal_reason::Reason;
use crate::metrics::{CatchUp, Channel, Resume, Undelivered};
use crate::protocol::Protocol;
use crate::redis::commands::commands;

/// A page of a hub with these values.
fn page(
    metrics: Metrics,
    health: Health,
    admission: Arc<Admission>,
    queues: Queues,
    format: Format,
) -> String {
    let (health, metrics) = (Arc::new(health), Arc::new(metrics));
    let topology = RedisTarget::parse("redis://127.0.0.1:6379").unwrap().topology();
    // The page shows its connections.
    let _commands = commands(topology, health.clone(), metrics.clone());
    let now = Now { health, admission, queues, channels: (0, 0) };
    Sources { metrics, now }.render(format).unwrap()
}

fn new_page(format: Format) -> String {
    let admission = Admission::new(plenty());
    page(Metrics::default(), Health::default(), admission, Queues::default(), format)
}

/// Samples by name and labels, each of which may be there once.
fn samples(page: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect(line);
        assert!(series.starts_with("bellwire_hub_") || series.starts_with("process_"), "{line}");
        let value: f64 = value.parse().expect(line);
        assert!(samples.insert(series.to_owned(), value).is_none(), "{line} stands twice");
    }
    samples
}

#[test]
fn both_formats_have_the_same_series_and_help() {
    let [open_metrics, prometheus] = [Format::OpenMetrics, Format::Prometheus].map(new_page);
    let names = |page: &str| {
        // Bounds are written differently: 5e-5 and 5e-05.
        let of_series = |series: String| match series.split_once("{le=\"") {
            None | Some((_, "+Inf\"}")) => series,
            Some((name, bound)) => {
                format!("{name} {}", bound.trim_end_matches("\"}").parse::<f64>().unwrap())
            }
        };
        samples(page).into_keys().map(of_series).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&open_metrics), names(&prometheus));
    assert!(open_metrics.ends_with("# EOF\n") && !prometheus.contains("EOF"));
    // As they were before a library wrote the page.
    let family = "# HELP bellwire_hub_gaps_total Gaps sent to sockets.\n\
                  # TYPE bellwire_hub_gaps_total counter\nbellwire_hub_gaps_total 0\n";
    assert!(prometheus.contains(family), "{prometheus}");
    let version = env!("CARGO_PKG_VERSION");
    for page in [open_metrics, prometheus] {
        assert!(page.contains(&format!("\nbellwire_hub_build_info{{version=\"{version}\"}} 1\n")));
    }
}

#[test]
fn every_series_exists_from_the_start() {
    let samples = samples(&new_page(Format::Prometheus));
    assert_eq!(samples["bellwire_hub_sockets{protocol=\"sse\"}"], 0.0);
    assert_eq!(
        samples["bellwire_hub_refused_total{code=\"too_many_sockets\",reason=\"user_sockets\"}"],
        0.0
    );
    for code in CloseCode::ALL {
        let series = format!("bellwire_hub_closed_total{{code=\"{}\"}}", code.as_u16());
        assert_eq!(samples[&series], 0.0);
    }
    assert!(samples["process_start_time_seconds"] > 1.7e9);
    assert!(samples["bellwire_hub_redis_answer_age_seconds"] < 10.0);
    assert_eq!(samples["bellwire_hub_redis_subscribed"], 0.0);
    assert_eq!(samples["bellwire_hub_ready"], 0.0);
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 100_000.0);
    }
}

#[test]
fn every_counter_is_shown_in_its_series() {
    let metrics = Metrics::default();
    let health = Health::default();
    health.set_subscribed(true);
    for kind in [Protocol::V1, Protocol::Raw, Protocol::Events, Protocol::Events] {
        metrics.connected();
        metrics.socket_opened(kind);
    }
    let admission = Admission::new(plenty());
    let _connection = admission.connection([192, 0, 2, 1].into()).unwrap();
    metrics.socket_closed(Protocol::Events, Some(CloseCode::TooSlow.as_u16()));
    metrics.socket_closed(Protocol::V1, Some(1001));
    metrics.socket_opened(Protocol::V1);
    metrics.socket_closed(Protocol::V1, Some(4999));
    metrics.socket_opened(Protocol::V1);
    metrics.socket_closed(Protocol::V1, None);
    metrics.user_came();
    metrics.refused(Reason::AddressRate);
    metrics.refused(Reason::HeadTimeout);
    metrics.message_received(Channel::Notifications);
    metrics.message_received(Channel::Events);
    metrics.undelivered(Undelivered::Shed, 5);
    metrics.invalid_event();
    metrics.delivered(3);
    metrics.delivered_after(Duration::from_micros(50));
    metrics.delivered_after(Duration::from_micros(51));
    metrics.delivered_after(Duration::from_secs(60));
    let queues = Queues { frames: 3, bytes: 200, longest: 2 };
    metrics.resumed(Resume::Replayed, 4);
    metrics.resumed(Resume::Nothing, 0);
    metrics.resumed(Resume::Gap, 0);
    metrics.gap();
    metrics.caught_up(CatchUp::Heads, 100, true);
    metrics.caught_up(CatchUp::Feeds, 8, false);
    metrics.commands_connected();
    metrics.subscription_lost();
    metrics.presence_failed();
    metrics.relay_called(true);
    metrics.relay_called(false);
    metrics.ticket_issued();
    metrics.ticket_redeemed();
    let samples = samples(&page(metrics, health, admission, queues, Format::Prometheus));
    for (series, value) in [
        ("sockets{protocol=\"v1\"}", 0.0),
        ("sockets{protocol=\"raw\"}", 1.0),
        ("sockets{protocol=\"sse\"}", 1.0),
        ("users", 1.0),
        ("connections", 1.0),
        ("connects_total", 4.0),
        ("sockets_max", plenty().sockets_max as f64),
        ("refused_total{code=\"rate_limited\",reason=\"address_rate\"}", 1.0),
        ("refused_total{code=\"rate_limited\",reason=\"ticket_rate\"}", 0.0),
        ("refused_total{code=\"none\",reason=\"head_timeout\"}", 1.0),
        ("closed_total{code=\"4408\"}", 1.0),
        ("closed_total{code=\"1001\"}", 1.0),
        ("closed_total{code=\"other\"}", 1.0),
        ("closed_total{code=\"none\"}", 1.0),
        ("messages_total{channel=\"notifications\"}", 1.0),
        ("messages_total{channel=\"events\"}", 1.0),
        ("undelivered_total{reason=\"shed\"}", 5.0),
        ("odd_events_total", 1.0),
        ("delivered_total", 3.0),
        ("delivery_seconds_bucket{le=\"5e-05\"}", 1.0),
        ("delivery_seconds_bucket{le=\"0.0001\"}", 2.0),
        ("delivery_seconds_bucket{le=\"2.5\"}", 2.0),
        ("delivery_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("delivery_seconds_count", 3.0),
        ("delivery_seconds_sum", 60.000_101),
        ("queued_frames", 3.0),
        ("queued_bytes", 200.0),
        ("queue_frames_max", 2.0),
        ("resumes_total{outcome=\"gap\"}", 1.0),
        ("replay_entries_bucket{le=\"0\"}", 1.0),
        ("replay_entries_bucket{le=\"10\"}", 2.0),
        ("replay_entries_sum", 4.0),
        ("gaps_total", 1.0),
        ("reads_total{of=\"heads\"}", 100.0),
        ("read_failures_total{of=\"feeds\"}", 8.0),
        ("redis_subscribed", 1.0),
        ("redis_connected", 1.0),
        ("redis_lost_total{of=\"subscription\"}", 1.0),
        ("presence_failures_total", 1.0),
        ("relay_calls_total{outcome=\"ok\"}", 1.0),
        ("relay_calls_total{outcome=\"failed\"}", 1.0),
        ("ready", 1.0),
        ("tickets_issued_total", 1.0),
        ("tickets_redeemed_total", 1.0),
    ] {
        let series = format!("bellwire_hub_{series}");
        assert_eq!(samples.get(&series), Some(&value), "{series}");
    }
}

#[test]
fn the_documented_metrics_are_on_the_page() {
    let found = metrics_page::has_the_documented(&new_page(Format::Prometheus), "bellwire_hub_");
    assert!(found > 10, "{found}");
}

#[test]
fn the_alerts_are_about_metrics_that_exist() {
    let found = metrics_page::has_the_alerts(&new_page(Format::Prometheus), "bellwire_hub_");
    assert!(found > 25, "{found}");
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let page = new_page(Format::Prometheus);
    let found = metrics_page::has_the_dashboards(&page, &["bellwire_hub_", "process_"]);
    assert!(found > 25, "{found}");
}
