//! Push tokens in the record: one owner per token, a revision per user.

use std::collections::BTreeMap;

use shared::{PushToken, UserId};

use super::rows::{Row, Rows, json};
use super::{Record, RecordError};
use crate::ports::sql::{Sql, Value};

/// What a user is to have. `None` takes the token away.
pub type Assignment = (UserId, Option<PushToken>);

/// A user's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Grows with every change; 0 for a user without a row.
    pub rev: i64,
    pub token: Option<String>,
}

/// What became of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub user: UserId,
    pub rev: i64,
    /// Who had the token before and has none now, with the revisions of their rows. A repeat names
    /// them again: Redis may not have heard of it the first time.
    pub losers: Vec<(UserId, i64)>,
}

/// What became of dead tokens: revisions of the users' rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Of users whose token was dead, who have none now.
    pub current: BTreeMap<UserId, i64>,
    /// Of users who had none already: a repeat finds them here.
    pub tokenless: BTreeMap<UserId, i64>,
}

/// One statement each, unless it says otherwise.
impl<S: Sql> Record<S> {
    /// A user's token.
    ///
    /// # Errors
    /// When the record does not answer.
    pub async fn token(&self, user: &UserId) -> Result<TokenRow, RecordError> {
        let parameters = vec![Value::text(user.as_str())];
        let rows = self.run_row(self.statements.token, parameters).await?;
        if rows.is_empty() {
            return Ok(TokenRow { rev: 0, token: None });
        }
        let mut row = Row::first(rows)?;
        Ok(TokenRow { rev: row.int()?, token: row.optional_text()? })
    }

    /// Gives users their tokens, and takes those from whoever else had them. Each user and each
    /// token may stand once in `assignments`.
    ///
    /// # Errors
    /// When the record does not answer; whether it was done is not known then.
    pub async fn put_tokens(
        &self,
        assignments: &[Assignment],
        now_ms: i64,
    ) -> Result<Vec<Written>, RecordError> {
        let items: Vec<_> = assignments
            .iter()
            .map(|(user, token)| {
                let token = token.as_ref();
                (user.as_str(), token.map(PushToken::as_str), token.map(PushToken::digest))
            })
            .collect();
        let parameters = vec![json(&items)?, Value::Int(now_ms)];
        let rows = self.run(self.statements.put_tokens, parameters).await?;
        let written = rows.into_iter().map(|values| {
            let mut row = Row::new(values);
            let (user, rev, losers) = (user(&row.text()?)?, row.int()?, row.text()?);
            Ok(Written { user, rev, losers: users(&losers)? })
        });
        written.collect()
    }

    /// Takes a user's token away and returns the row's revision.
    ///
    /// # Errors
    /// When the record does not answer; whether it was done is not known then.
    pub async fn delete_token(&self, user: &UserId, now_ms: i64) -> Result<i64, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(now_ms)];
        Row::first(self.run_row(self.statements.delete_token, parameters).await?)?.int()
    }

    /// Takes tokens away from those users whose tokens they still are (two statements where they
    /// are not everybody's any more).
    ///
    /// # Errors
    /// When the record does not answer; whether it was done is not known then.
    pub async fn prune_tokens(
        &self,
        dead: &[(UserId, PushToken)],
        now_ms: i64,
    ) -> Result<Pruned, RecordError> {
        let items: Vec<_> =
            dead.iter().map(|(user, token)| (user.as_str(), token.digest())).collect();
        let parameters = vec![json(&items)?, Value::Int(now_ms)];
        let current = revs(self.run(self.statements.prune_tokens, parameters).await?)?;
        let others = dead.iter().map(|(user, _)| user).filter(|user| !current.contains_key(*user));
        let others: Vec<&str> = others.map(UserId::as_str).collect();
        if others.is_empty() {
            return Ok(Pruned { current, tokenless: BTreeMap::new() });
        }
        let rows = self.run(self.statements.revs_of_tokenless, vec![json(&others)?]).await?;
        Ok(Pruned { current, tokenless: revs(rows)? })
    }
}

/// Rows of [user, rev].
fn revs(rows: Rows) -> Result<BTreeMap<UserId, i64>, RecordError> {
    let revs = rows.into_iter().map(|values| {
        let mut row = Row::new(values);
        Ok((user(&row.text()?)?, row.int()?))
    });
    revs.collect()
}

fn user(text: &str) -> Result<UserId, RecordError> {
    UserId::parse(text).map_err(|error| RecordError::Malformed(error.to_string()))
}

/// A JSON array of [user, rev].
fn users(text: &str) -> Result<Vec<(UserId, i64)>, RecordError> {
    let pairs: Vec<(String, i64)> =
        serde_json::from_str(text).map_err(|error| RecordError::Malformed(error.to_string()))?;
    pairs.into_iter().map(|(id, rev)| Ok((user(&id)?, rev))).collect()
}
