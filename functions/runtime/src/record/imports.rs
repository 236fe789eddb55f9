//! Imports: history from another system, with the times and read marks that it has there.

use super::rows::{Inserted, KnownKey, import_columns, json, key_digests_of};
use super::{Created, ImportedEntry, NewEntry, Record, RecordError};
use crate::ports::sql::{Failure, Sql, Value};

/// Attempts of an import whose keys other calls take meanwhile: each loses one key after the other.
const ROUNDS_MAX: usize = 8;

impl<S: Sql> Record<S> {
    /// Commits entries of another system, all or none, with their users' next seqs in their order:
    /// one statement, plus a second one if idempotency keys are known already. A key is known for as
    /// long as entries are kept.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn import(
        &self,
        entries: &[ImportedEntry],
        now_ms: i64,
    ) -> Result<Created, RecordError> {
        let columns: Vec<Vec<Value>> = entries.iter().map(import_columns).collect();
        let parameters = vec![json(&columns)?, Value::Int(now_ms)];
        let mut outcome = self.run(self.statements.import(), parameters.clone()).await;
        for _ in 0..ROUNDS_MAX {
            // Another call was faster with a key. The statement was rolled back as a whole, and the
            // next one sees the key.
            if outcome.as_ref().err().and_then(RecordError::failure) != Some(Failure::KeyRace) {
                break;
            }
            outcome = self.run(self.statements.import(), parameters.clone()).await;
        }
        let inserted = Inserted::new(outcome?)?;
        let entries: Vec<NewEntry> = entries.iter().map(|entry| entry.entry.clone()).collect();
        if inserted.rows.len() == entries.len() {
            return inserted.in_order(&entries, &[]);
        }
        let parameters = vec![key_digests_of(&entries)?];
        let known = self.run(self.statements.known_import_keys(), parameters).await?;
        let known: Vec<KnownKey> =
            known.into_iter().map(KnownKey::new).collect::<Result<_, RecordError>>()?;
        inserted.in_order(&entries, &known)
    }
}
