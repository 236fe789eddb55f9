//! The permissions of a component.

use crate::support::{App, Host};

#[tokio::test]
async fn a_component_sees_the_variables_it_declares_and_no_others() {
    let host = Host::start(&[]).await;
    assert_eq!(host.ok("/variable", "secret").await, r#"Ok("<s3>")"#);
    let undefined = host.ok("/variable", "hidden").await;
    assert!(undefined.contains("Undefined"), "{undefined}");
    let elsewhere = host.ok("/denied/variable", "secret").await;
    assert!(elsewhere.contains("Undefined"), "{elsewhere}");
    let invalid = host.ok("/variable", "Not-A-Name").await;
    assert!(invalid.contains("InvalidName"), "{invalid}");
}

#[tokio::test]
async fn outbound_http_reaches_only_allowed_hosts() {
    let host = Host::start(&[]).await;
    assert_eq!(host.ok("/outbound", "http://self.alt/ok").await, "Ok(200)");
    let own = format!("http://{}/ok", host.address);
    for url in [own.as_str(), "https://example.com/", "http://self/ok"] {
        let denied = host.ok("/outbound", url).await;
        assert!(denied.contains("HttpRequestDenied"), "{url}: {denied}");
    }
    let denied = host.ok("/denied/outbound", "http://self.alt/ok").await;
    assert!(denied.contains("HttpRequestDenied"), "{denied}");
}

#[tokio::test]
async fn an_allowed_address_without_a_listener_is_refused() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let app = App::with(&[("http://self", &address)]);
    let host = Host::start_app(app, &[]).await;
    let refused = host.ok("/outbound", &address).await;
    assert!(refused.contains("ConnectionRefused"), "{refused}");
}

#[tokio::test]
async fn a_component_sees_the_files_and_environment_of_the_manifest() {
    let host = Host::start(&[]).await;
    assert_eq!(host.ok("/file", "/texts/greeting.txt").await, r#"Ok("hello from a file\n")"#);
    assert_eq!(host.ok("/file", "/etc/hostname").await, "Err(NotFound)");
    let elsewhere = host.ok("/denied/file", "/texts/greeting.txt").await;
    assert!(elsewhere.starts_with("Err("), "{elsewhere}");
    assert_eq!(host.ok("/environment", "").await, r#"[("DECLARED", "yes")]"#);
    assert_eq!(host.ok("/denied/environment", "").await, "[]");
}

#[tokio::test]
async fn sockets_are_denied() {
    let host = Host::start(&[]).await;
    let denied = host.ok("/connect", &host.address).await;
    assert_eq!(denied, "Err(PermissionDenied)");
}
