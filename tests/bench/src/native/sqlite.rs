//! The peer's record in SQLite: a thread per core with a connection of its own, fed by a queue.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rusqlite::{Connection, params};
use shared::notification::Notification;
use tokio::sync::oneshot;

use super::Committed;

const MIGRATIONS: [&str; 6] = [
    include_str!("../../../../functions/runtime/sql/sqlite/001_init.sql"),
    include_str!("../../../../functions/runtime/sql/sqlite/002_tokens.sql"),
    include_str!("../../../../functions/runtime/sql/sqlite/003_erased_keys.sql"),
    include_str!("../../../../functions/runtime/sql/sqlite/005_devices.sql"),
    include_str!("../../../../functions/runtime/sql/sqlite/006_push_jobs.sql"),
    include_str!("../../../../functions/runtime/sql/sqlite/007_muted.sql"),
];
const CREATE: &str = include_str!("../../../../functions/runtime/sql/sqlite/create.sql");
/// As on every connection of the functions.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

type Job = (Notification, oneshot::Sender<rusqlite::Result<Committed>>);

pub(super) struct Sqlite {
    /// The load sends one request per connection at a time, so this queue stays short.
    jobs: Sender<Job>,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for worker in 0..workers {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            if worker == 0 {
                migrate(&connection)?;
            }
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("sqlite".to_owned())
                .spawn(move || work(&connection, &queue))?;
        }
        Ok(Self { jobs })
    }

    pub(super) async fn create(&self, new: Notification) -> Result<Committed> {
        let (sender, answer) = oneshot::channel();
        self.jobs.send((new, sender)).ok().context("SQLite's threads have ended")?;
        Ok(answer.await??)
    }
}

/// Runs the functions' migrations; the last statement of the first one needs an epoch.
fn migrate(connection: &Connection) -> Result<()> {
    for statement in MIGRATIONS.iter().flat_map(|migration| migration.split("--;")) {
        let mut statement = connection.prepare(statement.trim())?;
        if statement.parameter_count() == 1 {
            statement.raw_bind_parameter(1, uuid::Uuid::now_v7().to_string())?;
        }
        // `PRAGMA journal_mode` answers with a row.
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
    }
    Ok(())
}

fn work(connection: &Connection, queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((new, answer)) = job else { return };
        // The receiver is dropped when the peer ends.
        let _ = answer.send(create(connection, &new));
    }
}

fn create(connection: &Connection, new: &Notification) -> rusqlite::Result<Committed> {
    let draft = &new.draft;
    let parameters = params![
        draft.user_id.as_str(),
        new.id,
        draft.title,
        draft.body,
        draft.kind,
        draft.data,
        new.created_at_ms,
        draft.expires_at_ms,
        None::<&str>,
        None::<&str>,
        None::<&str>,
        None::<&str>,
    ];
    let mut statement = connection.prepare_cached(CREATE)?;
    let mut rows = statement.query(parameters)?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let committed = Committed { seq: row.get(1)?, epoch: row.get(2)? };
    // A statement commits only when it is run to its end.
    while rows.next()?.is_some() {}
    Ok(committed)
}
