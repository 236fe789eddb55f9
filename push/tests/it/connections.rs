use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use push::Sender;
use push::outcome::Outcome;
use push::sender::Config;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    Certificate, Fake, Fcm, Files, Protocol, Reply, acceptor, count, many, to_fcm, token,
};

fn ok() -> Reply {
    Reply::json(200, &json!({}))
}

async fn with_streams(streams: u32, in_flight_max: usize) -> (Fake, Fake, Sender) {
    let files = Files::new();
    let fcm = Fake::start_with(&files.certificate, Protocol::Http2 { streams }, |_| {
        ok().after(Duration::from_millis(20))
    })
    .await;
    let oauth = Fake::start(&files.certificate, token).await;
    let config = Config { in_flight_max, ..files.fcm(&fcm, &oauth) };
    let sender = Sender::new(config).await.unwrap();
    (fcm, oauth, sender)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_s_limit_of_streams_is_kept_and_used_on_all_connections() {
    let (fcm, _oauth, sender) = with_streams(10, 400).await;
    assert_eq!(count(&sender.send(&many(600)).await, "accepted"), 600);
    assert_eq!(fcm.connections(), 4);
    let most = fcm.most_on_a_connection();
    assert!((5..=10).contains(&most), "{most}");
    assert_eq!(sender.open_connections(), 5, "four, and one to the token server");
}

#[tokio::test]
async fn a_server_with_one_stream_is_served_one_by_one() {
    let (fcm, _oauth, sender) = with_streams(1, 400).await;
    assert_eq!(count(&sender.send(&many(40)).await, "accepted"), 40);
    assert_eq!((fcm.connections(), fcm.most_on_a_connection()), (4, 1));
}

#[tokio::test]
async fn few_pushes_use_one_connection() {
    let (fcm, _oauth, sender) = with_streams(100, 10).await;
    for _ in 0..3 {
        assert_eq!(count(&sender.send(&many(20)).await, "accepted"), 20);
    }
    assert!(fcm.connections() <= 2, "{}", fcm.connections());
    assert!(fcm.most_on_a_connection() <= 10, "no more in flight than configured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn around_a_graceful_goaway_no_outcome_is_wrong() {
    let fcm = Fcm::start(|_| ok().after(Duration::from_millis(5))).await;
    let sender = Arc::new(fcm.sender);
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move {
            let mut outcomes = Vec::new();
            for _ in 0..20 {
                outcomes.extend(sender.send(&many(50)).await);
            }
            outcomes
        }
    });
    while !sending.is_finished() {
        fcm.fcm.go_away();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let outcomes = sending.await.unwrap();
    let (accepted, retried) = (count(&outcomes, "accepted"), count(&outcomes, "retry"));
    assert_eq!(accepted + retried, 1000, "{outcomes:?}");
    // A connection that the server closes while requests are on their way may be reset before its
    // GOAWAY is read. Those are in doubt; of all others the outcome is exact.
    let doubtful = usize::try_from(sender.metrics().snapshot().doubtful).unwrap();
    let seen = fcm.fcm.seen().len();
    assert!((accepted..=accepted + doubtful).contains(&seen), "{accepted} {seen} {doubtful}");
    assert!(accepted > 500, "{accepted}");
    assert!(fcm.fcm.connections() > 1);
}

/// Answers like FCM for a token server, and otherwise as `h2` is told.
async fn h2_server(
    certificate: &Certificate,
    fault: impl Fn(usize, &mut h2::server::SendResponse<bytes::Bytes>) -> Fault + Send + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let tls = acceptor(certificate);
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        let mut requests = 0;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = tls.accept(stream).await else { continue };
            counted.fetch_add(1, SeqCst);
            let mut connection = h2::server::handshake(stream).await.unwrap();
            // Kept, so that a request stays without an answer.
            let mut open = Vec::new();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let fault = fault(requests, &mut respond);
                requests += 1;
                open.push(respond);
                match fault {
                    Fault::None => {}
                    Fault::GoAway => connection.abrupt_shutdown(h2::Reason::NO_ERROR),
                    Fault::Close => break,
                }
            }
        }
    });
    (origin, connections)
}

