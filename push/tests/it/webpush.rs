use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use push::message::Message;
use push::outcome::Outcome;
use push::webpush::Allowed;
use push::{Address, Push, Sender};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use support::paths::workspace;

use crate::support::{Fake, Files, Protocol, Reply, count, push};

/// A subscription at `endpoint`, whose messages are never read.
pub(crate) fn to(endpoint: &str) -> Push {
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    let public = private.compute_public_key().unwrap();
    push(Address::WebPush {
        endpoint: endpoint.to_owned(),
        p256dh: URL_SAFE_NO_PAD.encode(public),
        auth: URL_SAFE_NO_PAD.encode([7; 16]),
    })
}

async fn sender(files: &Files) -> Sender {
    Sender::new(files.webpush(Allowed::default().with_loopback())).await.unwrap()
}

#[tokio::test]
async fn a_push_has_the_headers_of_rfc_8030_and_8292_and_an_encrypted_body() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |_| Reply::status(201)).await;
    let sender = sender(&files).await;
    let endpoint = format!("{}/wpush/v2/abc?x=%2f", service.origin());
    let pushes: Vec<_> = (0..20).map(|_| to(&endpoint)).collect();
    assert_eq!(count(&sender.send(&pushes).await, "accepted"), 20);
    let seen = service.seen();
    let key = sender.vapid_public_key().await.unwrap();
    for seen in &seen {
        assert_eq!(seen.path, "/wpush/v2/abc?x=%2f");
        assert_eq!(seen.headers["ttl"], "3600");
        assert_eq!(seen.headers["topic"], pushes[0].ids.tag);
        assert_eq!(seen.headers["content-encoding"], "aes128gcm");
        assert_eq!(seen.headers["authorization"], seen_authorization(&service));
        assert!(!String::from_utf8_lossy(&seen.body).contains("Invoice"));
        assert_eq!(seen.body[16..21], [0, 0, 0x10, 0, 65]);
    }
    let authorization = seen_authorization(&service);
    let (token, shown) =
        authorization.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    assert_eq!(shown, key);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], service.origin());
}

fn seen_authorization(service: &Fake) -> String {
    service.seen()[0].headers["authorization"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_subscription_is_gone_where_its_service_says_so() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |seen| {
        Reply::status(seen.path.trim_start_matches('/').parse().unwrap())
    })
    .await;
    let sender = sender(&files).await;
    for (status, label) in [
        (201, "accepted"),
        (404, "gone"),
        (410, "gone"),
        (401, "mismatch"),
        (403, "mismatch"),
        (400, "refused"),
        (413, "refused"),
        (302, "refused"),
        (500, "retry"),
    ] {
        let outcome = sender.send_one(&to(&format!("{}/{status}", service.origin()))).await;
        assert_eq!(outcome.label(), label, "{status}");
    }
    assert_eq!(sender.held(), 0, "one subscription's refusal holds no other");
}

#[tokio::test]
async fn one_service_s_pause_does_not_hold_another() {
    let files = Files::new();
    let busy = Fake::start(&files.certificate, |_| Reply::status(429)).await;
    let free = Fake::start(&files.certificate, |_| Reply::status(201)).await;
    let sender = sender(&files).await;
    let to_busy = to(&format!("{}/x", busy.origin()));
    for _ in 0..3 {
        let Outcome::Hold { wait, .. } = sender.send_one(&to_busy).await else { panic!() };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60));
    }
    assert_eq!(busy.seen().len(), 1);
    let to_free = to(&format!("{}/x", free.origin()));
    assert_eq!(sender.send_one(&to_free).await, Outcome::Accepted);
}

