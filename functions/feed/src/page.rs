//! A page of a feed as the client gets it: built from list elements or from the record.

use runtime::record::Window;
use runtime::redis::Reply;
use serde_json::value::RawValue;
use shared::notification::{Delivery, our_id_and_seq};
use shared::time::rfc3339;
use xxhash_rust::xxh3::xxh3_64;

/// A page, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Notification objects, overlays included, as JSON text.
    entries: Vec<String>,
    unread: i64,
}

impl Page {
    /// Reads the answer of `feed_read.lua`; `None` for a cold feed or an answer of another shape.
    pub fn from_reply(reply: &[Reply]) -> Option<Self> {
        let [state, _epoch, _head, unread, _length, elements @ ..] = reply else { return None };
        if state.text() != Some("warm") {
            return None;
        }
        let entries = elements.iter().filter_map(|element| match element {
            Reply::Bytes(bytes) => entry(bytes),
            _ => None,
        });
        Some(Self { entries: entries.collect(), unread: unread.int()? })
    }

    /// A page straight from the record, for when Redis is away: without foreign entries.
    pub fn from_window(window: &Window, limit: usize, now_ms: i64) -> Self {
        let live = || {
            window.entries.iter().rev().filter(|entry| {
                entry.draft.expires_at_ms.is_none_or(|expires_at_ms| expires_at_ms > now_ms)
            })
        };
        let unread = live().filter(|entry| entry.seq > window.read_upto).count();
        let entries = live().take(limit).map(|entry| {
            let delivery =
                if entry.seq <= window.sent_seq { Delivery::Sent } else { Delivery::Pending };
            delivery.overlay(&entry.to_json())
        });
        Self { entries: entries.collect(), unread: i64::try_from(unread).unwrap_or(i64::MAX) }
    }

    /// The answer's body.
    pub fn to_json(&self) -> String {
        let bytes: usize = self.entries.iter().map(|entry| entry.len() + 1).sum();
        let mut json = String::with_capacity(bytes + 64);
        json.push_str("{\"notifications\":[");
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(entry);
        }
        json.push_str(&format!("],\"unread\":{},\"next\":null}}", self.unread));
        json
    }
}

/// A strong entity tag of the bytes (RFC 9110 §8.8.3).
pub fn etag(body: &str) -> String {
    format!("\"{:016x}\"", xxh3_64(body.as_bytes()))
}

/// A list element as it is shown: ours with its overlay, a foreign object as it is, nothing else.
fn entry(element: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(element).ok()?;
    let is_object =
        text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
    if !is_object {
        return None;
    }
    match our_id_and_seq(element) {
        Some(_) => Some(Delivery::Sent.overlay(text)),
        None => Some(text.trim().to_owned()),
    }
}

/// The expiry of an element of ours, which our serialiser writes last, as it compares with
/// [`rfc3339`] of now.
pub fn is_expired(element: &str, now_ms: i64) -> bool {
    let expires_at = element
        .strip_suffix("\"}")
        .and_then(|rest| rest.rsplit_once(",\"expiresAt\":\""))
        .map(|(_, time)| time);
    expires_at.is_some_and(|time| time <= rfc3339(now_ms).as_str())
}
