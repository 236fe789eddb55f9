use serde_json::{Value, json};

use super::*;
use crate::Code;

/// A point and a secret of the right lengths.
fn keys() -> Value {
    json!({"p256dh": BASE64URL.encode([4; 65]), "auth": BASE64URL.encode([7; 16])})
}

fn webpush(endpoint: &str) -> Value {
    json!({"kind": "webpush", "subscription": {"endpoint": endpoint, "keys": keys()}})
}

fn parse(body: &Value) -> Result<Device, Error> {
    Device::parse(body.to_string().as_bytes())
}

fn with(mut body: Value, path: &str, value: Value) -> Value {
    *body.pointer_mut(path).unwrap() = value;
    body
}

#[test]
fn each_kind_is_parsed() {
    let fcm = json!({"kind": "fcm", "token": "T", "locale": "pt-BR", "timeZone": "Europe/Berlin"});
    let device = parse(&fcm).unwrap();
    assert_eq!(device.address.to_json(), r#"{"token":"T"}"#);
    assert_eq!(device.locale.as_deref(), Some("pt-BR"));
    assert_eq!(device.time_zone.as_deref(), Some("Europe/Berlin"));

    // What a browser's `toJSON()` writes, and padded keys.
    let mut body = webpush("https://push.example/x?y");
    body["subscription"]["expirationTime"] = json!(1.5);
    let padded = format!("{}=", BASE64URL.encode([4; 65]));
    body["subscription"]["keys"]["p256dh"] = padded.into();
    let Address::WebPush { endpoint, p256dh, auth } = parse(&body).unwrap().address else {
        panic!("another kind");
    };
    assert_eq!(endpoint, "https://push.example/x?y");
    assert_eq!((p256dh, auth), (BASE64URL.encode([4; 65]), BASE64URL.encode([7; 16])));

    let apns = json!({"kind": "apns", "token": "00FFab", "topic": "com.example.app"});
    let expected =
        json!({"token": "00ffab", "topic": "com.example.app", "environment": "production"});
    let address = parse(&apns).unwrap().address;
    assert_eq!(serde_json::from_str::<Value>(&address.to_json()).unwrap(), expected);
}

#[test]
fn one_address_has_one_digest() {
    let digest = |body: Value| parse(&body).unwrap().address.digest();
    let token = json!({"kind": "fcm", "token": "T"});
    assert_eq!(digest(token), crate::digest::of_text("T"), "that of the push token");
    let other_keys = with(
        webpush("https://push.example/x"),
        "/subscription/keys/auth",
        BASE64URL.encode([8; 16]).into(),
    );
    assert_eq!(digest(webpush("https://push.example/x")), digest(other_keys));
    assert_ne!(
        digest(webpush("https://push.example/x")),
        digest(webpush("https://push.example/y"))
    );
    let apns = |token: &str, topic: &str, environment: &str| {
        digest(json!({"kind": "apns", "token": token, "topic": topic, "environment": environment}))
    };
    assert_eq!(apns("AB", "a.b", "sandbox"), apns("ab", "a.b", "production"));
    assert_ne!(apns("ab", "a.b", "sandbox"), apns("ab", "a.c", "sandbox"));
}

#[test]
fn an_error_names_the_member() {
    let web = || webpush("https://push.example/x");
    let apns = || json!({"kind": "apns", "token": "ab", "topic": "a.b"});
    let long = format!("https://push.example/{}", "x".repeat(2048));
    let fcm = |name: &str, value: &str| json!({"kind": "fcm", "token": "T", name: value});
    let endpoint = "/subscription/endpoint";
    let cases = [
        (json!({"token": "T"}), Code::MissingField, "kind"),
        (json!({"kind": "gcm", "token": "T"}), Code::InvalidField, "kind"),
        (json!({"kind": "fcm"}), Code::MissingField, "token"),
        (json!({"kind": "fcm", "token": ""}), Code::InvalidField, "token"),
        (json!({"kind": "webpush"}), Code::MissingField, "subscription"),
        (json!({"kind": "webpush", "subscription": 5}), Code::InvalidField, "subscription"),
        (fcm("topic", "a.b"), Code::UnknownField, "topic"),
        (fcm("locale", "d e"), Code::InvalidField, "locale"),
        (fcm("locale", &"x".repeat(36)), Code::LimitExceeded, "locale"),
        (fcm("timeZone", "Mars/Phobos"), Code::InvalidField, "timeZone"),
        (with(web(), endpoint, json!("http://x/")), Code::InvalidField, "subscription.endpoint"),
        (with(web(), endpoint, json!("https:///x")), Code::InvalidField, "subscription.endpoint"),
        (with(web(), endpoint, json!("https://a b")), Code::InvalidField, "subscription.endpoint"),
        (with(web(), endpoint, json!(long)), Code::LimitExceeded, "subscription.endpoint"),
        (
            with(web(), "/subscription/keys/auth", json!("AAAA")),
            Code::InvalidField,
            "subscription.keys.auth",
        ),
        (
            with(web(), "/subscription/keys/p256dh", json!("ä")),
            Code::InvalidField,
            "subscription.keys.p256dh",
        ),
        (
            with(web(), "/subscription/keys", json!({"auth": "x", "p256dh": "y", "z": 1})),
            Code::InvalidField,
            "subscription.keys.p256dh",
        ),
        (with(apns(), "/token", json!("xyz")), Code::InvalidField, "token"),
        (with(apns(), "/token", json!("a".repeat(201))), Code::LimitExceeded, "token"),
        (with(apns(), "/topic", json!("a b")), Code::InvalidField, "topic"),
        (with(apns(), "/topic", json!("a".repeat(256))), Code::LimitExceeded, "topic"),
    ];
    for (body, code, field) in cases {
        let error = parse(&body).unwrap_err();
        assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{body}");
    }
    let mut apns = apns();
    apns["environment"] = json!("test");
    assert_eq!(parse(&apns).unwrap_err().field_name(), Some("environment"));
    let error = parse(&fcm("timeZone", "Mars/Phobos")).unwrap_err();
    assert!(error.detail().contains("Mars/Phobos"), "{}", error.detail());
}

#[test]
fn debug_shows_no_address() {
    let device = parse(&json!({"kind": "fcm", "token": "secret"})).unwrap();
    assert!(!format!("{device:?}").contains("secret"));
}