#[tokio::test]
async fn nothing_leaves_for_a_host_that_is_not_allowed() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |_| Reply::status(201)).await;
    let sender = Sender::new(files.webpush(Allowed::default())).await.unwrap();
    for endpoint in [format!("{}/x", service.origin()), "https://169.254.169.254/x".into()] {
        let outcome = sender.send_one(&to(&endpoint)).await;
        assert_eq!(outcome, Outcome::Refused { reason: "endpoint_host_not_allowed", field: None });
    }
    assert_eq!(service.connections(), 0);
    assert_eq!(sender.open_connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_costs_an_attempt_each_time() {
    let files = Files::new();
    let allowed = Allowed::new(&["push.example.invalid"]).unwrap();
    let sender = Sender::new(files.webpush(allowed)).await.unwrap();
    // The second one meets the host's backoff.
    for _ in 0..2 {
        let outcome = sender.send_one(&to("https://push.example.invalid/x")).await;
        let is_counted = matches!(
            outcome,
            Outcome::Retry { reason: "dns_failed", after: Some(_), in_doubt: false }
        );
        assert!(is_counted, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_service_without_http2_is_served_on_few_connections() {
    let files = Files::new();
    let service = Fake::start_with(&files.certificate, Protocol::Plain, |seen| {
        assert!(seen.headers.contains_key("host"));
        Reply::status(201).after(Duration::from_millis(5))
    })
    .await;
    let sender = sender(&files).await;
    let pushes: Vec<_> = (0..60).map(|i| to(&format!("{}/p/{i}", service.origin()))).collect();
    assert_eq!(count(&sender.send(&pushes).await, "accepted"), 60);
    assert_eq!(service.seen().len(), 60);
    assert!((1..=4).contains(&service.connections()), "{}", service.connections());
    assert_eq!(service.most_on_a_connection(), 1);
}

#[tokio::test]
async fn an_invalid_subscription_is_refused() {
    let files = Files::new();
    let sender = sender(&files).await;
    let address = |p256dh: &str| Address::WebPush {
        endpoint: "https://fcm.googleapis.com/fcm/send/x".into(),
        p256dh: p256dh.into(),
        auth: URL_SAFE_NO_PAD.encode([7; 16]),
    };
    for p256dh in ["", "AAAA"] {
        let outcome = sender.send_one(&push(address(p256dh))).await;
        let reason = "invalid_subscription_keys";
        assert_eq!(outcome, Outcome::Refused { reason, field: None });
    }
}

#[test]
fn addresses_are_not_shown() {
    let push = to("https://fcm.googleapis.com/fcm/send/s3cret");
    let text = format!("{push:?}");
    assert!(!text.contains("s3cret") && text.contains("webpush"), "{text}");
}

/// A browser whose encryption others wrote: the Python package `http_ece`.
struct Browser {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    p256dh: String,
    auth: String,
}

impl Browser {
    fn start() -> Self {
        let python = workspace().join("target/http-ece/venv/bin/python");
        assert!(python.is_file(), "{} is missing: run `scripts/push-tools`", python.display());
        let mut command = Command::new(python);
        command.arg(workspace().join("tests/peers/http_ece_reader.py"));
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = piped.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let keys = output.next().unwrap().unwrap();
        let (p256dh, auth) = keys.split_once(' ').unwrap();
        let (p256dh, auth) = (p256dh.to_owned(), auth.to_owned());
        Self { process, input, output, p256dh, auth }
    }

    fn decrypt(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        writeln!(self.input, "{}", STANDARD.encode(body)).unwrap();
        let line = self.output.next().unwrap().unwrap();
        STANDARD.decode(&line).map_err(|_| line)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn others_read_what_is_encrypted() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |_| Reply::status(201)).await;
    let sender = sender(&files).await;
    let mut browser = Browser::start();
    let titles = ["", "Invoice 7", "é\u{1F600}\"\\", &"x".repeat(1000), &"long ".repeat(2000)];
    for title in titles {
        let mut push = to(&format!("{}/x", service.origin()));
        push.address = Address::WebPush {
            endpoint: format!("{}/x", service.origin()),
            p256dh: browser.p256dh.clone(),
            auth: browser.auth.clone(),
        };
        // The longest is shortened to the last byte that a service takes.
        let message =
            Message { body: Some(title.to_owned()), may_shorten: true, ..(*push.message).clone() };
        push.message = std::sync::Arc::new(message);
        assert_eq!(sender.send_one(&push).await, Outcome::Accepted);
        let body = service.seen().last().unwrap().body.to_vec();
        let text = browser.decrypt(&body).unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let told = shown.to_string();
        assert!(told.contains(&push.message.title), "{told}");
        if title.len() < 3000 {
            assert!(
                told.contains(serde_json::to_string(title).unwrap().trim_matches('"')),
                "{told}"
            );
        } else {
            assert!(body.len() > 4000 && body.len() <= 4096, "{}", body.len());
        }
        // Any other byte is noticed.
        let mut other = body;
        *other.last_mut().unwrap() ^= 1;
        assert!(browser.decrypt(&other).unwrap_err().starts_with("error"));
    }
}
