//! The record in an SQL database. Its statements lie in `sql/sqlite` and `sql/postgres`, under the
//! same names, with the same parameters and columns; only they know which database it is.

use shared::UserId;

use super::backend::{Backend, STATEMENT_END, Statements};
use super::failure::{is_deadlock, is_not_migrated, is_switch_race};
use super::rows::{Row, Rows, count, entries, json};
use super::{
    Created, Deleted, Entry, Marked, Marks, NewEntry, Pending, Record, RecordError, RedisRun,
    Retention, Revision, Sql, Value, WRITE_CHECK_MS, Window,
};

/// Of a statement that was undone for another's sake, each after a second (`deadlock_timeout`).
const RETRIES_MAX: usize = 3;

/// A record in a database that runs SQL.
pub struct SqlRecord<S> {
    sql: S,
    pub(super) statements: &'static Statements,
    /// Makes a random epoch.
    fresh_epoch: fn() -> String,
}

impl<S: Sql> SqlRecord<S> {
    pub fn new(sql: S, backend: Backend, fresh_epoch: fn() -> String) -> Self {
        Self { sql, statements: backend.statements(), fresh_epoch }
    }

    /// The database itself, for what is no part of the record.
    pub fn sql(&self) -> &S {
        &self.sql
    }

    pub(super) async fn run(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Rows, RecordError> {
        self.repeating(async || self.sql.query(statement, parameters.clone()).await).await
    }

    /// As `run`, for a statement that gives one row at most.
    pub(super) async fn run_row(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Rows, RecordError> {
        let row = async || self.sql.query_row(statement, parameters.clone()).await;
        self.repeating(async || row().await.map(Vec::from_iter)).await
    }

    async fn repeating(
        &self,
        run: impl AsyncFn() -> Result<Rows, String>,
    ) -> Result<Rows, RecordError> {
        let mut outcome = run().await;
        for _ in 0..RETRIES_MAX {
            match &outcome {
                // A database that is new, older than this code, or was replaced: nothing was done.
                Err(text) if is_not_migrated(text) => self.migrate().await?,
                // The statement was undone as a whole, so that another one could go on.
                Err(text) if is_deadlock(text) => {}
                _ => break,
            }
            outcome = run().await;
        }
        outcome.map_err(RecordError)
    }

    async fn marks(&self, user_id: Value, limit: usize) -> Result<Marks, RecordError> {
        let rows = self.run(self.statements.marks, vec![user_id, count(limit)]).await?;
        Marks::from_rows(rows)
    }
}

impl<S: Sql> Record for SqlRecord<S> {
    async fn migrate(&self) -> Result<(), RecordError> {
        for statement in self.statements.migrations.iter().flat_map(|all| all.split(STATEMENT_END))
        {
            let epoch = || Value::Text((self.fresh_epoch)());
            let parameters = Vec::from_iter(statement.contains("?1").then(epoch));
            let mut outcome = self.sql.query(statement.trim(), parameters.clone()).await;
            if outcome.as_ref().is_err_and(|text| is_switch_race(text)) {
                outcome = self.sql.query(statement.trim(), parameters).await;
            }
            outcome.map_err(RecordError)?;
        }
        Ok(())
    }

    async fn check_writable(&self, now_ms: i64) -> Result<(), RecordError> {
        let parameters = vec![Value::Int(now_ms), Value::Int(now_ms - WRITE_CHECK_MS)];
        self.run(self.statements.write_check, parameters).await.map(drop)
    }

    async fn create(
        &self,
        entries: &[NewEntry],
        keys_since_ms: i64,
    ) -> Result<Created, RecordError> {
        self.commit(entries, keys_since_ms).await
    }

    async fn window(&self, user: &UserId, limit: usize) -> Result<Window, RecordError> {
        let parameters = vec![Value::text(user.as_str()), count(limit)];
        let rows = self.run(self.statements.window, parameters).await?;
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
        window.ok_or_else(|| RecordError("the record has no epoch".to_owned()))
    }

    async fn entries_after(
        &self,
        user: &UserId,
        after: i64,
        limit: usize,
        live_at_ms: Option<i64>,
    ) -> Result<Vec<Entry>, RecordError> {
        let (user_id, live_at) = (Value::text(user.as_str()), live_at_ms.unwrap_or(i64::MIN));
        let parameters = vec![user_id, Value::Int(after), count(limit), Value::Int(live_at)];
        entries(user, self.run(self.statements.entries_after, parameters).await?)
    }

    async fn entries_before(
        &self,
        user: &UserId,
        before: i64,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<Entry>, RecordError> {
        let user_id = Value::text(user.as_str());
        let parameters = vec![user_id, Value::Int(before), count(limit), Value::Int(now_ms)];
        entries(user, self.run(self.statements.entries_before, parameters).await?)
    }

    async fn entry(&self, user: &UserId, id: &str) -> Result<Option<Entry>, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::text(id)];
        Ok(entries(user, self.run(self.statements.entry, parameters).await?)?.pop())
    }

    async fn mark_read(
        &self,
        user: &UserId,
        marked: &Marked,
        now_ms: i64,
        limit: usize,
    ) -> Result<Marks, RecordError> {
        let user_id = Value::text(user.as_str());
        let (statement, what) = match marked {
            Marked::UpTo(seq) => (self.statements.mark_upto, Value::Int(*seq)),
            Marked::Ids(ids) => (self.statements.mark_ids, json(ids)?),
        };
        self.run(statement, vec![user_id.clone(), what, Value::Int(now_ms)]).await?;
        self.marks(user_id, limit).await
    }

    async fn delete(
        &self,
        user: &UserId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<Deleted>, RecordError> {
        let user_id = Value::text(user.as_str());
        let parameters = vec![user_id.clone(), Value::text(id), Value::Int(now_ms)];
        let mut rows = self.run(self.statements.delete, parameters).await?;
        if rows.is_empty() {
            let parameters = vec![user_id.clone(), Value::text(id)];
            rows = self.run(self.statements.has_row, parameters).await?;
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let seq = Row::first(rows)?.int()?;
        Ok(Some(Deleted { at: self.marks(user_id, 0).await?.at, seq }))
    }

    async fn erase(&self, user: &UserId, keys_since_ms: i64) -> Result<Revision, RecordError> {
        let user_id = Value::text(user.as_str());
        self.run(self.statements.erase, vec![user_id.clone()]).await?;
        self.keep_key_digests(&user_id, keys_since_ms).await?;
        let parameters = vec![user_id.clone(), Value::Int(keys_since_ms)];
        self.run(self.statements.erase_rest, parameters).await?;
        Ok(self.marks(user_id, 0).await?.at)
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, RecordError> {
        let parameters = vec![
            Value::Int(retention.now_ms),
            Value::Int(retention.keep_since_ms),
            Value::Int(retention.keys_since_ms),
            count(limit),
        ];
        let mut dropped = self.run(self.statements.prune, parameters).await?.len();
        let statements = self.statements;
        for statement in
            [statements.prune_keys, statements.prune_erased_keys, statements.prune_token_rows]
        {
            let parameters = vec![Value::Int(retention.keys_since_ms), count(limit)];
            dropped += self.run(statement, parameters).await?.len();
        }
        Ok(dropped)
    }

    async fn has_entry(&self, user: &UserId, seq: i64) -> Result<bool, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(seq)];
        Ok(!self.run(self.statements.has_entry, parameters).await?.is_empty())
    }

    async fn pending(
        &self,
        after_user: &str,
        limit: usize,
    ) -> Result<(String, Vec<Pending>), RecordError> {
        let rows =
            self.run(self.statements.pending, vec![Value::text(after_user), count(limit)]).await?;
        let (mut epoch, mut pending) = (None, Vec::with_capacity(rows.len()));
        for values in rows {
            let mut row = Row::new(values);
            epoch = Some(row.text()?);
            let Some(user) = row.optional_text()? else { continue };
            let user = UserId::parse(&user).map_err(|error| RecordError(error.to_string()))?;
            pending.push(Pending { user, seq: row.int()?, sent_seq: row.int()? });
        }
        let epoch = epoch.ok_or_else(|| RecordError("the record has no epoch".to_owned()))?;
        Ok((epoch, pending))
    }

    async fn pending_count(&self) -> Result<i64, RecordError> {
        Row::first(self.run(self.statements.pending_count, Vec::new()).await?)?.int()
    }

    async fn mark_sent(&self, sent: &[(UserId, i64)]) -> Result<(), RecordError> {
        if sent.is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> = sent.iter().map(|(user, seq)| (user.as_str(), seq)).collect();
        self.run(self.statements.mark_sent, vec![json(&pairs)?]).await.map(drop)
    }

    async fn rotate_epoch(&self, epoch: &str) -> Result<String, RecordError> {
        let parameters = vec![Value::text(epoch), Value::Text((self.fresh_epoch)())];
        self.run(self.statements.rotate_epoch, parameters).await?;
        Row::first(self.run(self.statements.epoch, Vec::new()).await?)?.text()
    }

    async fn note_redis_run(&self, run_id: &str, since_ms: i64) -> Result<RedisRun, RecordError> {
        let known = Row::first(self.run(self.statements.redis_run, Vec::new()).await?)?.text()?;
        if known == run_id {
            return Ok(RedisRun::Known);
        }
        // In this order: whoever breaks off in between does it again, rather than never.
        self.run(self.statements.recent_pending, vec![Value::Int(since_ms)]).await?;
        self.run(self.statements.note_redis_run, vec![Value::text(run_id)]).await?;
        Ok(if known.is_empty() { RedisRun::First } else { RedisRun::Replaced })
    }
}
