//! Our side: the library's `Sender`, driven directly, in a process of its own. Speaks as the peers
//! do: a line of standard input is a number of seconds to send for, the answer a line of JSON.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use push::collapse::Ids;
use push::message::{Message, Urgency};
use push::outcome::Outcome;
use push::sender::{Config, FcmConfig, WebPushConfig};
use push::webpush::Allowed;
use push::{Address, Origin, Push, Roots, Sender};
use serde_json::{Value, json};
use support::stats::percentile;

use crate::cli::{SendArgs, Service};
use crate::setup::Setup;

/// Longer than a busy machine stops a process.
const DEADLINE: Duration = Duration::from_secs(60);

struct Load {
    setup: Setup,
    service: Service,
    in_flight: usize,
    sender: Sender,
    message: Arc<Message>,
    next: AtomicUsize,
}

/// Sends as told until standard input ends.
pub fn run(args: &SendArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads)
        .enable_all()
        .build()?;
    let load = Arc::new(runtime.block_on(Load::new(args))?);
    for line in std::io::stdin().lock().lines() {
        let seconds = line?.parse().context("a number of seconds")?;
        // A task of its own: the main thread is none of the runtime's.
        let sending = runtime.spawn(send(load.clone(), Duration::from_secs_f64(seconds)));
        let told = runtime.block_on(sending)?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{told}")?;
        stdout.flush()?;
    }
    Ok(())
}

impl Load {
    async fn new(args: &SendArgs) -> Result<Self> {
        let setup = Setup::read(&args.setup)?;
        let origin = Origin::parse(&setup.origin, false).map_err(|problem| anyhow!(problem))?;
        let webpush = WebPushConfig {
            key: setup.vapid_key.clone(),
            subject: setup.vapid.subject.clone(),
            allowed: Allowed::default().with_loopback(),
        };
        let config = Config {
            fcm: Some(FcmConfig { origin, ..FcmConfig::new(setup.service_account.clone()) }),
            webpush: Some(webpush),
            in_flight_max: args.in_flight,
            deadline: DEADLINE,
            roots: Roots::Only(vec![std::fs::read(&setup.certificate_der)?]),
            ..Config::default()
        };
        let content = setup.message.clone();
        let message = Message {
            id: "n1".to_owned(),
            kind: Some(content.kind),
            title: content.title,
            body: Some(content.body),
            data: serde_json::from_str(&content.data).ok(),
            urgency: Some(Urgency::High),
            ..Message::default()
        };
        Ok(Self {
            sender: Sender::new(config).await?,
            message: Arc::new(message),
            service: args.service,
            in_flight: args.in_flight,
            next: AtomicUsize::new(0),
            setup,
        })
    }

    /// The next push, made as a worker makes it: with an address and ids of its own.
    fn push(&self) -> Push {
        let number = self.next.fetch_add(1, Relaxed) % self.setup.addresses;
        let keys = self.setup.subscriptions.get(number % self.setup.subscriptions.len());
        let address = match (self.service, keys) {
            (Service::WebPush, Some(subscription)) => Address::WebPush {
                endpoint: self.setup.endpoint(number),
                p256dh: subscription.keys.p256dh.clone(),
                auth: subscription.keys.auth.clone(),
            },
            _ => Address::Fcm { token: self.setup.token(number) },
        };
        Push {
            address,
            message: self.message.clone(),
            ids: Ids::new("n1", &number.to_string(), "default", Some("invoice")),
            ttl_s: self.setup.message.ttl_seconds,
            validate_only: false,
        }
    }
}

/// What a loop saw.
#[derive(Default)]
struct Seen {
    /// Of accepted pushes, in microseconds.
    latencies: Vec<u32>,
    failed: u64,
}

/// Sends one push after the other until `end`.
async fn send_until(load: &Load, end: Instant) -> Seen {
    let mut seen = Seen::default();
    loop {
        let push = load.push();
        let begun = Instant::now();
        match load.sender.send_one(&push).await {
            Outcome::Accepted => {
                let took = begun.elapsed().as_micros();
                seen.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
            other => {
                if seen.failed == 0 {
                    eprintln!("{other:?}");
                }
                seen.failed += 1;
            }
        }
        if Instant::now() >= end {
            return seen;
        }
    }
}

/// Keeps as many in flight as configured, for `time`.
async fn send(load: Arc<Load>, time: Duration) -> Value {
    let begun = Instant::now();
    let loops: FuturesUnordered<_> =
        (0..load.in_flight).map(|_| send_until(&load, begun + time)).collect();
    let all: Vec<Seen> = loops.collect().await;
    let seconds = begun.elapsed().as_secs_f64();
    let failed: u64 = all.iter().map(|seen| seen.failed).sum();
    let mut latencies: Vec<u32> = all.into_iter().flat_map(|seen| seen.latencies).collect();
    latencies.sort_unstable();
    let ms = |percent| f64::from(percentile(&latencies, percent)) / 1000.0;
    json!({
        "sent": latencies.len(), "failed": failed, "seconds": seconds,
        "latenciesMs": [ms(50.0), ms(99.0), ms(100.0)],
    })
}
