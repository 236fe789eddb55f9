//! Errors that must be reported before the port opens.

use crate::support::{App, Host};

#[tokio::test]
async fn a_missing_component_is_named_with_the_command_that_builds_it() {
    let app = App::with(&[("host_fixture.wasm", "nothing.wasm")]);
    let error = app.failure(&[]).await;
    assert!(error.contains("nothing.wasm") && error.contains("make build"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = App::new().failure(&["--listen", &address]).await;
    assert!(error.contains(&format!("{address} is already in use")), "{error}");
}

#[tokio::test]
async fn a_missing_required_variable_is_named() {
    let app = App::with(&[("[variables]", "[variables]\nforgotten = { required = true }")]);
    let error = app.failure(&[]).await;
    assert!(error.contains("no provider resolved required variable(s): forgotten"), "{error}");
}

#[tokio::test]
async fn unknown_keys_and_invalid_rules_are_named() {
    let unknown = App::with(&[("environment", "enviroment")]);
    let error = unknown.failure(&[]).await;
    assert!(error.contains("unknown field `enviroment`"), "{error}");
    let rule = App::with(&[("http://self", "self")]);
    let error = rule.failure(&[]).await;
    assert!(error.contains("\"self\"") && error.contains("does not contain a scheme"), "{error}");
}

#[tokio::test]
async fn an_undefined_database_is_named() {
    let app = App::with(&[("[\"default\"]", "[\"archive\"]")]);
    let error = app.failure(&[]).await;
    assert!(error.contains("[sqlite_database.archive]"), "{error}");
    let config = app.path().join("runtime.toml");
    std::fs::write(&config, "[sqlite_database.archive]\ntype = 'spin'").unwrap();
    let config = config.to_str().unwrap().to_owned();
    let host = Host::start_app(app, &["--runtime-config-file", &config]).await;
    let answer = host.ok("/sqlite", "archive\nSELECT 1 AS one").await;
    assert!(answer.starts_with(r#"columns ["one"] rows 1 verdict Ok(())"#), "{answer}");
}
