//! The record's statements, one file each, for every database.

use crate::ports::sql::Backend;

/// Separates the statements of a migration: hosts run one statement per call, and triggers contain
/// `;`.
pub(super) const STATEMENT_END: &str = "--;";

/// The statements in the dialect of a backend. A component has the texts of those that it runs, and
/// of the migrations: the linker drops all others.
#[derive(Clone, Copy)]
pub(super) struct Statements(pub(super) Backend);

impl Statements {
    /// In order. Each skips the tables and functions that exist.
    pub(super) fn migrations(self) -> &'static [&'static str] {
        match self.0 {
            Backend::Sqlite => &[
                include_str!("../../sql/sqlite/001_init.sql"),
                include_str!("../../sql/sqlite/002_tokens.sql"),
                include_str!("../../sql/sqlite/003_erased_keys.sql"),
                include_str!("../../sql/sqlite/004_write_check.sql"),
                include_str!("../../sql/sqlite/005_devices.sql"),
                include_str!("../../sql/sqlite/006_push_jobs.sql"),
                include_str!("../../sql/sqlite/007_muted.sql"),
                include_str!("../../sql/sqlite/008_import.sql"),
            ],
            Backend::Postgres => &[
                include_str!("../../sql/postgres/001_init.sql"),
                include_str!("../../sql/postgres/002_create.sql"),
                include_str!("../../sql/postgres/003_tokens.sql"),
                include_str!("../../sql/postgres/004_erased_keys.sql"),
                include_str!("../../sql/postgres/005_write_check.sql"),
                include_str!("../../sql/postgres/006_devices.sql"),
                include_str!("../../sql/postgres/007_push_jobs.sql"),
                include_str!("../../sql/postgres/008_muted.sql"),
                include_str!("../../sql/postgres/009_create_many.sql"),
                include_str!("../../sql/postgres/010_import.sql"),
            ],
        }
    }
}

/// A method for each statement, which returns its text; the files explain them.
macro_rules! statements {
    ($($name:ident)*) => {
        impl Statements {
            $(pub(super) fn $name(self) -> &'static str {
                match self.0 {
                    Backend::Sqlite => {
                        include_str!(concat!("../../sql/sqlite/", stringify!($name), ".sql"))
                    }
                    Backend::Postgres => {
                        include_str!(concat!("../../sql/postgres/", stringify!($name), ".sql"))
                    }
                }
            })*
        }
    };
}

statements! {
    addresses
    create
    create_batch
    delete
    delete_device
    delete_token
    describe_default
    devices
    entries_after
    entries_before
    entry
    epoch
    erase
    erase_devices
    erase_keys
    erase_preference
    erase_rest
    erase_to_digests
    full_users
    has_entry
    has_row
    import
    known_import_keys
    known_keys
    last_not_imported
    late_count
    mark_ids
    mark_sent
    mark_upto
    marks
    note_redis_run
    pending
    pending_count
    preference
    prune
    prune_erased_keys
    prune_import_keys
    prune_keys
    prune_token_rows
    prune_tokens
    push_claim
    push_delay
    push_due
    push_finish
    put_device
    put_preference
    put_tokens
    recent_pending
    redis_run
    release_erased_keys
    release_keys
    remove_devices
    revs_of_tokenless
    rotate_epoch
    tokens
    window
    write_check
}
