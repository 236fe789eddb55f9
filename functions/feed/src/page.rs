//! A page of a feed for the client: from list elements, from the record, or from both.

use std::collections::BTreeMap;

use runtime::ports::redis::Reply;
use runtime::record::Entry;
use serde_json::value::RawValue;
use shared::feed::ScriptPage;
use shared::json::{integer_text, object_text};
use shared::notification::{Delivery, muted_at_ms, our_id_and_seq};
use shared::time::rfc3339;

/// A page, newest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Notification objects with overlays, as JSON text separated by commas: built in place, since
    /// an allocation per entry would be half of the cost of a page.
    entries: String,
    len: usize,
    pub unread: i64,
    pub next: Option<String>,
}

/// The answer of `feed_read.lua`.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Cold,
    /// The list has no element for the cursor.
    Gone {
        unread: i64,
    },
    Warm {
        page: Page,
        /// The record has entries below this seq; 0 if it has none.
        lowest: i64,
        /// Cursor of the page's last element.
        last: Option<String>,
    },
}

impl Answer {
    /// Parses the script's reply; `None` if it has another shape.
    pub fn parse(reply: &[Reply]) -> Option<Self> {
        match reply.first()?.text()? {
            "cold" => Some(Answer::Cold),
            "gone" => Some(Answer::Gone { unread: reply.get(1)?.int()? }),
            "warm" => Self::parse_page(reply.get(1)?.bytes()?),
            _ => None,
        }
    }

    fn parse_page(text: &[u8]) -> Option<Self> {
        let read = ScriptPage::parse(text)?;
        let reads = Reads::parse(read.reads);
        let mut page = Page::with_unread(read.unread);
        page.entries.reserve(text.len() + OVERLAYS_BYTES);
        for element in read.elements() {
            page.push(|json| push_element(json, element, &reads));
        }
        let last = read.next.map(str::to_owned);
        page.next = last.clone().filter(|_| read.has_more);
        Some(Answer::Warm { page, lowest: read.lowest, last })
    }
}

/// Capacity for the overlays of a usual page.
const OVERLAYS_BYTES: usize = 20 * OVERLAY_BYTES;

/// Capacity for `,"readAt":"…","delivery":"sent"` and a comma.
const OVERLAY_BYTES: usize = 64;

impl Page {
    /// A page without entries.
    pub fn with_unread(unread: i64) -> Self {
        Self { unread, ..Self::default() }
    }

    /// The number of entries on the page.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Appends an entry with `write`; if that returns `false`, the text is removed again.
    fn push(&mut self, write: impl FnOnce(&mut String) -> bool) {
        let end = self.entries.len();
        if self.len > 0 {
            self.entries.push(',');
        }
        if write(&mut self.entries) {
            self.len += 1;
        } else {
            self.entries.truncate(end);
        }
    }

    /// Adds older entries from the record, newest first; `has_more` says whether there are further
    /// ones.
    pub fn extend(&mut self, entries: &[Entry], sent_upto: i64, has_more: bool) {
        for entry in entries {
            self.push(|json| {
                json.push_str(&from_record(entry, sent_upto));
                true
            });
        }
        self.next = None;
        if let (true, Some(last)) = (has_more, entries.last()) {
            self.next = Some(last.notification.id.clone());
        }
    }

    /// The answer's body.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.entries.len() + 256);
        json.push_str("{\"notifications\":[");
        json.push_str(&self.entries);
        json.push_str("],\"unread\":");
        json.push_str(&self.unread.to_string());
        json.push_str(",\"next\":");
        match &self.next {
            // Cursors contain no characters that need escapes.
            Some(next) => {
                json.push('"');
                json.push_str(next);
                json.push_str("\"}");
            }
            None => json.push_str("null}"),
        }
        json
    }
}

/// The read marks of a feed, in milliseconds since the Unix epoch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// By seq.
    ours: BTreeMap<i64, i64>,
    /// Those of other services' elements, by id.
    theirs: BTreeMap<String, i64>,
}

impl Reads {
    /// Parses the companion's `seq=ms;seq=ms;~id=ms;`.
    pub fn parse(text: &str) -> Self {
        let mut reads = Self::default();
        for pair in text.split(';') {
            let Some((what, ms)) = pair.split_once('=') else { continue };
            let Ok(ms) = ms.parse() else { continue };
            if let Some(id) = what.strip_prefix('~') {
                reads.theirs.insert(id.to_owned(), ms);
            } else if let Ok(seq) = what.parse() {
                reads.ours.insert(seq, ms);
            }
        }
        reads
    }

