//! Push tokens in the record: one owner per token, one revision per user.

use std::collections::BTreeMap;

use shared::limits::DEVICES_MAX;
use shared::{PushToken, UserId};

use super::rows::{Row, Rows, count, json, revs_from_json, user_id};
use super::{Record, RecordError};
use crate::ports::sql::{Sql, Value};

/// A user and the token to assign; `None` removes the user's token.
pub type Assignment = (UserId, Option<PushToken>);

/// The token row of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The revision: grows with every change; 0 for a user without a row.
    pub rev: i64,
    /// The token, if the user has one.
    pub token: Option<String>,
}

/// The result of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The user.
    pub user: UserId,
    /// The revision of the user's row.
    pub rev: i64,
    /// The users that lost the token to this one, with the revisions of their rows. A repeat
    /// returns them again, since the first call may not have reached Redis.
    pub losers: Vec<(UserId, i64)>,
}

/// The result of pruning dead tokens: revisions of the users' rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Users whose token was dead and is removed now.
    pub current: BTreeMap<UserId, i64>,
    /// Users that had no token already: a repeat finds them here.
    pub tokenless: BTreeMap<UserId, i64>,
}

/// Push tokens.
impl<S: Sql> Record<S> {
    /// Assigns tokens to users and removes them from their previous owners. Each user and each
    /// token may appear once in `assignments`. Returns and changes nothing if one of the users would
    /// have more than [`DEVICES_MAX`] devices.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
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
        let parameters = vec![json(&items)?, Value::Int(now_ms), count(DEVICES_MAX)];
        let rows = self.run(self.statements.put_tokens(), parameters).await?;
        let written = rows.into_iter().map(|values| {
            let mut row = Row::new(values);
            let (user, rev, losers) = (user_id(&row.text()?)?, row.int()?, row.text()?);
            Ok(Written { user, rev, losers: revs_from_json(&losers)? })
        });
        written.collect()
    }

    /// The push tokens of these users, in their order.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn tokens(&self, users: &[&UserId]) -> Result<Vec<TokenRow>, RecordError> {
        let ids: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
        let rows = self.run(self.statements.tokens(), vec![json(&ids)?]).await?;
        let rows = rows.into_iter().map(|values| {
            let mut row = Row::new(values);
            Ok(TokenRow { rev: row.int()?, token: row.optional_text()? })
        });
        rows.collect()
    }

    /// Removes a user's token and returns the row's revision.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn delete_token(&self, user: &UserId, now_ms: i64) -> Result<i64, RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::Int(now_ms)];
        Row::first(self.run_row(self.statements.delete_token(), parameters).await?)?.int()
    }

    /// Removes tokens from the users that still have them (two statements if some users do not).
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn prune_tokens(
        &self,
        dead: &[(UserId, PushToken)],
        now_ms: i64,
    ) -> Result<Pruned, RecordError> {
        let items: Vec<_> =
            dead.iter().map(|(user, token)| (user.as_str(), token.digest())).collect();
        let parameters = vec![json(&items)?, Value::Int(now_ms)];
        let current = revs(self.run(self.statements.prune_tokens(), parameters).await?)?;
        let others = dead.iter().map(|(user, _)| user).filter(|user| !current.contains_key(*user));
        let others: Vec<&str> = others.map(UserId::as_str).collect();
        if others.is_empty() {
            return Ok(Pruned { current, tokenless: BTreeMap::new() });
        }
        let rows = self.run(self.statements.revs_of_tokenless(), vec![json(&others)?]).await?;
        Ok(Pruned { current, tokenless: revs(rows)? })
    }
}

/// Parses rows of user, rev.
fn revs(rows: Rows) -> Result<BTreeMap<UserId, i64>, RecordError> {
    let revs = rows.into_iter().map(|values| {
        let mut row = Row::new(values);
        Ok((user_id(&row.text()?)?, row.int()?))
    });
    revs.collect()
}
