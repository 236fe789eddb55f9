//! Idempotency keys: a create that is repeated gets its first answer, also when the entry was deleted
//! or its user erased since.

use shared::digest;

use super::rows::{Inserted, KnownKey, Row, columns, count, json, key_digests_of, keys_of};
use super::{Created, NewEntry, Record, RecordError};
use crate::ports::sql::{Failure, Sql, Value};

/// Rounds of a create whose idempotency keys are released or taken meanwhile. Two suffice unless
/// several calls with one key arrive in the moment when it expires.
const ROUNDS_MAX: usize = 8;

/// Keys that an erase moves with one statement, and how many times: far more than one user gets
/// while keys hold.
const ERASED_KEYS_PAGE: usize = 500;
const ERASED_PAGES_MAX: usize = 400;

/// An idempotency key, unique per caller, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// Of the request as parsed JSON.
    pub request_hash: String,
}

impl Idempotency {
    /// What is kept of the key when its user is erased.
    pub(crate) fn key_digest(&self) -> String {
        digest::of_text(&self.key)
    }

    /// What is kept of the request then: of no use to whoever does not know the key.
    pub(crate) fn request_digest(&self) -> String {
        digest::of_text(&format!("{} {}", self.request_hash, self.key))
    }
}

impl<S: Sql> Record<S> {
    /// Commits entries and their users' next seqs, all or none, in one statement; a second one
    /// where idempotency keys are known already. Keys older than `keys_since_ms` have expired.
    ///
    /// # Errors
    /// [`RecordError`]; whether a write took effect is not known then.
    pub async fn create(
        &self,
        entries: &[NewEntry],
        keys_since_ms: i64,
    ) -> Result<Created, RecordError> {
        let mut created = self.insert_racing(entries).await?;
        for _ in 0..ROUNDS_MAX {
            if created.rows.len() == entries.len() {
                return created.in_order(entries, &[]);
            }
            // Some keys are known: replay what they committed. Expired ones are released, and what
            // they stood for is committed anew, as is what lost its key to another call just now.
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

    /// Inserts what has no known key. One entry, the usual case, has a statement of its own.
    async fn insert(&self, entries: &[NewEntry]) -> Result<Inserted, RecordError> {
        let rows = match entries {
            [] => Vec::new(),
            [entry] => self.run_row(self.statements.create, columns(entry)).await?,
            entries => {
                let rows: Vec<Vec<Value>> = entries.iter().map(columns).collect();
                self.run(self.statements.create_batch, vec![json(&rows)?]).await?
            }
        };
        Inserted::new(rows)
    }

    /// Inserts, and again when another call with one of the keys was faster: the statement was
    /// undone as a whole then, and now it sees the key. A batch may lose one key after the other.
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
        let rows = self.run(self.statements.known_keys, parameters).await?;
        rows.into_iter().map(KnownKey::new).collect()
    }

    async fn release_keys(&self, entries: &[NewEntry], upto_ms: i64) -> Result<(), RecordError> {
        let parameters = vec![keys_of(entries)?, Value::Int(upto_ms)];
        self.run(self.statements.release_keys, parameters).await?;
        let parameters = vec![key_digests_of(entries)?, Value::Int(upto_ms)];
        self.run(self.statements.release_erased_keys, parameters).await.map(drop)
    }

    /// Moves the keys of a user's deleted entries to where only digests lie.
    pub(super) async fn keep_key_digests(
        &self,
        user_id: &Value,
        keys_since_ms: i64,
    ) -> Result<(), RecordError> {
        for _ in 0..ERASED_PAGES_MAX {
            let since = Value::Int(keys_since_ms);
            let parameters = vec![user_id.clone(), since, count(ERASED_KEYS_PAGE)];
            let rows = self.run(self.statements.erase_keys, parameters).await?;
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
            self.run(self.statements.erase_to_digests, vec![json(&kept)?]).await?;
        }
        Err(RecordError::Busy("the user has too many entries to erase in one call"))
    }
}
