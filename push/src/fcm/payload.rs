//! The body of `POST /v1/projects/{p}/messages:send`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::collapse::Ids;
use crate::limits::{PAYLOAD_BYTES_MAX, TTL_S_MAX};
use crate::message::{Message, TooLarge, Urgency, fit};

/// Everything besides the message that a request says.
#[derive(Clone, Copy, Debug)]
pub struct Send<'a> {
    pub token: &'a str,
    pub ids: &'a Ids,
    /// Seconds for which the service keeps the push for a device that is away.
    pub ttl_s: u64,
    /// Unix time in seconds.
    pub now_s: u64,
    /// The service checks the request and sends nothing.
    pub validate_only: bool,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    validate_only: bool,
    message: Fcm<'a>,
}

#[derive(Serialize)]
struct Fcm<'a> {
    token: &'a str,
    notification: &'a Notification<'a>,
    data: &'a Data<'a>,
    android: Android<'a>,
    apns: Apns<'a>,
    webpush: Webpush<'a>,
}

#[derive(Serialize)]
struct Notification<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

/// FCM takes a flat map of texts, and reserves names (`from`, `gcm`, `google…`). So the sender's data
/// is one member, as JSON text.
#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    tag: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
}

#[derive(Serialize)]
struct Android<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    ttl: String,
    notification: Tag<'a>,
}

#[derive(Serialize)]
struct Tag<'a> {
    tag: &'a str,
}

#[derive(Serialize)]
struct Apns<'a> {
    headers: ApnsHeaders<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<ApnsPayload>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ApnsHeaders<'a> {
    apns_collapse_id: &'a str,
    apns_expiration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    apns_priority: Option<&'static str>,
}

#[derive(Serialize)]
struct ApnsPayload {
    aps: Aps,
}

#[derive(Serialize)]
struct Aps {
    sound: &'static str,
}

#[derive(Serialize)]
struct Webpush<'a> {
    headers: WebpushHeaders<'a>,
    notification: Tag<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm_options: Option<FcmOptions<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WebpushHeaders<'a> {
    #[serde(rename = "TTL")]
    ttl: String,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<&'static str>,
}

#[derive(Serialize)]
struct FcmOptions<'a> {
    link: &'a str,
}

/// The request's body. Its `notification` and `data`, as JSON, have at most 4,096 bytes.
///
/// # Errors
/// They have more, and must not or cannot be shortened.
pub fn body(message: &Message, send: &Send<'_>) -> Result<Vec<u8>, TooLarge> {
    fit(message, PAYLOAD_BYTES_MAX, |message| write(message, send))
}

