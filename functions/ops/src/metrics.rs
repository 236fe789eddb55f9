//! `GET /metrics?queues=a,b`: numbers of Redis, record and queues for Prometheus. An answer even if
//! Redis or the record is away: that is when people look.

use std::fmt::Write as _;

use futures_util::future::join_all;
use runtime::http::auth;
use runtime::queue_depth::QueueDepth;
use runtime::spin::{clock, deadline};
use runtime::{Error, RecordApp, Request, Response, log};
use shared::QueueName;
use shared::auth::Scope;

use crate::info::Infos;
use crate::{health, stats};

/// The relay notes every 30 s what is delivered. What it has not noted after four rounds is late.
const LATE_MS: i64 = 120_000;
/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers the page. A number that is not known is left out.
///
/// # Errors
/// Request errors only.
pub async fn metrics(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    let queues = stats::queues(request)?;
    let parts = health::parts(app).await;
    let is_well = |name: &str| parts.iter().any(|(part, problem)| *part == name && problem.is_ok());
    let mut page = Page::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.family("build_info", "gauge", "The version of the functions.");
    page.value("build_info", &version, 1);
    page.family("ready", "gauge", "Whether a part can serve requests: tokens, Redis, the record.");
    for (part, problem) in &parts {
        page.value("ready", &[("part", *part)], i64::from(problem.is_ok()));
    }
    if is_well("record") {
        late(app, &mut page).await;
    }
    // What is refused costs a round trip, what does not answer a second: once is enough.
    if is_well("redis") {
        match stats::infos(&app.redis).await {
            Ok(texts) => redis(&Infos::parse(&texts), &mut page),
            Err(error) => log::warn("info_failed", &[("error", &error.to_string())]),
        }
        depths(app, &queues, &mut page).await;
    }
    let response = Response::text(200, TEXT, page.0);
    Ok(response.with("cache-control", "no-store"))
}

/// Users whose notifications wait for delivery although the relay has had time for it.
async fn late(app: &RecordApp, page: &mut Page) {
    let late = app.record.late_count(clock::now_ms() - LATE_MS);
    match deadline::within(health::RECORD_DEADLINE, late).await {
        Some(Ok(users)) => {
            let help = "Users whose newest notification has waited for delivery for two minutes.";
            page.family("late_users", "gauge", help);
            page.value("late_users", &[], users);
        }
        Some(Err(error)) => log::warn("late_users_unknown", &[("error", &error.to_string())]),
        None => log::warn("late_users_unknown", &[("error", "the record did not answer in time")]),
    }
}

/// Redis' own numbers, those of a cluster's masters together.
fn redis(infos: &Infos<'_>, page: &mut Page) {
    let sum = |name: &str| infos.sum(name);
    for (name, kind, help, value) in [
        ("memory_bytes", "gauge", "Memory that Redis uses.", sum("used_memory")),
        ("memory_max_bytes", "gauge", "Redis' maxmemory; 0: no limit.", infos.memory_max()),
        ("evicted_keys_total", "counter", "Keys that Redis evicted.", sum("evicted_keys")),
        ("clients", "gauge", "Connections to Redis.", sum("connected_clients")),
        ("clients_max", "gauge", "Redis' maxclients.", sum("maxclients")),
        ("keys", "gauge", "Keys of all databases.", infos.keys()),
    ] {
        if let Some(value) = value {
            let name = format!("redis_{name}");
            page.family(&name, kind, help);
            page.value(&name, &[], value);
        }
    }
}

/// The depths of the named queues; a name that is not a queue, or whose server is away, is left out.
async fn depths(app: &RecordApp, queues: &[QueueName], page: &mut Page) {
    let epoch = clock::random_word();
    let depths = queues.iter().map(|queue| QueueDepth::read(&app.redis, queue, &epoch));
    let depths = join_all(depths).await;
    let mut known: Vec<(&str, &QueueDepth)> = Vec::with_capacity(queues.len());
    for (queue, depth) in queues.iter().zip(&depths) {
        match depth {
            Ok(depth) => known.push((queue.as_str(), depth)),
            Err(error) => log::warn("queue_depth_unknown", &[("error", &error.to_string())]),
        }
    }
    if known.is_empty() {
        return;
    }
    page.family("queue_messages", "gauge", "Messages of a queue, by state.");
    for (queue, depth) in &known {
        for (state, count) in [
            ("ready", depth.ready),
            ("delayed", depth.delayed),
            ("in_flight", depth.in_flight),
            ("dead", depth.dead),
        ] {
            page.value("queue_messages", &[("queue", *queue), ("state", state)], count);
        }
    }
    let help = "Age of the oldest message that was received before, or sent with a delay.";
    page.family("queue_oldest_seconds", "gauge", help);
    for (queue, depth) in &known {
        page.value("queue_oldest_seconds", &[("queue", *queue)], depth.oldest_age_s.unwrap_or(0));
    }
}

/// The page as text. Label values are names that need no escapes.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a family, whose values follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP bellwire_functions_{name} {help}");
        let _ = writeln!(self.0, "# TYPE bellwire_functions_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: i64) {
        let _ = write!(self.0, "bellwire_functions_{name}");
        for (at, (label, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{value}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_does_not_tell_is_left_out() {
        let texts = ["used_memory:5\r\nmaxmemory:7\r\n".to_owned()];
        let mut page = Page::default();
        redis(&Infos::parse(&texts), &mut page);
        let expected = "# HELP bellwire_functions_redis_memory_bytes Memory that Redis uses.\n\
                        # TYPE bellwire_functions_redis_memory_bytes gauge\n\
                        bellwire_functions_redis_memory_bytes 5\n\
                        # HELP bellwire_functions_redis_memory_max_bytes Redis' maxmemory; 0: no limit.\n\
                        # TYPE bellwire_functions_redis_memory_max_bytes gauge\n\
                        bellwire_functions_redis_memory_max_bytes 7\n";
        assert_eq!(page.0, expected);
    }

    #[test]
    fn labels_are_in_braces() {
        let mut page = Page::default();
        page.value("queue_messages", &[("queue", "a:b"), ("state", "dead")], 3);
        let expected = "bellwire_functions_queue_messages{queue=\"a:b\",state=\"dead\"} 3\n";
        assert_eq!(page.0, expected);
    }
}
