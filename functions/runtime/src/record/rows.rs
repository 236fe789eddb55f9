//! Parses the rows of every database.

use serde::Serialize;
use shared::UserId;
use shared::notification::{Draft, Notification, Quiet};

use super::{
    Created, Entry, Idempotency, ImportedEntry, Marks, NewEntry, Outcome, RecordError, Revision,
};
use crate::ports::sql::Value;

/// The rows of a statement.
pub(super) type Rows = Vec<Vec<Value>>;

pub(super) fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

pub(super) fn json(value: &impl Serialize) -> Result<Value, RecordError> {
    let text =
        serde_json::to_string(value).map_err(|error| RecordError::Malformed(error.to_string()))?;
    Ok(Value::Text(text))
}

/// A JSON array of the entries' idempotency keys.
pub(super) fn keys_of(entries: &[NewEntry]) -> Result<Value, RecordError> {
    let known = entries.iter().filter_map(|entry| entry.idempotency.as_ref());
    json(&known.map(|known| known.key.as_str()).collect::<Vec<_>>())
}

/// A JSON array of the keys' digests, in the order of [`keys_of`].
pub(super) fn key_digests_of(entries: &[NewEntry]) -> Result<Value, RecordError> {
    let known = entries.iter().filter_map(|entry| entry.idempotency.as_ref());
    json(&known.map(Idempotency::key_digest).collect::<Vec<_>>())
}

/// A user id in a column.
pub(super) fn user_id(text: &str) -> Result<UserId, RecordError> {
    UserId::parse(text).map_err(|error| RecordError::Malformed(error.to_string()))
}

/// Parses a JSON array of \[user, rev\].
pub(super) fn revs_from_json(text: &str) -> Result<Vec<(UserId, i64)>, RecordError> {
    let pairs: Vec<(String, i64)> =
        serde_json::from_str(text).map_err(|error| RecordError::Malformed(error.to_string()))?;
    pairs.into_iter().map(|(id, rev)| Ok((user_id(&id)?, rev))).collect()
}

/// Parses rows of seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms, muted.
pub(super) fn entries(user: &UserId, rows: Rows) -> Result<Vec<Entry>, RecordError> {
    rows.into_iter().filter_map(|values| Row::new(values).entry(user).transpose()).collect()
}

/// Rows of id, seq, epoch, muted: the committed entries.
pub(super) struct Inserted {
    pub(super) rows: Vec<(String, i64, String, Option<Quiet>)>,
}

impl Inserted {
    pub(super) fn new(rows: Rows) -> Result<Self, RecordError> {
        let rows = rows.into_iter().map(|values| {
            let mut row = Row::new(values);
            Ok((row.text()?, row.int()?, row.text()?, row.quiet()?))
        });
        Ok(Self { rows: rows.collect::<Result<_, RecordError>>()? })
    }

    pub(super) fn has(&self, entry: &NewEntry) -> bool {
        self.rows.iter().any(|(id, ..)| *id == entry.id)
    }

    /// The outcomes of `entries`, in their order.
    pub(super) fn in_order(
        self,
        entries: &[NewEntry],
        known: &[KnownKey],
    ) -> Result<Created, RecordError> {
        let by_id: std::collections::BTreeMap<&str, (i64, Option<Quiet>)> =
            self.rows.iter().map(|(id, seq, _, quiet)| (id.as_str(), (*seq, *quiet))).collect();
        let outcomes = entries.iter().map(|entry| match by_id.get(entry.id.as_str()) {
            Some((seq, quiet)) => Ok(Outcome::Created { seq: *seq, quiet: *quiet }),
            None => known
                .iter()
                .find_map(|key| key.outcome(entry))
                .ok_or_else(|| RecordError::Malformed("an entry was not committed".to_owned())),
        });
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        let epoch = self.rows.into_iter().map(|(_, _, epoch, _)| epoch);
        let epoch = epoch.chain(known.iter().map(|key| key.epoch.clone())).next();
        let epoch =
            epoch.ok_or_else(|| RecordError::Malformed("nothing was committed".to_owned()))?;
        Ok(Created { epoch, outcomes })
    }
}

/// A row of `known_keys.sql` or `known_import_keys.sql`.
pub(super) struct KnownKey {
    epoch: String,
    key: String,
    request_hash: String,
    id: String,
    seq: i64,
    pub(super) created_at_ms: i64,
    is_deleted: bool,
    /// `key` and `request_hash` are digests: the user was erased, or the entry was imported.
    is_digest: bool,
    quiet: Option<Quiet>,
}

impl KnownKey {
    pub(super) fn new(values: Vec<Value>) -> Result<Self, RecordError> {
        let mut row = Row::new(values);
        let (epoch, key, request_hash) = (row.text()?, row.text()?, row.text()?);
        let (id, seq, created_at_ms) = (row.text()?, row.int()?, row.int()?);
        let state = row.int()?;
        let (is_deleted, is_digest, quiet) = (state != 0, state == 2, row.quiet()?);
        Ok(Self { epoch, key, request_hash, id, seq, created_at_ms, is_deleted, is_digest, quiet })
    }

    pub(super) fn is_of(&self, entry: &NewEntry) -> bool {
        entry.idempotency.as_ref().is_some_and(|known| match self.is_digest {
            true => known.key_digest() == self.key,
            false => known.key == self.key,
        })
    }

