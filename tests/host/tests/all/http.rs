//! Requests and answers as seen through the host.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Host};

#[tokio::test]
async fn the_raw_path_arrives_with_spins_headers() {
    let host = Host::start(&[]).await;
    let path = "/echo/42/notifications/a%2Fb//c?x=%20&y";
    let echo = host.ok(path, "").await;
    let base = format!("http://{}", host.address);
    assert!(echo.starts_with(&format!("GET {base}{path}\n")), "{echo}");
    let expected = [
        "spin-path-info: /a%2Fb//c".to_owned(),
        format!("spin-full-url: {base}{path}"),
        "spin-matched-route: /echo/:user_id/notifications/...".to_owned(),
        "spin-base-path: /".to_owned(),
        "spin-raw-component-route: /echo/:user_id/notifications/...".to_owned(),
        "spin-component-route: /echo/:user_id/notifications".to_owned(),
        "spin-path-match-user-id: 42".to_owned(),
        "spin-client-addr: 127.0.0.1:".to_owned(),
    ];
    for line in expected {
        assert!(echo.contains(&format!("\n{line}")), "no {line:?} in {echo}");
    }
}

#[tokio::test]
async fn leading_and_trailing_slashes_match_the_same_route_and_stay_in_the_path() {
    let host = Host::start(&[]).await;
    let echo = host.ok("//echo//7/notifications/", "").await;
    assert!(echo.contains("//echo//7/notifications/\n"), "{echo}");
    assert!(echo.contains("spin-matched-route: /...\n"), "{echo}");
    let echo = host.ok("/echo/7/notifications/", "").await;
    assert!(echo.contains("spin-path-info: /\n"), "{echo}");
}

#[tokio::test]
async fn a_client_can_put_its_own_value_before_a_header_of_the_host() {
    let host = Host::start(&[]).await;
    let answer = host.send("/echo", "", &[("spin-client-addr", "10.0.0.1:1")]).await;
    let mine = answer.body.find("spin-client-addr: 10.0.0.1:1").expect(&answer.body);
    let hosts = answer.body.find("spin-client-addr: 127.0.0.1").expect(&answer.body);
    assert!(mine < hosts, "{}", answer.body);
}

#[tokio::test]
async fn a_path_without_a_route_is_an_empty_404() {
    let app = App::with(&[("\"/...\"", "\"/ok\"")]);
    let host = Host::start_app(app, &[]).await;
    assert_eq!(host.ok("/ok", "").await, "ok");
    let answer = host.call("/okay", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));
    assert_eq!(host.ok("/.well-known/spin/health", "").await, "OK");
    assert_eq!(host.call("/.well-known/spin/other", "").await.status, 404);
}

#[tokio::test]
async fn bodies_have_no_limit() {
    let host = Host::start(&[]).await;
    let body = "x".repeat(8 * 1024 * 1024);
    assert_eq!(host.ok("/body-length", &body).await, body.len().to_string());
}

#[tokio::test]
async fn a_request_without_a_host_is_closed_without_an_answer() {
    let host = Host::start(&[]).await;
    let mut stream = TcpStream::connect(&host.address).await.unwrap();
    stream.write_all(b"GET /ok HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_header_that_is_not_utf_8_reaches_the_component() {
    let host = Host::start(&[]).await;
    let mut stream = TcpStream::connect(&host.address).await.unwrap();
    let request = b"GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: \xff\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn the_output_of_components_is_on_standard_error() {
    let mut host = Host::start(&[]).await;
    host.ok("/print", "a line of a component").await;
    host.line("a line of a component").await;
}
