//! The page as a scraper reads it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use shared::CloseCode;

use super::*;
use crate::admission::{Admission, plenty};
use crate::metrics::{CatchUp, Channel, Resume, Undelivered};
use crate::protocol::Protocol;

/// Samples by name and labels, after checking every line against the format.
fn samples(page: &str) -> HashMap<String, f64> {
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    let mut samples = HashMap::new();
    let mut family = "";
    let mut closed = HashSet::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect(line);
            assert!(!text.is_empty() && closed.insert(name), "{line} stands twice");
            family = name;
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect(line);
            assert_eq!(name, family, "TYPE follows its HELP");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            kinds.insert(name, kind);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let name = series.split('{').next().unwrap();
        let is_histogram = kinds[family] == "histogram";
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert_eq!(if is_histogram { base.expect(line) } else { name }, family, "{line}");
        assert!(name.starts_with("bellwire_hub_") || name.starts_with("process_"), "{line}");
        let value: f64 = value.parse().expect(line);
        assert!(samples.insert(series.to_owned(), value).is_none(), "{line} stands twice");
    }
    assert!(page.ends_with('\n'));
    samples
}

#[test]
fn everything_is_there_from_the_start_and_reads_as_the_format_wants() {
    let metrics = Metrics::default();
    let samples = samples(&metrics.render(&Health::default(), &Admission::new(plenty())));
    assert_eq!(samples["bellwire_hub_sockets{protocol=\"sse\"}"], 0.0);
    assert_eq!(samples["bellwire_hub_refused_total{code=\"too_many_sockets\"}"], 0.0);
    for code in CloseCode::ALL {
        let series = format!("bellwire_hub_closed_total{{code=\"{}\"}}", code.as_u16());
        assert_eq!(samples[&series], 0.0);
    }
    assert!(samples["process_start_time_seconds"] > 1.7e9);
    assert!(samples["bellwire_hub_redis_answer_age_seconds"] < 10.0);
    assert_eq!(samples["bellwire_hub_redis_subscribed"], 0.0);
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 100_000.0);
    }
}

#[test]
fn what_is_counted_is_shown_where_it_belongs() {
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
    metrics.refused(Code::RateLimited);
    metrics.refused(Code::InvalidPath);
    metrics.heard(Channel::Notifications);
    metrics.heard(Channel::Events);
    metrics.undelivered(Undelivered::Repeated);
    metrics.odd_event();
    metrics.delivered(3);
    metrics.delivered_after(Duration::from_micros(50));
    metrics.delivered_after(Duration::from_micros(51));
    metrics.delivered_after(Duration::from_secs(60));
    metrics.queued(100, 1);
    metrics.queued(200, 2);
    metrics.unqueued(1, 100);
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
    let samples = samples(&metrics.render(&health, &admission));
    for (series, value) in [
        ("sockets{protocol=\"v1\"}", 0.0),
        ("sockets{protocol=\"raw\"}", 1.0),
        ("sockets{protocol=\"sse\"}", 1.0),
        ("users", 1.0),
        ("connections", 1.0),
        ("connects_total", 4.0),
        ("sockets_max", plenty().sockets_max as f64),
        ("refused_total{code=\"rate_limited\"}", 1.0),
        ("refused_total{code=\"invalid_path\"}", 1.0),
        ("closed_total{code=\"4408\"}", 1.0),
        ("closed_total{code=\"1001\"}", 1.0),
        ("closed_total{code=\"other\"}", 1.0),
        ("closed_total{code=\"none\"}", 1.0),
        ("messages_total{channel=\"notifications\"}", 1.0),
        ("messages_total{channel=\"events\"}", 1.0),
        ("undelivered_total{reason=\"repeated\"}", 1.0),
        ("odd_events_total", 1.0),
        ("delivered_total", 3.0),
        ("delivery_seconds_bucket{le=\"0.00005\"}", 1.0),
        ("delivery_seconds_bucket{le=\"0.0001\"}", 2.0),
        ("delivery_seconds_bucket{le=\"2.5\"}", 2.0),
        ("delivery_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("delivery_seconds_count", 3.0),
        ("delivery_seconds_sum", 60.000_101),
        ("queued_frames", 1.0),
        ("queued_bytes", 200.0),
        ("queue_frames_most", 2.0),
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
        ("tickets_issued_total", 1.0),
        ("tickets_redeemed_total", 1.0),
    ] {
        let series = format!("bellwire_hub_{series}");
        assert_eq!(samples.get(&series), Some(&value), "{series}");
    }
}
