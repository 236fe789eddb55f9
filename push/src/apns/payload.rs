//! `POST /3/device/{token}`.

use http::HeaderMap;
use http::header::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::collapse::Ids;
use crate::limits::{PAYLOAD_BYTES_MAX, TTL_S_MAX};
use crate::message::{Message, TooLarge, Urgency, fit};
use crate::outcome::Reason;

/// Hex digits of a device token; Apple's have 64, and may become longer.
const TOKEN_HEX_MAX: usize = 200;

/// Where an app's token comes from: the App Store and TestFlight, or Xcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Environment {
    Production,
    Sandbox,
}

#[derive(Serialize)]
struct Payload<'a> {
    aps: Aps<'a>,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Aps<'a> {
    alert: Alert<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<&'static str>,
}

#[derive(Serialize)]
struct Alert<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

/// The path of a device.
///
/// # Errors
/// `token` is not hex.
pub fn path(token: &str) -> Result<String, Reason> {
    let is_hex = !token.is_empty() && token.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || token.len() > TOKEN_HEX_MAX {
        return Err("invalid_device_token");
    }
    Ok(format!("/3/device/{token}"))
}

/// The request's body, at most 4,096 bytes.
///
/// # Errors
/// It is larger, and must not or cannot be shortened.
pub fn body(message: &Message) -> Result<Vec<u8>, TooLarge> {
    fit(message, PAYLOAD_BYTES_MAX, |message| {
        let is_silent = message.urgency.is_some_and(Urgency::is_silent);
        let payload = Payload {
            aps: Aps {
                alert: Alert { title: &message.title, body: message.body.as_deref() },
                sound: (!is_silent).then_some("default"),
            },
            id: &message.id,
            kind: message.kind.as_deref(),
            link: message.link.as_deref(),
            data: message.data.as_deref(),
        };
        let json = serde_json::to_vec(&payload).unwrap_or_default();
        let bytes = json.len();
        (json, bytes)
    })
}

/// The headers besides `authorization`. `now_s` is Unix time in seconds.
///
/// # Errors
/// `topic` has characters that no header may have.
pub fn headers(
    message: &Message,
    topic: &str,
    ids: &Ids,
    ttl_s: u64,
    now_s: u64,
) -> Result<HeaderMap, Reason> {
    let mut headers = HeaderMap::with_capacity(6);
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| "invalid_topic");
    headers.insert("apns-topic", text(topic)?);
    headers.insert("apns-push-type", HeaderValue::from_static("alert"));
    headers.insert("apns-collapse-id", text(&ids.tag)?);
    // 0 says: at once or never.
    let expiration = if ttl_s == 0 { 0 } else { now_s.saturating_add(ttl_s.min(TTL_S_MAX)) };
    headers.insert("apns-expiration", HeaderValue::from(expiration));
    if let Some(urgency) = message.urgency {
        headers.insert("apns-priority", HeaderValue::from_static(urgency.apns_priority()));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_payload_is_apple_s_and_the_sender_s_data_as_it_came() {
        let mut message = Message {
            id: "n1".into(),
            title: "Paid".into(),
            body: Some("Invoice 7".into()),
            data: RawValue::from_string(r#"{"n":12345678901234567890}"#.into()).ok(),
            ..Message::default()
        };
        let text = String::from_utf8(body(&message).unwrap()).unwrap();
        assert!(text.contains(r#""data":{"n":12345678901234567890}"#), "{text}");
        message.urgency = Some(Urgency::Low);
        message.data = None;
        let json: Value = serde_json::from_slice(&body(&message).unwrap()).unwrap();
        let alert = json!({"title": "Paid", "body": "Invoice 7"});
        assert_eq!(json, json!({"aps": {"alert": alert}, "id": "n1"}));
        message.body = Some("x".repeat(5000));
        assert!(body(&message).is_err());
        message.may_shorten = true;
        assert!(body(&message).unwrap().len() <= PAYLOAD_BYTES_MAX);
    }

    #[test]
    fn headers_say_who_for_how_long_and_how_urgent() {
        let ids = Ids::new("n1", "alice", "phone", None);
        let message = Message { urgency: Some(Urgency::High), ..Message::default() };
        let sent = headers(&message, "com.example.app", &ids, 60, 1000).unwrap();
        for (name, value) in [
            ("apns-topic", "com.example.app"),
            ("apns-push-type", "alert"),
            ("apns-collapse-id", &ids.tag),
            ("apns-expiration", "1060"),
            ("apns-priority", "10"),
        ] {
            assert_eq!(sent[name], value);
        }
        let sent = headers(&Message::default(), "t", &ids, 0, 1000).unwrap();
        assert_eq!(sent["apns-expiration"], "0");
        assert!(!sent.contains_key("apns-priority"));
        assert!(headers(&message, "a\r\nb", &ids, 0, 0).is_err());
    }

    #[test]
    fn a_token_that_is_not_hex_never_becomes_a_path() {
        assert_eq!(path("00ffAB").unwrap(), "/3/device/00ffAB");
        let long = "0".repeat(201);
        for token in ["", "../x", "zz", "00 ", long.as_str()] {
            assert_eq!(path(token), Err("invalid_device_token"), "{token}");
        }
    }
}
