//! A page of a feed as the client gets it: from list elements, from the record, or from both.

use std::collections::BTreeMap;

use runtime::record::Entry;
use runtime::redis::Reply;
use serde_json::value::RawValue;
use shared::notification::{Delivery, our_id_and_seq};
use xxhash_rust::xxh3::xxh3_64;

/// A page, newest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Notification objects, overlays included, as JSON text.
    pub entries: Vec<String>,
    pub unread: i64,
    pub next: Option<String>,
}

/// Answer of `feed_read.lua`.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Cold,
    /// There is no element of that cursor in the list.
    Gone {
        unread: i64,
    },
    Warm {
        page: Page,
        /// The record has more below this seq; 0 when it has not.
        lowest: i64,
        /// Cursor of the page's last element.
        last: Option<String>,
    },
}

impl Answer {
    /// Reads the script's reply; `None` for one of another shape.
    pub fn parse(reply: &[Reply]) -> Option<Self> {
        match reply.first()?.text()? {
            "cold" => Some(Answer::Cold),
            "gone" => Some(Answer::Gone { unread: reply.get(1)?.int()? }),
            "warm" => {
                let [_, _head, unread, lowest, more, next, reads, elements @ ..] = reply else {
                    return None;
                };
                let reads = reads_of(reads.text()?);
                let entries = elements.iter().filter_map(|element| match element {
                    Reply::Bytes(bytes) => shown(bytes, &reads),
                    _ => None,
                });
                let last = Some(next.text()?.to_owned()).filter(|next| !next.is_empty());
                let page = Page {
                    entries: entries.collect(),
                    unread: unread.int()?,
                    next: last.clone().filter(|_| more.int() == Some(1)),
                };
                Some(Answer::Warm { page, lowest: lowest.int()?, last })
            }
            _ => None,
        }
    }
}

impl Page {
    /// Adds older entries from the record, newest first; `has_more` tells whether it has further
    /// ones.
    pub fn extend(&mut self, entries: &[Entry], sent_upto: i64, has_more: bool) {
        self.entries.extend(entries.iter().map(|entry| from_record(entry, sent_upto)));
        self.next = None;
        if let (true, Some(last)) = (has_more, entries.last()) {
            self.next = Some(last.notification.id.clone());
        }
    }

    /// The answer's body.
    pub fn to_json(&self) -> String {
        let bytes: usize = self.entries.iter().map(|entry| entry.len() + 1).sum();
        let mut json = String::with_capacity(bytes + 96);
        json.push_str("{\"notifications\":[");
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(entry);
        }
        json.push_str(&format!("],\"unread\":{},\"next\":", self.unread));
        match &self.next {
            // Cursors are of the alphabet of ids and need no escapes.
            Some(next) => json.push_str(&format!("\"{next}\"}}")),
            None => json.push_str("null}"),
        }
        json
    }
}

/// A strong entity tag of the bytes (RFC 9110 §8.8.3).
pub fn etag(body: &str) -> String {
    format!("\"{:016x}\"", xxh3_64(body.as_bytes()))
}

/// The companion's `seq=ms;seq=ms;`.
pub fn reads_of(text: &str) -> BTreeMap<i64, i64> {
    let pairs = text.split(';').filter_map(|pair| {
        let (seq, ms) = pair.split_once('=')?;
        Some((seq.parse().ok()?, ms.parse().ok()?))
    });
    pairs.collect()
}

/// A list element as it is shown: ours with its overlay, a foreign object as it is, nothing else.
pub fn shown(element: &[u8], reads: &BTreeMap<i64, i64>) -> Option<String> {
    let text = std::str::from_utf8(element).ok()?;
    let is_object =
        text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
    if !is_object {
        return None;
    }
    match our_id_and_seq(element) {
        Some((_, seq)) => Some(Delivery::Sent.overlay(text, reads.get(&seq).copied())),
        None => Some(text.trim().to_owned()),
    }
}

/// An entry of the record as it is shown; everything up to `sent_upto` is in the feed.
pub fn from_record(entry: &Entry, sent_upto: i64) -> String {
    let delivery =
        if entry.notification.seq <= sent_upto { Delivery::Sent } else { Delivery::Pending };
    delivery.overlay(&entry.notification.to_json(), entry.read_at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_what_is_no_object() {
        let reads = BTreeMap::new();
        assert_eq!(shown(b" {\"a\": 1} ", &reads).as_deref(), Some("{\"a\": 1}"));
        for bad in [&b"[]"[..], b"1", b"x", b"{", b"{} {}", b"\"{}\"", b"\xff", b""] {
            assert_eq!(shown(bad, &reads), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_marks() {
        assert_eq!(reads_of("1=10;3=30;"), BTreeMap::from([(1, 10), (3, 30)]));
        assert!(reads_of("").is_empty() && reads_of("x;=;1=").is_empty());
    }

    #[test]
    fn the_body_is_one_json_object() {
        let page = Page {
            entries: vec!["{\"a\":1}".to_owned(), "{}".to_owned()],
            unread: 1,
            next: Some("~3.1".to_owned()),
        };
        let value: serde_json::Value = serde_json::from_str(&page.to_json()).unwrap();
        assert_eq!(value["next"], "~3.1");
        assert_eq!(Page::default().to_json(), r#"{"notifications":[],"unread":0,"next":null}"#);
    }
}
