//! What the service worker receives, and the request's headers.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Endpoint;
use crate::collapse::Ids;
use crate::limits::{TTL_S_MAX, WEBPUSH_TEXT_BYTES_MAX};
use crate::message::{Message, TooLarge, fit};
use crate::outcome::Reason;

/// The longest topic (RFC 8030, section 5.4).
const TOPIC_BYTES_MAX: usize = 32;

#[derive(Serialize)]
struct Text<'a> {
    id: &'a str,
    tag: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// The text to encrypt: JSON with the notification's members and the `tag` under which it replaces
/// its own repeat. At most 3,993 bytes.
///
/// # Errors
/// It is longer, and must not or cannot be shortened.
pub fn text(message: &Message, ids: &Ids) -> Result<Vec<u8>, TooLarge> {
    fit(message, WEBPUSH_TEXT_BYTES_MAX, |message| {
        let text = Text {
            id: &message.id,
            tag: &ids.tag,
            title: &message.title,
            body: message.body.as_deref(),
            kind: message.kind.as_deref(),
            link: message.link.as_deref(),
            data: message.data.as_deref(),
        };
        let json = serde_json::to_vec(&text).unwrap_or_default();
        let bytes = json.len();
        (json, bytes)
    })
}

/// The headers besides `authorization`.
///
/// # Errors
/// The topic is not one (RFC 8030, section 5.4): services refuse the whole push.
pub fn headers(
    endpoint: &Endpoint,
    message: &Message,
    ids: &Ids,
    ttl_s: u64,
) -> Result<HeaderMap, Reason> {
    let mut headers = HeaderMap::with_capacity(7);
    let ttl_s = ttl_s.min(TTL_S_MAX);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
    headers.insert(HeaderName::from_static("ttl"), HeaderValue::from(ttl_s));
    let topic = Some(&ids.tag).filter(|tag| is_topic(tag));
    let topic = topic.and_then(|tag| HeaderValue::from_str(tag).ok()).ok_or("invalid_topic")?;
    headers.insert(HeaderName::from_static("topic"), topic);
    if let Some(urgency) = message.urgency {
        let urgency = HeaderValue::from_static(urgency.as_str());
        headers.insert(HeaderName::from_static("urgency"), urgency);
    }
    if endpoint.is_windows() {
        // WNS answers 400 where this contradicts the TTL, and its default contradicts 0.
        let policy = if ttl_s == 0 { "no-cache" } else { "cache" };
        let name = HeaderName::from_static("x-wns-cache-policy");
        headers.insert(name, HeaderValue::from_static(policy));
    }
    Ok(headers)
}

/// At most 32 characters of base64url.
fn is_topic(text: &str) -> bool {
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=TOPIC_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_base64url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Urgency;
    use crate::webpush::Allowed;
    use serde_json::{Value, json};

    #[test]
    fn the_service_worker_gets_the_notification_and_its_tag() {
        let ids = Ids::new("n1", "alice", "laptop", None);
        let mut message = Message {
            id: "n1".into(),
            kind: Some("k".into()),
            title: "T".into(),
            body: Some("B".into()),
            data: RawValue::from_string(r#"{"a":[]}"#.into()).ok(),
            link: Some("/inbox".into()),
            ..Message::default()
        };
        let json: Value = serde_json::from_slice(&text(&message, &ids).unwrap()).unwrap();
        assert_eq!(
            json,
            json!({
                "id": "n1", "tag": ids.tag, "title": "T", "body": "B", "kind": "k",
                "link": "/inbox", "data": {"a": []},
            })
        );
        message.body = Some("b".repeat(5000));
        assert!(text(&message, &ids).is_err());
        message.may_shorten = true;
        assert!(text(&message, &ids).unwrap().len() <= WEBPUSH_TEXT_BYTES_MAX);
    }

    #[test]
    fn a_topic_that_services_would_refuse_is_refused_here() {
        let url = "https://updates.push.services.mozilla.com/x";
        let endpoint = Endpoint::parse(url, &Allowed::default()).unwrap();
        let ids = Ids::new("n1", "alice", "laptop", None);
        let long = "x".repeat(33);
        for tag in ["", "a b", "a+b", "a=", "a\nb", &long] {
            let ids = Ids { tag: tag.into(), ..ids.clone() };
            let sent = headers(&endpoint, &Message::default(), &ids, 60);
            assert_eq!(sent.unwrap_err(), "invalid_topic", "{tag:?}");
        }
    }

    #[test]
    fn ttl_and_topic_are_always_sent_and_windows_gets_its_cache_policy() {
        let ids = Ids::new("n1", "alice", "laptop", None);
        let message = Message { urgency: Some(Urgency::VeryLow), ..Message::default() };
        let at = |url| Endpoint::parse(url, &Allowed::default()).unwrap();
        let mozilla = at("https://updates.push.services.mozilla.com/x");
        let sent = headers(&mozilla, &message, &ids, u64::MAX).unwrap();
        for (name, value) in [
            ("ttl", "2419200"),
            ("urgency", "very-low"),
            ("topic", &ids.tag),
            ("content-encoding", "aes128gcm"),
        ] {
            assert_eq!(sent[name], value);
        }
        assert!(!sent.contains_key("x-wns-cache-policy"));
        let windows = at("https://wns2-par02p.notify.windows.com/w/?token=x");
        for (ttl_s, policy) in [(0, "no-cache"), (1, "cache")] {
            let sent = headers(&windows, &Message::default(), &ids, ttl_s).unwrap();
            assert_eq!(sent["x-wns-cache-policy"], policy);
            assert_eq!(sent["ttl"], ttl_s.to_string());
            assert!(!sent.contains_key("urgency"));
        }
    }
}