/// The body and the bytes that count against the limit.
fn write(message: &Message, send: &Send<'_>) -> (Vec<u8>, usize) {
    let ttl_s = send.ttl_s.min(TTL_S_MAX);
    let tag = send.ids.tag.as_str();
    let is_silent = message.urgency.is_some_and(Urgency::is_silent);
    let notification = Notification { title: &message.title, body: message.body.as_deref() };
    let data = Data {
        id: &message.id,
        tag,
        kind: message.kind.as_deref(),
        link: message.link.as_deref(),
        data: message.data.as_deref().map(RawValue::get),
    };
    let request = Request {
        validate_only: send.validate_only,
        message: Fcm {
            token: send.token,
            notification: &notification,
            data: &data,
            android: Android {
                collapse_key: send.ids.collapse_key.as_deref(),
                priority: message.urgency.map(|urgency| match urgency {
                    Urgency::High => "HIGH",
                    _ => "NORMAL",
                }),
                ttl: format!("{ttl_s}s"),
                notification: Tag { tag },
            },
            apns: Apns {
                headers: ApnsHeaders {
                    apns_collapse_id: tag,
                    apns_expiration: send.now_s.saturating_add(ttl_s).to_string(),
                    apns_priority: message.urgency.map(Urgency::apns_priority),
                },
                payload: (!is_silent).then_some(ApnsPayload { aps: Aps { sound: "default" } }),
            },
            webpush: Webpush {
                headers: WebpushHeaders {
                    ttl: ttl_s.to_string(),
                    topic: tag,
                    urgency: message.urgency.map(Urgency::as_str),
                },
                notification: Tag { tag },
                // FCM refuses the whole message over a link without TLS.
                fcm_options: message
                    .link
                    .as_deref()
                    .filter(|link| link.starts_with("https://"))
                    .map(|link| FcmOptions { link }),
            },
        },
    };
    let body = json(&request);
    let counted = match body.len() {
        bytes @ ..=PAYLOAD_BYTES_MAX => bytes, // of which both are a part
        _ => json(&notification).len() + json(&data).len(),
    };
    (body, counted)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Texts and numbers only: it cannot fail, and an empty body would be refused by the service.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn send(ids: &Ids) -> Send<'_> {
        Send { token: "t0k", ids, ttl_s: 3600, now_s: 1_000_000, validate_only: false }
    }

    fn parsed(message: &Message, send: &Send<'_>) -> Value {
        serde_json::from_slice(&body(message, send).unwrap()).unwrap()
    }

    #[test]
    fn a_message_has_what_each_platform_needs() {
        let ids = Ids::new("n1", "alice", "phone", Some("score"));
        let message = Message {
            id: "n1".into(),
            kind: Some("invoice.paid".into()),
            title: "Paid".into(),
            body: Some("Invoice 7".into()),
            data: RawValue::from_string(r#"{"a":[],"n":12345678901234567890}"#.into()).ok(),
            link: Some("https://example.com/7".into()),
            urgency: Some(Urgency::High),
            may_shorten: true,
        };
        let tag = &ids.tag;
        assert_eq!(
            parsed(&message, &send(&ids)),
            json!({"message": {
                "token": "t0k",
                "notification": {"title": "Paid", "body": "Invoice 7"},
                "data": {
                    "id": "n1", "tag": tag, "kind": "invoice.paid",
                    "link": "https://example.com/7",
                    "data": r#"{"a":[],"n":12345678901234567890}"#,
                },
                "android": {
                    "collapse_key": ids.collapse_key, "priority": "HIGH", "ttl": "3600s",
                    "notification": {"tag": tag},
                },
                "apns": {
                    "headers": {
                        "apns-collapse-id": tag, "apns-expiration": "1003600",
                        "apns-priority": "10",
                    },
                    "payload": {"aps": {"sound": "default"}},
                },
                "webpush": {
                    "headers": {"TTL": "3600", "Topic": tag, "Urgency": "high"},
                    "notification": {"tag": tag},
                    "fcm_options": {"link": "https://example.com/7"},
                },
            }})
        );
    }

    #[test]
    fn what_is_absent_is_left_out_and_a_link_without_tls_is_not_for_fcm() {
        let ids = Ids::new("n1", "alice", "phone", None);
        let message = Message {
            title: "T".into(),
            link: Some("/inbox".into()),
            urgency: Some(Urgency::Low),
            ..Message::default()
        };
        let send = Send { validate_only: true, ttl_s: u64::MAX, ..send(&ids) };
        let json = parsed(&message, &send);
        assert_eq!(json["validate_only"], true);
        let message = &json["message"];
        assert_eq!(message["android"]["ttl"], "2419200s");
        assert_eq!(message["android"]["priority"], "NORMAL");
        assert_eq!(message["data"]["link"], "/inbox");
        for absent in [
            &message["webpush"]["fcm_options"],
            &message["android"]["collapse_key"],
            &message["apns"]["payload"],
            &message["notification"]["body"],
            &message["data"]["data"],
        ] {
            assert!(absent.is_null(), "{message}");
        }
    }

    proptest! {
        #[test]
        fn the_payload_has_at_most_4096_bytes_and_is_json(
            title in "\\PC{0,200}", body_text in "(.|\n){0,3000}", bytes in 0_usize..6000,
        ) {
            let ids = Ids::new("n1", "alice", "phone", None);
            let message = Message {
                title, body: Some(body_text), may_shorten: true,
                data: RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).ok(),
                ..Message::default()
            };
            let json = parsed(&message, &send(&ids));
            let counted = json["message"]["notification"].to_string().len()
                + json["message"]["data"].to_string().len();
            prop_assert!(counted <= PAYLOAD_BYTES_MAX);
        }
    }
}