    /// When another service's element was marked as read; `None` also if it says so itself.
    fn of_theirs(&self, object: &str) -> Option<i64> {
        if self.theirs.is_empty() {
            return None;
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
        if members.contains_key("readAt") {
            return None;
        }
        let id = members.get("id")?.get();
        match id.starts_with('"') {
            true => self.theirs.get(&serde_json::from_str::<String>(id).ok()?),
            false => self.theirs.get(&integer_text(id)?),
        }
        .copied()
    }
}

/// A list element as shown to the client; `None` if it is not shown.
pub fn shown(element: &[u8], reads: &Reads) -> Option<String> {
    let mut json = String::with_capacity(element.len() + OVERLAY_BYTES);
    push_element(&mut json, element, reads).then_some(json)
}

/// Appends a list element as shown: Bellwire's with its overlay, a foreign object unchanged but for
/// its `readAt` if it was marked as read; `false` for anything else. Bellwire's are not parsed again:
/// its serialiser wrote them.
fn push_element(json: &mut String, element: &[u8], reads: &Reads) -> bool {
    let Ok(text) = std::str::from_utf8(element) else { return false };
    if let Some((_, seq)) = our_id_and_seq(text) {
        // A muted one has no mark in Redis before the marks are read from the record again.
        let read_at_ms = reads.ours.get(&seq).copied().or_else(|| muted_at_ms(text));
        Delivery::Sent.push_overlay(json, text, read_at_ms);
        return true;
    }
    let Some(object) = object_text(element) else { return false };
    // An element with an id has a member that this one can follow.
    match (reads.of_theirs(object), object.strip_suffix('}')) {
        (Some(read_at_ms), Some(members)) => {
            json.push_str(members);
            json.push_str(",\"readAt\":\"");
            json.push_str(&rfc3339(read_at_ms));
            json.push_str("\"}");
        }
        _ => json.push_str(object),
    }
    true
}

/// An entry of the record as shown; everything up to `sent_upto` is in the feed.
pub fn from_record(entry: &Entry, sent_upto: i64) -> String {
    let delivery =
        if entry.notification.seq <= sent_upto { Delivery::Sent } else { Delivery::Pending };
    delivery.overlay(&entry.notification.to_json(), entry.read_at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_elements_that_are_not_objects() {
        let reads = Reads::default();
        assert_eq!(shown(b" {\"a\": 1} ", &reads).as_deref(), Some("{\"a\": 1}"));
        for bad in [&b"[]"[..], b"1", b"x", b"{", b"{} {}", b"\"{}\"", b"\xff", b""] {
            assert_eq!(shown(bad, &reads), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_marks() {
        let reads = Reads::parse("1=10;3=30;~17=5;~x-1=6;");
        assert_eq!(reads.ours, BTreeMap::from([(1, 10), (3, 30)]));
        let theirs = [("17", 5), ("x-1", 6)].map(|(id, ms)| (id.to_owned(), ms));
        assert_eq!(reads.theirs, BTreeMap::from(theirs));
        for bad in ["", "x;=;1=", "~a", "~a=;"] {
            assert_eq!(Reads::parse(bad), Reads::default(), "{bad}");
        }
    }

    #[test]
    fn marked_elements_of_other_services_say_so() {
        let reads = Reads::parse("1=10;~17=5;~x=6;");
        let text = |element: &str| shown(element.as_bytes(), &reads).unwrap();
        let at = |ms: i64| format!(r#""readAt":"{}""#, rfc3339(ms));
        for (element, ms) in
            [(r#"{"a":[],"id":17}"#, 5), (r#"{"id":"x" } "#, 6), (r#"{"id":1.7e1}"#, 5)]
        {
            let start = element.trim().strip_suffix('}').unwrap();
            assert_eq!(text(element), format!("{start},{}}}", at(ms)), "{element}");
        }
        // Others, and those that have a time of their own.
        for element in [
            r#"{"id":1}"#,
            r#"{"id":"1"}"#,
            r#"{"id":null}"#,
            r#"{"id":[17]}"#,
            r#"{"a":{"id":17}}"#,
            r#"{"id":17,"readAt":null}"#,
            "{}",
        ] {
            assert_eq!(text(element), element);
        }
    }

    #[test]
    fn the_body_is_one_json_object() {
        let mut page = Page { unread: 1, next: Some("~3.1".to_owned()), ..Page::default() };
        for element in [&b"{\"a\":1}"[..], b"x", b"{}"] {
            page.push(|json| push_element(json, element, &Reads::default()));
        }
        assert_eq!(page.len(), 2);
        let value: serde_json::Value = serde_json::from_str(&page.to_json()).unwrap();
        assert_eq!(value["next"], "~3.1");
        assert_eq!(Page::default().to_json(), r#"{"notifications":[],"unread":0,"next":null}"#);
    }
}
