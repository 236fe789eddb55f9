//! The record as an outbox: committed entries that are not yet in the feeds, and their epoch.

use shared::UserId;

use super::rows::{Row, count, json, user_id};
use super::{Pending, Record, RecordError, RedisRun};
use crate::ports::sql::{Sql, Value};

impl<S: Sql> Record<S> {
    /// The record's epoch, and users with undelivered entries: those above `after_user` in byte
    /// order, at most `limit`.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn pending(
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
            pending.push(Pending { user: user_id(&user)?, seq: row.int()?, sent_seq: row.int()? });
        }
        let epoch =
            epoch.ok_or_else(|| RecordError::Malformed("the record has no epoch".to_owned()))?;
        Ok((epoch, pending))
    }

    /// The number of users with undelivered entries.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn pending_count(&self) -> Result<i64, RecordError> {
        Row::first(self.run(self.statements.pending_count, Vec::new()).await?)?.int()
    }

    /// Notes for each user that all entries up to the seq are in the feed.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn mark_sent(&self, sent: &[(UserId, i64)]) -> Result<(), RecordError> {
        if sent.is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> = sent.iter().map(|(user, seq)| (user.as_str(), seq)).collect();
        self.run(self.statements.mark_sent, vec![json(&pairs)?]).await.map(drop)
    }

    /// Replaces the epoch if it is still `epoch`, and returns the current one (two statements).
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn rotate_epoch(&self, epoch: &str) -> Result<String, RecordError> {
        let parameters = vec![Value::text(epoch), Value::Text((self.fresh_epoch)())];
        self.run(self.statements.rotate_epoch, parameters).await?;
        Row::first(self.run(self.statements.epoch, Vec::new()).await?)?.text()
    }

    /// Notes the Redis process that has the feeds (one to three statements). If it is another
    /// process than before, users with entries since `since_ms` count as pending: a restart or a
    /// failover to an older replica may have lost their newest entries.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn note_redis_run(
        &self,
        run_id: &str,
        since_ms: i64,
    ) -> Result<RedisRun, RecordError> {
        let known = Row::first(self.run(self.statements.redis_run, Vec::new()).await?)?.text()?;
        if known == run_id {
            return Ok(RedisRun::Known);
        }
        // In this order, a call that fails between the two statements is repeated by the next one.
        self.run(self.statements.recent_pending, vec![Value::Int(since_ms)]).await?;
        self.run(self.statements.note_redis_run, vec![Value::text(run_id)]).await?;
        Ok(if known.is_empty() { RedisRun::First } else { RedisRun::Replaced })
    }
}