enum Fault {
    None,
    GoAway,
    Close,
}

fn answer(respond: &mut h2::server::SendResponse<bytes::Bytes>) {
    respond.send_response(http::Response::new(()), true).unwrap();
}

async fn sender_to(files: &Files, origin: &str, oauth: &Fake) -> Sender {
    let mut config = files.fcm(oauth, oauth);
    if let Some(fcm) = &mut config.fcm {
        fcm.origin = push::Origin::parse(origin, false).unwrap();
    }
    Sender::new(Config { connections_per_host: 1, ..config }).await.unwrap()
}

#[tokio::test]
async fn what_a_goaway_leaves_unanswered_is_in_doubt_and_the_next_push_gets_a_new_connection() {
    let files = Files::new();
    let oauth = Fake::start(&files.certificate, token).await;
    for is_closed in [false, true] {
        let (origin, connections) = h2_server(&files.certificate, move |number, respond| {
            match number {
                4 if is_closed => return Fault::Close,
                4 => return Fault::GoAway,
                5.. => answer(respond),
                _ => {}
            }
            Fault::None
        })
        .await;
        let sender = sender_to(&files, &origin, &oauth).await;
        let outcomes = sender.send(&many(5)).await;
        let lost = Outcome::Retry { reason: "connection_lost", after: None, in_doubt: true };
        assert_eq!(outcomes, vec![lost; 5]);
        assert_eq!(sender.send_one(&to_fcm("next")).await, Outcome::Accepted);
        assert_eq!(connections.load(SeqCst), 2);
        assert_eq!(sender.metrics().snapshot().doubtful, 5);
    }
}

#[tokio::test]
async fn a_refused_stream_was_not_processed_and_its_connection_stays() {
    let files = Files::new();
    let oauth = Fake::start(&files.certificate, token).await;
    let (origin, connections) = h2_server(&files.certificate, |number, respond| {
        match number {
            0 => respond.send_reset(h2::Reason::REFUSED_STREAM),
            1 => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            _ => answer(respond),
        }
        Fault::None
    })
    .await;
    let sender = sender_to(&files, &origin, &oauth).await;
    for in_doubt in [false, true] {
        let lost = Outcome::Retry { reason: "connection_lost", after: None, in_doubt };
        assert_eq!(sender.send_one(&to_fcm("a")).await, lost);
    }
    assert_eq!(sender.send_one(&to_fcm("a")).await, Outcome::Accepted);
    assert_eq!(connections.load(SeqCst), 1);
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_holds_and_recovers() {
    let files = Files::new();
    let oauth = Fake::start(&files.certificate, token).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let sender = sender_to(&files, &origin, &oauth).await;
    let outcomes = sender.send(&many(100)).await;
    for outcome in &outcomes {
        let Outcome::Hold { reason: "service_unreachable", wait } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(*wait >= Duration::from_secs(1) && *wait <= Duration::from_secs(2), "{wait:?}");
    }
    assert_eq!(sender.metrics().snapshot().doubtful, 0);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_before_anything_is_sent() {
    let files = Files::new();
    let oauth = Fake::start(&files.certificate, token).await;
    let other = Certificate::new("push.example.com");
    let fcm = Fake::start(&other, |_| ok()).await;
    let mut config = files.fcm(&fcm, &oauth);
    // Trusted, but for its own name only.
    config.roots = push::Roots::Only(vec![files.certificate.der.clone(), other.der.clone()]);
    let sender = Sender::new(config).await.unwrap();
    let outcome = sender.send_one(&to_fcm("a")).await;
    assert!(matches!(outcome, Outcome::Hold { reason: "service_unreachable", .. }), "{outcome:?}");
    let unknown = Fake::start(&Certificate::new("localhost"), |_| ok()).await;
    let sender = Sender::new(files.fcm(&unknown, &oauth)).await.unwrap();
    assert_eq!(sender.send_one(&to_fcm("a")).await.label(), "hold");
    assert!(fcm.seen().is_empty() && unknown.seen().is_empty());
}
