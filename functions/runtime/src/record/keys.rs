//! Idempotency keys: a repeated create gets its first answer, even if the entry has been deleted or
//! its user erased since.

use super::rows::{Inserted, KnownKey, Row, columns, count, json, key_digests_of, keys_of};
use super::{Created, Idempotency, NewEntry, Record, RecordError};
use crate::ports::sql::{Failure, Sql, Statement, Value};

/// Rounds of a create whose idempotency keys other calls release or take meanwhile. Two suffice
/// unless several calls with one key arrive at the moment when it expires.
const ROUNDS_MAX: usize = 8;

/// Keys that an erase moves per statement, and the number of such statements: far more than one
/// user gets during the lifetime of a key.
const ERASED_KEYS_PAGE: usize = 500;
const ERASED_PAGES_MAX: usize = 400;

impl<S: Sql> Record<S> {
    /// Commits entries and their users' next seqs, all or none, in one statement, plus a second one
    /// if idempotency keys are known already. Keys created before `keys_since_ms` have expired.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn create(
        &self,
        entries: &[NewEntry],
        keys_since_ms: i64,
    ) -> Result<Created, RecordError> {
        let created = self.insert_racing(entries).await?;
        self.complete(entries, created, keys_since_ms).await
    }

    /// As [`Record::create`], for entries that `gather` appends at once, and before each attempt of a
    /// statement that must wait for its turn.
    pub(super) async fn create_gathered(
        &self,
        mut gather: impl FnMut(&mut Vec<NewEntry>),
        keys_since_ms: i64,
    ) -> Result<Created, RecordError> {
        let mut entries = Vec::new();
        // Also if the statement is never attempted, the entries belong to it.
        gather(&mut entries);
        let mut insertion = self.insertion(&entries)?;
        let mut is_open = true;
        let mut next = || {
            let known = entries.len();
            if is_open {
                gather(&mut entries);
            }
            if entries.len() > known {
                match self.insertion(&entries) {
                    Ok(grown) => insertion = grown,
                    // They get no outcome, and none may take their places.
                    Err(_) => {
                        entries.truncate(known);
                        is_open = false;
                    }
                }
            }
            insertion.clone()
        };
        let rows = self.repeating(async || self.sql.query_growing(&mut next).await).await?;
        let created = Inserted::new(rows)?;
        self.complete(&entries, created, keys_since_ms).await
    }

    /// Replays the entries of keys that were known before.
    async fn complete(
        &self,
        entries: &[NewEntry],
        mut created: Inserted,
        keys_since_ms: i64,
    ) -> Result<Created, RecordError> {
        for _ in 0..ROUNDS_MAX {
            if created.rows.len() == entries.len() {
                return created.in_order(entries, &[]);
            }
            // Some keys are known: replay the entries that they committed. Expired keys are
            // released, and their entries are inserted again, as are entries that have just lost
            // their key to another call.
            let known = self.known_keys(entries).await?;
            let is_expired = known.iter().any(|key| key.created_at_ms < keys_since_ms);
            if is_expired {
                self.release_keys(entries, keys_since_ms - 1).await?;
            }
            let missing = || entries.iter().filter(|entry| !created.has(entry));
            if !is_expired && missing().all(|entry| known.iter().any(|key| key.is_of(entry))) {
                return created.in_order(entries, &known);
            }
            let missing: Vec<NewEntry> = missing().cloned().collect();
            created.rows.extend(self.insert_racing(&missing).await?.rows);
        }
        Err(RecordError::Busy("other calls kept changing the idempotency keys"))
    }

    /// Inserts the entries whose keys are not known. The usual case, one entry, has its own
    /// statement.
    async fn insert(&self, entries: &[NewEntry]) -> Result<Inserted, RecordError> {
        if entries.is_empty() {
            return Inserted::new(Vec::new());
        }
        let Statement { text, parameters, has_one_row } = self.insertion(entries)?;
        let rows = match has_one_row {
            true => self.run_row(text, parameters).await?,
            false => self.run(text, parameters).await?,
        };
        Inserted::new(rows)
    }

    fn insertion(&self, entries: &[NewEntry]) -> Result<Statement<'static>, RecordError> {
        let (text, parameters) = match entries {
            [entry] => (self.statements.create(), columns(entry)),
            entries => {
                let rows: Vec<Vec<Value>> = entries.iter().map(columns).collect();
                (self.statements.create_batch(), vec![json(&rows)?])
            }
        };
        Ok(Statement { text, parameters, has_one_row: entries.len() == 1 })
    }

    /// Inserts, and tries again if another call was faster with one of the keys: the statement was
    /// rolled back as a whole, and the next one sees the key. A batch may lose one key after the
    /// other.
    async fn insert_racing(&self, entries: &[NewEntry]) -> Result<Inserted, RecordError> {
        let mut outcome = self.insert(entries).await;
        for _ in 0..ROUNDS_MAX {
            if outcome.as_ref().err().and_then(RecordError::failure) != Some(Failure::KeyRace) {
                break;
            }
            outcome = self.insert(entries).await;
        }
        outcome
    }

    async fn known_keys(&self, entries: &[NewEntry]) -> Result<Vec<KnownKey>, RecordError> {
        let parameters = vec![keys_of(entries)?, key_digests_of(entries)?];
        let rows = self.run(self.statements.known_keys(), parameters).await?;
        rows.into_iter().map(KnownKey::new).collect()
    }

    async fn release_keys(&self, entries: &[NewEntry], upto_ms: i64) -> Result<(), RecordError> {
        let parameters = vec![keys_of(entries)?, Value::Int(upto_ms)];
        self.run(self.statements.release_keys(), parameters).await?;
        let parameters = vec![key_digests_of(entries)?, Value::Int(upto_ms)];
        self.run(self.statements.release_erased_keys(), parameters).await.map(drop)
    }

    /// Replaces the idempotency keys of a user's deleted entries by digests, in their own table.
    pub(super) async fn keep_key_digests(
        &self,
        user_id: &Value,
        keys_since_ms: i64,
    ) -> Result<(), RecordError> {
        for _ in 0..ERASED_PAGES_MAX {
            let since = Value::Int(keys_since_ms);
            let parameters = vec![user_id.clone(), since, count(ERASED_KEYS_PAGE)];
            let rows = self.run(self.statements.erase_keys(), parameters).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let kept = rows.into_iter().map(|values| {
                let mut row = Row::new(values);
                let (id, key, request_hash) = (row.text()?, row.text()?, row.text()?);
                let known = Idempotency { key, request_hash };
                Ok([id, known.key_digest(), known.request_digest()])
            });
            let kept = kept.collect::<Result<Vec<_>, RecordError>>()?;
            self.run(self.statements.erase_to_digests(), vec![json(&kept)?]).await?;
        }
        Err(RecordError::Busy("the user has too many entries to erase in one call"))
    }
}