    fn outcome(&self, entry: &NewEntry) -> Option<Outcome> {
        let known = entry.idempotency.as_ref().filter(|_| self.is_of(entry))?;
        let is_same = match self.is_digest {
            true => known.request_digest() == self.request_hash,
            false => known.request_hash == self.request_hash,
        };
        if !is_same {
            return Some(Outcome::Mismatch);
        }
        Some(Outcome::Replayed {
            id: self.id.clone(),
            seq: self.seq,
            created_at_ms: self.created_at_ms,
            is_deleted: self.is_deleted,
            quiet: self.quiet,
        })
    }
}

impl Marks {
    /// Parses rows of epoch, rev, seq, read_at_ms; one row with NULLs if nothing was read.
    pub(super) fn from_rows(rows: Rows) -> Result<Self, RecordError> {
        let mut marks = Self { reads: Vec::with_capacity(rows.len()), ..Self::default() };
        for values in rows {
            let mut row = Row::new(values);
            marks.at = Revision { epoch: row.text()?, rev: row.int()? };
            if let Some(seq) = row.optional_int()? {
                marks.reads.push((seq, row.int()?));
            }
        }
        Ok(marks)
    }
}

/// A row whose values are taken in the order of its columns.
pub(super) struct Row(std::vec::IntoIter<Value>);

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    pub(super) fn first(rows: Rows) -> Result<Self, RecordError> {
        rows.into_iter()
            .next()
            .map(Self::new)
            .ok_or_else(|| RecordError::Malformed("a row is missing".to_owned()))
    }

    pub(super) fn int(&mut self) -> Result<i64, RecordError> {
        self.optional_int()?.ok_or_else(|| unexpected("NULL"))
    }

    pub(super) fn text(&mut self) -> Result<String, RecordError> {
        self.optional_text()?.ok_or_else(|| unexpected("NULL"))
    }

    pub(super) fn optional_int(&mut self) -> Result<Option<i64>, RecordError> {
        match self.0.next() {
            Some(Value::Int(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Text(_)) => Err(unexpected("text")),
            None => Err(unexpected("nothing")),
        }
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, RecordError> {
        match self.0.next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Int(_)) => Err(unexpected("an integer")),
            None => Err(unexpected("nothing")),
        }
    }

    /// The column `muted`: 0, or why the entry is not delivered live.
    fn quiet(&mut self) -> Result<Option<Quiet>, RecordError> {
        match self.int()? {
            0 => Ok(None),
            1 => Ok(Some(Quiet::Muted)),
            2 => Ok(Some(Quiet::Imported)),
            _ => Err(unexpected("an unknown value")),
        }
    }

    /// The columns of [`entries`]; `None` if they are NULL.
    pub(super) fn entry(&mut self, user: &UserId) -> Result<Option<Entry>, RecordError> {
        let Some(seq) = self.optional_int()? else { return Ok(None) };
        let id = self.text()?;
        let (title, body, kind, data) =
            (self.text()?, self.optional_text()?, self.optional_text()?, self.optional_text()?);
        let (created_at_ms, expires_at_ms) = (self.int()?, self.optional_int()?);
        let (read_at_ms, quiet) = (self.optional_int()?, self.quiet()?);
        let draft = Draft { user_id: user.clone(), title, body, kind, data, expires_at_ms };
        let notification = Notification { id, seq, draft, created_at_ms, quiet };
        Ok(Some(Entry { notification, read_at_ms }))
    }
}

fn unexpected(what: &str) -> RecordError {
    RecordError::Malformed(format!("a column holds {what}"))
}

/// An item of the array that is a parameter of `import.sql`.
pub(super) fn import_columns(entry: &ImportedEntry) -> Vec<Value> {
    let ImportedEntry { entry: NewEntry { draft, id, created_at_ms, idempotency, .. }, read_at_ms } =
        entry;
    let digest =
        |of: fn(&Idempotency) -> String| Value::optional(idempotency.as_ref().map(of).as_deref());
    vec![
        Value::text(draft.user_id.as_str()),
        Value::text(id),
        Value::text(&draft.title),
        Value::optional(draft.body.as_deref()),
        Value::optional(draft.kind.as_deref()),
        Value::optional(draft.data.as_deref()),
        Value::Int(*created_at_ms),
        draft.expires_at_ms.map_or(Value::Null, Value::Int),
        read_at_ms.map_or(Value::Null, Value::Int),
        digest(Idempotency::key_digest),
        digest(Idempotency::request_digest),
    ]
}

/// The parameters of `create.sql`.
pub(super) fn columns(entry: &NewEntry) -> Vec<Value> {
    let draft = &entry.draft;
    let idempotency = entry.idempotency.as_ref();
    vec![
        Value::text(draft.user_id.as_str()),
        Value::text(&entry.id),
        Value::text(&draft.title),
        Value::optional(draft.body.as_deref()),
        Value::optional(draft.kind.as_deref()),
        Value::optional(draft.data.as_deref()),
        Value::Int(entry.created_at_ms),
        draft.expires_at_ms.map_or(Value::Null, Value::Int),
        Value::optional(idempotency.map(|known| known.key.as_str())),
        Value::optional(idempotency.map(|known| known.request_hash.as_str())),
        Value::optional(idempotency.map(Idempotency::key_digest).as_deref()),
        entry.push.as_ref().map_or(Value::Null, |push| Value::Text(push.to_json())),
    ]
}
