//! Imports, as the component `notifications` makes them, and what must come of them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use runtime::feed::{delivery, marks};
use runtime::ports::sql::{Backend, Sql, SqlError, Value};
use runtime::record::{ImportedEntry, NewEntry, Outcome, Record};
use shared::keys;
use shared::limits::FEED_ENTRIES_MAX;
use shared::notification::{Draft, Notification, Quiet, our_id_and_seq};
use support::RedisServer;

use super::crowd::{Member, Server};
use super::expected::{Expected, KeyKept};
use super::feed::Feed;
use super::ops::USERS;
use super::seed::{unique, uuid_v7};
use super::sql::Database;
use super::world::{World, user};

/// How long before its import an entry was created.
const AGE_MS: i64 = 1_000_000;

impl World {
    /// Commits and brings to the feeds, as the component `notifications` does.
    pub async fn import(
        &mut self,
        users: &[usize],
        many: u8,
        key: Option<u8>,
    ) -> Result<(), String> {
        let items: Vec<ImportedEntry> =
            (0..usize::from(many)).map(|at| self.history(users, at, key)).collect();
        let created = self.record.import(&items, self.now_ms).await;
        let created = created.map_err(|error| format!("import: {error}"))?;
        if self.expected.kept.epoch.is_empty() {
            self.expected.kept.epoch.clone_from(&created.epoch);
        }
        let counters = self.expected.kept.users.each_ref().map(|kept| kept.counter);
        let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
        for (item, outcome) in items.into_iter().zip(created.outcomes) {
            let at = (0..USERS).find(|at| user(*at) == item.entry.draft.user_id).unwrap();
            let counter = self.expected.kept.users[at].counter;
            if let Some(seq) = self.expected.imported(at, item, outcome)? {
                if seq > counter + 1 {
                    return Err("seqs are not in the order of the import".to_owned());
                }
                let newest = newest.entry(at).or_default();
                *newest = seq.max(*newest);
            }
        }
        for (at, newest) in newest {
            self.bring(at, newest, counters[at]).await?;
        }
        Ok(())
    }

    fn history(&self, users: &[usize], number: usize, key: Option<u8>) -> ImportedEntry {
        let at = users[number % users.len()];
        let key = key.filter(|_| number < 2);
        let mut entry = self.item(at, number % 7 == 3, key, (number % 3) as u8);
        entry.created_at_ms = self.now_ms - AGE_MS;
        let read_at_ms = (number % 2 == 1).then_some(self.now_ms - AGE_MS / 2);
        ImportedEntry { entry, read_at_ms }
    }

    async fn bring(&mut self, at: usize, newest: i64, counter: i64) -> Result<(), String> {
        let before = self.look(at).await;
        let was_behind = self.expected.doubts[at].is_behind;
        let brought = delivery::bring_imported(&self.redis, &self.record, &user(at)).await;
        let marks = match brought {
            Err(_) if self.struck() => return self.fell_behind(at).await,
            Err(error) => return Err(format!("imports were not brought: {error}")),
            Ok(marks) => marks,
        };
        let has_new = newest > counter;
        let was_tainted = match has_new {
            true => std::mem::take(&mut self.expected.doubts[at].is_tainted),
            false => self.expected.doubts[at].is_tainted,
        };
        if has_new && !was_tainted && !was_behind && before.is_warm {
            check_below(&before, &self.look(at).await)?;
        }
        if has_new || newest == self.expected.kept.users[at].counter {
            self.expected.delivered(at);
        }
        let told = marks::announce(&self.redis, &self.record, &user(at), &marks, self.now_ms).await;
        match told {
            Err(error) if !self.struck() => Err(format!("unread was not announced: {error}")),
            _ => Ok(()),
        }
    }
}

