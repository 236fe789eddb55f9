//! What a database's error text says: whether a statement may be repeated.

/// SQLite says it in words, Postgres with SQLSTATE 42P01 (table), 3F000 (schema) or 42883 (function).
pub(super) fn is_not_migrated(text: &str) -> bool {
    text.contains("no such table")
        || ["42P01", "3F000"].iter().any(|code| text.starts_with(code))
        // Of ours: another one that is missing is no migration's fault.
        || (text.starts_with("42883") && text.contains("bellwire."))
}

/// Postgres, SQLSTATE 40P01: rows were locked in another order, as by a prune among marks.
pub(super) fn is_deadlock(text: &str) -> bool {
    text.starts_with("40P01")
}

/// Postgres, SQLSTATE 23505; SQLite has one writer at a time and no such race.
pub(super) fn is_key_race(text: &str) -> bool {
    text.starts_with("23505") && text.contains("notifications_idempotency")
}

/// Two connections that switch SQLite's journal mode at once refuse each other, without waiting.
pub(super) fn is_switch_race(text: &str) -> bool {
    text.contains("database is locked")
}

/// Why the record cannot be written, as far as the text tells: SQLite in words, Postgres with SQLSTATE
/// 25006 and 53100.
pub(super) fn reason(text: &str) -> &'static str {
    if text.contains("readonly database") || text.starts_with("25006") {
        "it is read-only"
    } else if text.contains("disk is full") || text.starts_with("53100") {
        "the disk is full"
    } else if text.contains("database is locked") {
        "another program keeps it locked"
    } else {
        "it cannot be reached or does not answer"
    }
}
