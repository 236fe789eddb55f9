//! A user's notifications in the record: reads, marks, deletes, erasure, pruning.

use shared::UserId;

use super::rows::{Row, count, entries, json};
use super::{
    Deleted, Entry, Marked, Marks, Record, RecordError, Retention, Revision, Shown, Window,
};
use crate::ports::sql::{Sql, Value};

impl<S: Sql> Record<S> {
    /// The newest `limit` entries, oldest first, with the user's counters and the epoch.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn window(&self, user: &UserId, limit: usize) -> Result<Window, RecordError> {
        let parameters = vec![Value::text(user.as_str()), count(limit)];
        let rows = self.run(self.statements.window(), parameters).await?;
        let mut window: Option<Window> = None;
        for values in rows {
            let mut row = Row::new(values);
            let (epoch, head) = (row.text()?, row.int()?);
            let (sent_seq, rev) = (row.int()?, row.int()?);
            let window = window.get_or_insert_with(|| Window {
                epoch,
                head,
                sent_seq,
                rev,
                entries: Vec::new(),
            });
            window.entries.extend(row.entry(user)?);
        }
        window.ok_or_else(|| RecordError::Malformed("the record has no epoch".to_owned()))
    }

    /// Entries above the seq `after`, oldest first, at most `limit`. With `live_at_ms`, only those
    /// unexpired at that time; without it, expired ones too, as a feed keeps them in their places.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn entries_after(
        &self,
        user: &UserId,
        after: i64,
        limit: usize,
        live_at_ms: Option<i64>,
        shown: Shown,
    ) -> Result<Vec<Entry>, RecordError> {
        let (user_id, live_at) = (Value::text(user.as_str()), live_at_ms.unwrap_or(i64::MIN));
        let mut parameters = vec![user_id, Value::Int(after), count(limit), Value::Int(live_at)];
        parameters.push(only_unread(shown));
        entries(user, self.run(self.statements.entries_after(), parameters).await?)
    }

    /// Unexpired entries below the seq `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn entries_before(
        &self,
        user: &UserId,
        before: i64,
        limit: usize,
        now_ms: i64,
        shown: Shown,
    ) -> Result<Vec<Entry>, RecordError> {
        let user_id = Value::text(user.as_str());
        let mut parameters = vec![user_id, Value::Int(before), count(limit), Value::Int(now_ms)];
        parameters.push(only_unread(shown));
        entries(user, self.run(self.statements.entries_before(), parameters).await?)
    }

    /// One entry, expired or not; `None` if it is unknown or deleted.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn entry(&self, user: &UserId, id: &str) -> Result<Option<Entry>, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::text(id)];
        Ok(entries(user, self.run(self.statements.entry(), parameters).await?)?.pop())
    }

    /// Whether an entry with this seq exists and is not deleted.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn has_entry(&self, user: &UserId, seq: i64) -> Result<bool, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(seq)];
        Ok(!self.run(self.statements.has_entry(), parameters).await?.is_empty())
    }

    /// The seq from which on all of a user's entries up to `seq`, an imported one, are imported.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn imported_from(&self, user: &UserId, seq: i64) -> Result<i64, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(seq)];
        let rows = self.run(self.statements.last_not_imported(), parameters).await?;
        Ok(1 + Row::first(rows)?.int()?)
    }

    /// Marks entries as read, and returns the user's marks after that (two statements).
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn mark_read(
        &self,
        user: &UserId,
        marked: &Marked,
        now_ms: i64,
        limit: usize,
    ) -> Result<Marks, RecordError> {
        let user_id = Value::text(user.as_str());
        let (statement, what) = match marked {
            Marked::UpTo(seq) => (self.statements.mark_upto(), Value::Int(*seq)),
            Marked::Ids(ids) => (self.statements.mark_ids(), json(ids)?),
        };
        self.run(statement, vec![user_id.clone(), what, Value::Int(now_ms)]).await?;
        self.marks(user_id, limit).await
    }

    /// Deletes an entry; `None` if it never existed (two or three statements). A repeat returns the
    /// same, so that a caller whose delete did not reach Redis can try again. The entry's
    /// idempotency key remains valid.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn delete(
        &self,
        user: &UserId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<Deleted>, RecordError> {
        let user_id = Value::text(user.as_str());
        let parameters = vec![user_id.clone(), Value::text(id), Value::Int(now_ms)];
        let mut rows = self.run(self.statements.delete(), parameters).await?;
        if rows.is_empty() {
            let parameters = vec![user_id.clone(), Value::text(id)];
            rows = self.run(self.statements.has_row(), parameters).await?;
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let seq = Row::first(rows)?.int()?;
        Ok(Some(Deleted { at: self.marks(user_id, 0).await?.at, seq }))
    }

    /// Erases all entries of a user and returns the revision after that. The first statement
    /// removes all content. The others keep a digest of each idempotency key that was created since
    /// `keys_since_ms` and delete all other rows; a repeat makes up for those that failed.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn erase(&self, user: &UserId, keys_since_ms: i64) -> Result<Revision, RecordError> {
        let user_id = Value::text(user.as_str());
        self.run(self.statements.erase(), vec![user_id.clone()]).await?;
        self.keep_key_digests(&user_id, keys_since_ms).await?;
        let parameters = vec![user_id.clone(), Value::Int(keys_since_ms)];
        self.run(self.statements.erase_rest(), parameters).await?;
        Ok(self.marks(user_id, 0).await?.at)
    }

    /// Deletes about `limit` rows past their retention at most, and returns their number.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, RecordError> {
        let parameters = vec![
            Value::Int(retention.now_ms),
            Value::Int(retention.keep_since_ms),
            Value::Int(retention.keys_since_ms),
            count(limit),
        ];
        let mut dropped = self.run(self.statements.prune(), parameters).await?.len();
        let statements = self.statements;
        for statement in
            [statements.prune_keys(), statements.prune_erased_keys(), statements.prune_token_rows()]
        {
            let parameters = vec![Value::Int(retention.keys_since_ms), count(limit)];
            dropped += self.run(statement, parameters).await?.len();
        }
        let parameters = vec![Value::Int(retention.keep_since_ms), count(limit)];
        dropped += self.run(statements.prune_import_keys(), parameters).await?.len();
        Ok(dropped)
    }

    async fn marks(&self, user_id: Value, limit: usize) -> Result<Marks, RecordError> {
        let rows = self.run(self.statements.marks(), vec![user_id, count(limit)]).await?;
        Marks::from_rows(rows)
    }
}

fn only_unread(shown: Shown) -> Value {
    Value::Int(i64::from(shown == Shown::Unread))
}
