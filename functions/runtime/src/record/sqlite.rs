//! The record on SQLite. Statements lie in `sql/sqlite`.

use shared::UserId;
use shared::notification::{Draft, Notification};

use super::{Created, Pending, Record, RecordError, Sql, Value, Window};

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../../sql/sqlite/", $name, ".sql"))
    };
}

/// Separates the statements of a migration: SQLite runs one at a time, and triggers hold `;`.
const STATEMENT_END: &str = "--;";

/// The record in an SQLite database.
pub struct SqliteRecord<S> {
    sql: S,
    /// Makes a random epoch.
    fresh_epoch: fn() -> String,
}

impl<S: Sql> SqliteRecord<S> {
    pub fn new(sql: S, fresh_epoch: fn() -> String) -> Self {
        Self { sql, fresh_epoch }
    }

    async fn run(&self, statement: &str, parameters: Vec<Value>) -> Rows {
        match self.sql.query(statement, parameters.clone()).await {
            // A database file that is new, or was replaced by an empty one: nothing was done yet.
            Err(text) if text.contains("no such table") => {
                self.migrate().await?;
                self.sql.query(statement, parameters).await.map_err(RecordError)
            }
            other => other.map_err(RecordError),
        }
    }
}

type Rows = Result<Vec<Vec<Value>>, RecordError>;

impl<S: Sql> Record for SqliteRecord<S> {
    async fn migrate(&self) -> Result<(), RecordError> {
        for statement in sql!("001_init").split(STATEMENT_END) {
            let parameters = match statement.contains("?1") {
                true => vec![Value::Text((self.fresh_epoch)())],
                false => Vec::new(),
            };
            self.sql.query(statement.trim(), parameters).await.map_err(RecordError)?;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), RecordError> {
        self.run(sql!("epoch"), Vec::new()).await.map(drop)
    }

    async fn create(
        &self,
        draft: &Draft,
        id: &str,
        created_at_ms: i64,
    ) -> Result<Created, RecordError> {
        let parameters = vec![
            Value::text(draft.user_id.as_str()),
            Value::text(id),
            Value::text(&draft.title),
            Value::optional(draft.body.as_deref()),
            Value::optional(draft.kind.as_deref()),
            Value::optional(draft.data.as_deref()),
            Value::Int(created_at_ms),
            draft.expires_at_ms.map_or(Value::Null, Value::Int),
        ];
        let rows = self.run(sql!("create"), parameters).await?;
        let mut row = Row::first(rows)?;
        Ok(Created { seq: row.int()?, epoch: row.text()? })
    }

    async fn window(&self, user: &UserId, limit: usize) -> Result<Window, RecordError> {
        let parameters = vec![Value::text(user.as_str()), count(limit)];
        let rows = self.run(sql!("window"), parameters).await?;
        let mut window: Option<Window> = None;
        for values in rows {
            let mut row = Row::new(values);
            let (epoch, head) = (row.text()?, row.int()?);
            let (sent_seq, read_upto, rev) = (row.int()?, row.int()?, row.int()?);
            let window = window.get_or_insert_with(|| Window {
                epoch,
                head,
                sent_seq,
                read_upto,
                rev,
                entries: Vec::new(),
            });
            if let Some(entry) = row.entry(user)? {
                window.entries.push(entry);
            }
        }
        window.ok_or_else(|| RecordError("the record has no epoch".to_owned()))
    }

    async fn entries_after(
        &self,
        user: &UserId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Notification>, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(after), count(limit)];
        let rows = self.run(sql!("entries_after"), parameters).await?;
        rows.into_iter().filter_map(|values| Row::new(values).entry(user).transpose()).collect()
    }

    async fn has_entry(&self, user: &UserId, seq: i64) -> Result<bool, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(seq)];
        Ok(!self.run(sql!("has_entry"), parameters).await?.is_empty())
    }

    async fn pending(
        &self,
        after_user: &str,
        limit: usize,
    ) -> Result<(String, Vec<Pending>), RecordError> {
        let rows = self.run(sql!("pending"), vec![Value::text(after_user), count(limit)]).await?;
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
        Row::first(self.run(sql!("pending_count"), Vec::new()).await?)?.int()
    }

    async fn mark_sent(&self, sent: &[(UserId, i64)]) -> Result<(), RecordError> {
        let pairs: Vec<_> = sent.iter().map(|(user, seq)| (user.as_str(), seq)).collect();
        let json = serde_json::to_string(&pairs).map_err(|error| RecordError(error.to_string()))?;
        self.run(sql!("mark_sent"), vec![Value::Text(json)]).await.map(drop)
    }

    async fn rotate_epoch(&self, epoch: &str) -> Result<String, RecordError> {
        let parameters = vec![Value::text(epoch), Value::Text((self.fresh_epoch)())];
        self.run(sql!("rotate_epoch"), parameters).await?;
        Row::first(self.run(sql!("epoch"), Vec::new()).await?)?.text()
    }

    async fn note_redis_run(&self, run_id: &str, since_ms: i64) -> Result<bool, RecordError> {
        let known = Row::first(self.run(sql!("redis_run"), Vec::new()).await?)?.text()?;
        if known == run_id {
            return Ok(false);
        }
        // In this order: whoever breaks off in between does it again, rather than never.
        self.run(sql!("recent_pending"), vec![Value::Int(since_ms)]).await?;
        self.run(sql!("note_redis_run"), vec![Value::text(run_id)]).await?;
        Ok(true)
    }
}

fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Takes the values of a row one after the other.
struct Row(std::vec::IntoIter<Value>);

impl Row {
    fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    fn first(rows: Vec<Vec<Value>>) -> Result<Self, RecordError> {
        rows.into_iter()
            .next()
            .map(Self::new)
            .ok_or_else(|| RecordError("a row is missing".to_owned()))
    }

    fn int(&mut self) -> Result<i64, RecordError> {
        self.optional_int()?.ok_or_else(|| unexpected("NULL"))
    }

    fn text(&mut self) -> Result<String, RecordError> {
        self.optional_text()?.ok_or_else(|| unexpected("NULL"))
    }

    fn optional_int(&mut self) -> Result<Option<i64>, RecordError> {
        match self.0.next() {
            Some(Value::Int(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Text(_)) => Err(unexpected("text")),
            None => Err(unexpected("nothing")),
        }
    }

    fn optional_text(&mut self) -> Result<Option<String>, RecordError> {
        match self.0.next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Int(_)) => Err(unexpected("an integer")),
            None => Err(unexpected("nothing")),
        }
    }

    /// The columns seq, id, title, body, kind, data, created_at_ms, expires_at_ms.
    fn entry(&mut self, user: &UserId) -> Result<Option<Notification>, RecordError> {
        let Some(seq) = self.optional_int()? else { return Ok(None) };
        let id = self.text()?;
        let (title, body, kind, data) =
            (self.text()?, self.optional_text()?, self.optional_text()?, self.optional_text()?);
        let (created_at_ms, expires_at_ms) = (self.int()?, self.optional_int()?);
        let draft = Draft { user_id: user.clone(), title, body, kind, data, expires_at_ms };
        Ok(Some(Notification { id, seq, draft, created_at_ms }))
    }
}

fn unexpected(what: &str) -> RecordError {
    RecordError(format!("a column holds {what}"))
}