/// What other services put on top of a feed stays on top of imported entries.
fn check_below(before: &Feed, feed: &Feed) -> Result<(), String> {
    let is_foreign = |element: &&String| our_id_and_seq(element).is_none();
    let on_top = before.elements.iter().take(FEED_ENTRIES_MAX).take_while(is_foreign);
    match on_top.zip(&feed.elements).all(|(before, now)| before == now) {
        true => Ok(()),
        false => Err(format!("imported entries lie above newer ones\n{before:?}\n{feed:?}")),
    }
}

impl Expected {
    /// Takes over what became of an item, if it is what must become of it. Returns the seq of its
    /// entry.
    fn imported(
        &mut self,
        at: usize,
        item: ImportedEntry,
        outcome: Outcome,
    ) -> Result<Option<i64>, String> {
        let ImportedEntry { entry, read_at_ms } = item;
        let given = entry.idempotency.clone();
        let known = given.as_ref().and_then(|given| self.kept.import_keys.get(&given.key));
        match (known, outcome) {
            (None, Outcome::Created { seq, quiet: Some(Quiet::Imported) }) => {
                let NewEntry { draft, id, created_at_ms, .. } = entry;
                let quiet = Some(Quiet::Imported);
                let notification = Notification { id, seq, draft, created_at_ms, quiet };
                self.kept.commit(at, &notification, None);
                let kept = self.kept.users[at].entries.get_mut(&seq).unwrap();
                kept.is_read = read_at_ms.is_some();
                if let Some(given) = given {
                    let kept = KeyKept {
                        user: at,
                        seq,
                        id: notification.id,
                        quiet,
                        is_erased: false,
                        request_hash: given.request_hash,
                        created_at_ms,
                    };
                    self.kept.import_keys.insert(given.key, kept);
                }
                Ok(Some(seq))
            }
            (Some(known), Outcome::Mismatch)
                if given.as_ref().unwrap().request_hash != known.request_hash =>
            {
                Ok(None)
            }
            (Some(known), Outcome::Replayed { id, seq, .. })
                if given.as_ref().unwrap().request_hash == known.request_hash
                    && (&id, seq) == (&known.id, known.seq) =>
            {
                Ok(Some(seq))
            }
            (known, outcome) => {
                Err(format!("{given:?} was imported as {outcome:?}, known was {known:?}"))
            }
        }
    }
}

/// A database that counts its statements.
struct Counted {
    database: Database,
    statements: Rc<Cell<usize>>,
}

impl Sql for Counted {
    async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        self.statements.set(self.statements.get() + 1);
        self.database.query(statement, parameters).await
    }
}

#[tokio::test]
async fn an_import_reads_its_users_feed_window_once() {
    let (server, redis) = (Server::sqlite(), RedisServer::start().await);
    let Member { redis: ours, database, .. } = Member::join(&server, &redis, 0, 0).await;
    let statements = Rc::new(Cell::new(0));
    let counted = Counted { database, statements: Rc::clone(&statements) };
    let record = Record::new(counted, Backend::Sqlite, unique);
    record.migrate().await.unwrap();
    let history = |number| ImportedEntry {
        entry: NewEntry {
            draft: Draft {
                user_id: user(0),
                title: format!("title {number}"),
                body: None,
                kind: None,
                data: None,
                expires_at_ms: None,
            },
            id: uuid_v7(number),
            created_at_ms: number,
            idempotency: None,
            push: None,
        },
        read_at_ms: (number > 1).then_some(number),
    };
    let items: Vec<ImportedEntry> = (1..=3).map(history).collect();
    record.import(&items, 10).await.unwrap();
    statements.set(0);
    let marks = delivery::bring_imported(&ours, &record, &user(0)).await.unwrap();
    marks::announce(&ours, &record, &user(0), &marks, 10).await.unwrap();
    assert_eq!(statements.get(), 1);
    let unread: String =
        redis.run_words(&["HGET", &keys::feed_companion(&user(0)), "unread"]).await;
    assert_eq!(unread, "1");
}
