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
        let rows = self
            .run(self.statements.pending(), vec![Value::text(after_user), count(limit)])
            .await?;
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
        Row::first(self.run(self.statements.pending_count(), Vec::new()).await?)?.int()
    }

    /// The number of users with undelivered entries whose newest one is older than `before_ms`; at
    /// most 10,000 are counted.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn late_count(&self, before_ms: i64) -> Result<i64, RecordError> {
        let rows = self.run(self.statements.late_count(), vec![Value::Int(before_ms)]).await?;
        Row::first(rows)?.int()
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
        self.run(self.statements.mark_sent(), vec![json(&pairs)?]).await.map(drop)
    }

    /// Replaces the epoch if it is still `epoch`, and returns the current one (two statements).
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn rotate_epoch(&self, epoch: &str) -> Result<String, RecordError> {
        let parameters = vec![Value::text(epoch), Value::Text((self.fresh_epoch)())];
        self.run(self.statements.rotate_epoch(), parameters).await?;
        Row::first(self.run(self.statements.epoch(), Vec::new()).await?)?.text()
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
        let known = self.redis_run().await?;
        self.note(&known, run_id, known != run_id, since_ms).await
    }

    /// The same for the masters of a cluster, each with its run id, or `None` if it is not known
    /// now. Users count as pending if a process is new, wherever its slots came from.
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn note_redis_runs(
        &self,
        seen: &[(String, Option<String>)],
        since_ms: i64,
    ) -> Result<RedisRun, RecordError> {
        let known = self.redis_run().await?;
        let (text, is_new) = merge(&known, seen);
        self.note(&known, &text, is_new, since_ms).await
    }

    async fn redis_run(&self) -> Result<String, RecordError> {
        Row::first(self.run(self.statements.redis_run(), Vec::new()).await?)?.text()
    }

    async fn note(
        &self,
        known: &str,
        text: &str,
        is_new: bool,
        since_ms: i64,
    ) -> Result<RedisRun, RecordError> {
        // In this order, a call that fails between the two statements is repeated by the next one.
        if is_new {
            self.run(self.statements.recent_pending(), vec![Value::Int(since_ms)]).await?;
        }
        if known != text {
            self.run(self.statements.note_redis_run(), vec![Value::text(text)]).await?;
        }
        Ok(match (is_new, known.is_empty()) {
            (false, _) => RedisRun::Known,
            (true, true) => RedisRun::First,
            (true, false) => RedisRun::Replaced,
        })
    }
}

/// The text to note, `server=run server=run` in the order of `seen`, and whether it has a run that
/// `known` has not. A server that is unknown now keeps its run; one that is not a master any
/// more loses it.
fn merge(known: &str, seen: &[(String, Option<String>)]) -> (String, bool) {
    let (mut pairs, mut is_new) = (Vec::new(), false);
    for (server, run_id) in seen {
        let mut noted = known.split(' ').filter_map(|pair| pair.split_once('='));
        let before = noted.find(|(noted, _)| noted == server).map(|(_, run_id)| run_id);
        is_new |= run_id.is_some() && run_id.as_deref() != before;
        if let Some(run_id) = run_id.as_deref().or(before) {
            pairs.push(format!("{server}={run_id}"));
        }
    }
    (pairs.join(" "), is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_process_of_any_master_is_noticed() {
        let seen = |pairs: &[(&str, &str)]| {
            let some = |run: &str| Some(run.to_owned()).filter(|run| !run.is_empty());
            let pairs = pairs.iter().map(|(server, run)| ((*server).to_owned(), some(run)));
            pairs.collect::<Vec<_>>()
        };
        let two = "a:1=r1 b:1=r2";
        for (known, now, expected, is_new) in [
            ("", &[("a:1", "r1"), ("b:1", "r2")][..], two, true),
            ("single", &[("a:1", "r1"), ("b:1", "r2")], two, true),
            (two, &[("a:1", "r1"), ("b:1", "r2")], two, false),
            (two, &[("a:1", "r1"), ("b:1", "r3")], "a:1=r1 b:1=r3", true),
            (two, &[("a:1", "r1"), ("b:1", "")], two, false),
            (two, &[("a:1", "r1"), ("c:1", "r4")], "a:1=r1 c:1=r4", true),
            (two, &[("a:1", "r1")], "a:1=r1", false),
            ("", &[("a:1", "")], "", false),
        ] {
            assert_eq!(merge(known, &seen(now)), (expected.to_owned(), is_new), "{known} {now:?}");
        }
    }
}
