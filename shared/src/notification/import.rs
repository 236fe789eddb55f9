//! Notifications of another system, with the times that they have there.

use super::Draft;
use crate::error::Error;
use crate::json::Object;
use crate::limits::IMPORT_CLOCK_SKEW_MS;
use crate::time::parse_rfc3339;

/// A validated item of an import, without id and seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub draft: Draft,
    /// Milliseconds since the Unix epoch, at most [`IMPORT_CLOCK_SKEW_MS`] in the future.
    pub created_at_ms: i64,
    /// The same; `None` if it is unread.
    pub read_at_ms: Option<i64>,
}

impl History {
    /// Takes the members of an item from `object` at the time `now_ms` (since the Unix epoch); the
    /// caller takes other members and calls [`Object::finish`].
    ///
    /// # Errors
    /// Those of [`Draft::take_from`], and the same codes for the times.
    pub fn take_from(object: &mut Object<'_>, now_ms: i64) -> Result<Self, Error> {
        let draft = Draft::take_from(object)?;
        let created_at_ms = past(object, "createdAt", now_ms)?;
        let created_at_ms = created_at_ms.ok_or_else(|| object.missing("createdAt"))?;
        Ok(Self { draft, created_at_ms, read_at_ms: past(object, "readAt", now_ms)? })
    }
}

fn past(object: &mut Object<'_>, name: &str, now_ms: i64) -> Result<Option<i64>, Error> {
    let Some(text) = object.string(name)? else { return Ok(None) };
    match parse_rfc3339(&text) {
        Some(ms @ 0..) if ms <= now_ms + IMPORT_CLOCK_SKEW_MS => Ok(Some(ms)),
        Some(0..) => Err(object.invalid(name, "must not be in the future")),
        _ => Err(object.invalid(name, "must be an RFC 3339 time since 1970")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_300_140_000;

    fn history(times: &str) -> Result<History, Error> {
        let json = format!(r#"{{"userId":7,"title":"t"{times}}}"#);
        let mut object = Object::parse(json.as_bytes())?;
        let history = History::take_from(&mut object, NOW_MS)?;
        object.finish()?;
        Ok(history)
    }

    #[test]
    fn takes_the_times_of_another_system() {
        let read = history(
            r#","createdAt":"2026-11-21T23:29:00+01:00","readAt":"2026-11-21T22:29:00.5Z""#,
        );
        let read = read.unwrap();
        assert_eq!((read.created_at_ms, read.read_at_ms), (NOW_MS, Some(NOW_MS + 500)));
        assert_eq!(read.draft.user_id.as_str(), "7");
        let unread = history(r#","createdAt":"1970-01-01T00:00:00Z","readAt":null"#).unwrap();
        assert_eq!((unread.created_at_ms, unread.read_at_ms), (0, None));
        // Whose clock is a little ahead.
        history(r#","createdAt":"2026-11-21T22:30:00Z""#).unwrap();
    }

    #[test]
    fn refuses_times_that_are_not_history() {
        let created = r#","createdAt":"2026-11-21T22:29:00Z""#;
        for (times, field, words) in [
            ("", "createdAt", "required"),
            (r#","createdAt":null"#, "createdAt", "required"),
            (r#","createdAt":1795300140"#, "createdAt", "string"),
            (r#","createdAt":"2026-11-21""#, "createdAt", "RFC 3339"),
            (r#","createdAt":"1969-12-31T23:59:59Z""#, "createdAt", "since 1970"),
            (r#","createdAt":"2026-11-21T22:30:01Z""#, "createdAt", "future"),
            (&format!(r#"{created},"readAt":"soon""#), "readAt", "RFC 3339"),
            (&format!(r#"{created},"readAt":"2027-11-21T22:29:00Z""#), "readAt", "future"),
            (&format!(r#"{created},"push":{{}}"#), "push", "push"),
            (&format!(r#"{created},"seq":1"#), "seq", "seq"),
        ] {
            let error = history(times).unwrap_err();
            assert_eq!(error.field_name(), Some(field), "{times}: {error:?}");
            assert!(error.detail().contains(words), "{times}: {error:?}");
        }
    }
}
