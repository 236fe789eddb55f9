use std::rc::Rc;

use futures_util::future::join_all;
use futures_util::poll;
use shared::UserId;
use shared::notification::{Draft, Quiet};

use super::*;
use crate::ports::sql::{Backend, SqlError, Statement, Value};
use crate::record::Outcome;

/// Commits after a turn of the executor, notes the ids of each commit, and fails on demand.
#[derive(Default)]
struct Database {
    commits: RefCell<Vec<Vec<String>>>,
    is_failing: Cell<bool>,
    /// Statements fail before they are attempted, as without a connection.
    is_away: Cell<bool>,
    turns: Cell<u32>,
}

impl Sql for Rc<Database> {
    async fn query(
        &self,
        _statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let ids = match parameters.as_slice() {
            [Value::Text(batch)] => {
                let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(batch).unwrap();
                rows.iter().map(|row| row[1].as_str().unwrap().to_owned()).collect()
            }
            [_, Value::Text(id), ..] => vec![id.clone()],
            other => panic!("{other:?}"),
        };
        for _ in 0..self.turns.get() {
            turn().await;
        }
        if self.is_failing.get() {
            return Err(SqlError::other("on fire"));
        }
        self.commits.borrow_mut().push(ids.clone());
        let row = |(at, id)| {
            let (seq, epoch) = (Value::Int(at as i64 + 1), Value::Text("epoch".to_owned()));
            // Those with an even seq are muted.
            vec![Value::Text(id), seq, epoch, Value::Int(at as i64 & 1)]
        };
        Ok(ids.into_iter().enumerate().map(row).collect())
    }

    async fn query_growing(
        &self,
        next: &mut dyn FnMut() -> Statement<'static>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        if self.is_away.get() {
            return Err(SqlError::other("no connection"));
        }
        let Statement { text, parameters, .. } = next();
        self.query(text, parameters).await
    }
}

/// Lets the other futures run.
async fn turn() {
    let mut is_first = true;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        match std::mem::replace(&mut is_first, false) {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(()),
        }
    })
    .await;
}

async fn pause(_: Duration) {
    turn().await;
}

fn setting(turns: u32) -> (Rc<Database>, Record<Rc<Database>>, GroupCommit) {
    let database = Rc::new(Database::default());
    database.turns.set(turns);
    let record = Record::new(Rc::clone(&database), Backend::Sqlite, || "word".to_owned());
    (database, record, GroupCommit::default())
}

fn entry(at: usize) -> NewEntry {
    let draft = Draft {
        user_id: UserId::parse(&format!("u{at}")).unwrap(),
        title: "title".to_owned(),
        body: None,
        kind: None,
        data: None,
        expires_at_ms: None,
    };
    NewEntry { draft, id: format!("id{at}"), created_at_ms: 1, idempotency: None, push: None }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(async {
        // Every future here wakes itself, so polling again is all that an executor would do.
        let mut future = std::pin::pin!(future);
        for _ in 0..100_000 {
            if let std::task::Poll::Ready(output) = poll!(&mut future) {
                return output;
            }
        }
        panic!("never ends");
    })
    .unwrap()
}

#[test]
fn creates_that_come_during_a_commit_share_the_next_one() {
    let (database, record, group) = setting(5);
    let creates = (0..16).map(|at| group.create(&record, entry(at), 0, pause));
    let created = block_on(join_all(creates));
    let commits = database.commits.borrow();
    let sizes: Vec<usize> = commits.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 15], "{commits:?}");
    // Each gets the outcome of its own entry: the database numbers a commit's entries from 1.
    for (at, created) in created.into_iter().enumerate() {
        let seq = if at == 0 { 1 } else { at as i64 };
        let quiet = (seq % 2 == 0).then_some(Quiet::Muted);
        assert_eq!(created.unwrap().outcomes, [Outcome::Created { seq, quiet }], "{at}");
    }
    assert!(group.results.borrow().is_empty() && group.waiting.borrow().is_empty());
}

#[test]
fn a_create_without_company_commits_at_once() {
    let (database, record, group) = setting(0);
    for at in 0..3 {
        block_on(group.create(&record, entry(at), 0, pause)).unwrap();
    }
    assert_eq!(database.commits.borrow().len(), 3);
}

#[test]
fn a_failed_commit_is_the_error_of_all_in_it_and_of_no_other() {
    let (database, record, group) = setting(3);
    database.is_failing.set(true);
    let failed = block_on(join_all((0..4).map(|at| group.create(&record, entry(at), 0, pause))));
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    database.is_failing.set(false);
    block_on(group.create(&record, entry(9), 0, pause)).unwrap();
}

#[test]
fn a_database_that_cannot_be_reached_fails_every_create_at_once() {
    let (database, record, group) = setting(0);
    database.is_away.set(true);
    let failed = block_on(join_all((0..3).map(|at| group.create(&record, entry(at), 0, pause))));
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    assert!(group.results.borrow().is_empty() && group.waiting.borrow().is_empty());
}

#[test]
fn a_request_that_ends_leaves_nothing_behind_and_blocks_no_other() {
    let (database, record, group) = setting(50);
    block_on(async {
        let mut first = Box::pin(group.create(&record, entry(1), 0, pause));
        let mut second = Box::pin(group.create(&record, entry(2), 0, pause));
        let mut third = Box::pin(group.create(&record, entry(3), 0, pause));
        for create in [&mut first, &mut second, &mut third] {
            assert!(poll!(create.as_mut()).is_pending());
        }
        // The second ends before anybody commits it, the first while it is committing.
        drop(second);
        drop(first);
        third.await.unwrap();
    });
    assert_eq!(*database.commits.borrow(), [["id3"]]);
    assert!(group.results.borrow().is_empty() && group.waiting.borrow().is_empty());
}

#[test]
fn those_committed_by_a_request_that_ends_learn_that_the_outcome_is_unknown() {
    let (_, record, group) = setting(50);
    block_on(async {
        let mut first = Box::pin(group.create(&record, entry(1), 0, pause));
        assert!(poll!(first.as_mut()).is_pending());
        let mut second = Box::pin(group.create(&record, entry(2), 0, pause));
        let mut third = Box::pin(group.create(&record, entry(3), 0, pause));
        assert!(poll!(second.as_mut()).is_pending());
        assert!(poll!(third.as_mut()).is_pending());
        first.await.unwrap();
        // The second looks first, and commits for both.
        assert!(poll!(second.as_mut()).is_pending());
        assert!(poll!(third.as_mut()).is_pending());
        drop(second);
        assert_eq!(third.await.unwrap_err(), RecordError::TimedOut);
    });
}

#[test]
fn a_create_that_waits_for_long_commits_alone() {
    let (database, record, group) = setting(1_000);
    block_on(async {
        let mut first = Box::pin(group.create(&record, entry(1), 0, pause));
        assert!(poll!(first.as_mut()).is_pending());
        // Its commit is far from done: the other has waited for its second long before.
        let other = group.create(&record, entry(2), 0, pause);
        let mut other = Box::pin(other);
        for _ in 0..400 {
            assert!(poll!(other.as_mut()).is_pending());
        }
        assert!(group.waiting.borrow().is_empty(), "it has left the line");
        join_all([first, other]).await.into_iter().for_each(|created| drop(created.unwrap()));
    });
    assert_eq!(database.commits.borrow().len(), 2);
}
