//! What a database's error text says: whether a statement may be repeated.

/// SQLite says it in words, Postgres with SQLSTATE 42P01 (table) or 3F000 (schema).
pub(super) fn is_missing_table(text: &str) -> bool {
    text.contains("no such table") || text.starts_with("42P01") || text.starts_with("3F000")
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
