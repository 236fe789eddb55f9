//! The life of instances and its end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{Host, Redis};

/// The instance and the number of its requests.
async fn seen(host: &Host) -> (String, u32) {
    let answer = host.ok("/seen", "").await;
    let (instance, count) = answer.split_once(' ').unwrap();
    (instance.to_owned(), count.parse().unwrap())
}

#[tokio::test]
async fn an_instance_serves_its_number_of_requests_and_no_more() {
    let host = Host::start(&["--max-instance-reuse-count", "2"]).await;
    let (first, count) = seen(&host).await;
    assert_eq!(count, 1);
    assert_eq!(seen(&host).await, (first.clone(), 2));
    let (second, count) = seen(&host).await;
    assert_eq!(count, 1);
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let host = Host::start(&["--idle-instance-timeout", "50ms"]).await;
    let (first, _) = seen(&host).await;
    sleep(Duration::from_millis(500)).await;
    let (second, count) = seen(&host).await;
    assert_ne!(first, second);
    assert_eq!(count, 1);
}

/// Spin's instance fails only sometimes: this host must at least report the call.
#[tokio::test]
async fn a_call_that_outlives_its_request_is_reported() {
    let mut host = Host::start(&["--idle-instance-timeout", "50ms"]).await;
    seen(&host).await;
    assert_eq!(host.ok("/abandon", "60000").await, "abandoned");
    assert_eq!(host.line("An instance of fixture left behind ").await, "1 calls");
}

#[tokio::test]
async fn work_after_the_answer_outlives_the_idle_limit() {
    let redis = Redis::start().await;
    let arguments = ["--variable", &redis.variable(), "--idle-instance-timeout", "50ms"];
    let host = Host::start(&arguments).await;
    assert_eq!(host.ok("/spawn", "1000").await, "spawned");
    assert_eq!(redis.get("counted").await, None);
    redis.wait_for("counted", "1").await;
}

#[tokio::test]
async fn a_trap_fails_every_request_of_its_instance() {
    let mut host = Host::start(&[]).await;
    let instance = {
        let address = host.address.clone();
        let sleeping = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = "POST /sleep HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                           content-length: 5\r\n\r\n60000";
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        };
        let mut stream = sleeping.await;
        let instance = host.line("sleeping in ").await;
        // Other instances reply that they were not meant.
        let trapped = timeout(Duration::from_secs(30), async {
            while host.call("/trap", &instance).await.status != 500 {}
        });
        trapped.await.expect("the instance took no second request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        instance
    };
    let (other, _) = seen(&host).await;
    assert_ne!(instance, other);
}

#[tokio::test]
async fn a_request_timeout_ends_a_slow_request() {
    let host = Host::start(&["--request-timeout", "200ms"]).await;
    assert_eq!(host.call("/sleep", "60000").await.status, 500);
    assert_eq!(host.ok("/ok", "").await, "ok");
}

#[tokio::test]
async fn a_disconnecting_client_does_not_cancel_the_component() {
    let redis = Redis::start().await;
    let mut host = Host::start(&["--variable", &redis.variable()]).await;
    let mut stream = TcpStream::connect(&host.address).await.unwrap();
    let request = "POST /sleep-incr HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n500";
    stream.write_all(request.as_bytes()).await.unwrap();
    host.line("sleeping in ").await;
    drop(stream);
    redis.wait_for("counted", "1").await;
}

#[tokio::test]
async fn an_instance_that_ends_with_the_host_has_not_failed() {
    let mut host = Host::start(&[]).await;
    seen(&host).await;
    assert!(host.terminate(Duration::from_secs(10)).await.success());
    assert!(!host.output().contains("failed"), "{}", host.output());
}

#[tokio::test]
async fn sigterm_lets_requests_end_and_answers_those_that_do_not() {
    let mut host = Host::start(&[]).await;
    let mut streams = Vec::new();
    for body in ["60000", "1000"] {
        let mut stream = TcpStream::connect(&host.address).await.unwrap();
        let length = body.len();
        let request =
            format!("POST /sleep HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        host.line("sleeping in ").await;
        streams.push(stream);
    }
    assert!(host.terminate(Duration::from_secs(30)).await.success());
    let mut answers = Vec::new();
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answers.push(answer.to_lowercase());
    }
    assert!(answers[0].starts_with("http/1.1 503 "), "{answers:?}");
    assert!(answers[0].contains("retry-after: 1\r\n"), "{answers:?}");
    assert!(answers[0].contains("\"code\":\"not_ready\""), "{answers:?}");
    assert!(
        answers[1].starts_with("http/1.1 200 ") && answers[1].ends_with("slept"),
        "{answers:?}"
    );
    for word in ["panicked", "failed", "Error"] {
        assert!(!host.output().contains(word), "{}", host.output());
    }
}

#[tokio::test]
async fn a_second_sigterm_ends_the_host_at_once() {
    let mut host = Host::start(&[]).await;
    let mut stream = TcpStream::connect(&host.address).await.unwrap();
    let request = "POST /sleep HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n60000";
    stream.write_all(request.as_bytes()).await.unwrap();
    host.line("sleeping in ").await;
    host.signal();
    // From here on it has the first one.
    let refused = async || TcpStream::connect(&host.address).await.is_err().then_some(());
    ::support::eventually_within(Duration::from_secs(30), "it accepts nothing", refused).await;
    assert!(host.terminate(Duration::from_secs(30)).await.success());
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    assert!(read.is_err() || answer.is_empty(), "{answer}");
    assert!(!host.output().contains("panicked"), "{}", host.output());
}

#[tokio::test]
async fn beyond_its_limit_the_host_lets_requests_wait_and_then_rejects_them() {
    let mut host = Host::start(&["--max-requests-in-flight", "1"]).await;
    let address = host.address.clone();
    let sleeping = |millis: &'static str| {
        let address = address.clone();
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let length = millis.len();
            let request = format!(
                "POST /sleep HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                 content-length: {length}\r\n\r\n{millis}"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        }
    };
    // A request waits for one that ends in time.
    let _short = sleeping("300").await;
    host.line("sleeping in ").await;
    assert_eq!(host.ok("/ok", "").await, "ok");
    // A longer one keeps the others out, and they are answered 503.
    let _long = sleeping("60000").await;
    host.line("sleeping in ").await;
    let mut refused = sleeping("1").await;
    let mut answer = String::new();
    let reading = refused.read_to_string(&mut answer);
    timeout(Duration::from_secs(30), reading).await.expect("no answer").unwrap();
    let lower = answer.to_lowercase();
    assert!(lower.starts_with("http/1.1 503 "), "{answer}");
    for header in ["retry-after: 1\r\n", "content-length: ", "x-request-id: "] {
        assert!(lower.contains(header), "{header}: {answer}");
    }
    assert!(answer.contains("\"code\":\"not_ready\""), "{answer}");
}
