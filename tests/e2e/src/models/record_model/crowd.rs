//! Several tasks at once on one record and one Redis, each with connections of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::Rng as _;
use proptest::test_runner::TestRng;
use support::{Postgres, RedisServer};

use super::redis::{Fault, FaultyRedis};
use super::seed::rng;
use super::sql::{Database, TestRecord};

/// A database that any number of connections can be opened to, and what keeps it running.
pub enum Server {
    Sqlite(tempfile::TempDir),
    Postgres(Postgres),
}

impl Server {
    pub fn sqlite() -> Self {
        Server::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Self {
        Server::Postgres(Postgres::start().await)
    }

    pub async fn connect(&self) -> Database {
        match self {
            Server::Sqlite(dir) => Database::sqlite(&dir.path().join("record.db")),
            Server::Postgres(postgres) => Database::postgres(&postgres.url()).await,
        }
    }
}

/// The tests `$test::on_sqlite`, `$test::on_postgres` and so on, of a function that is given the
/// server.
macro_rules! on_each_database {
    ($test:ident) => {
        mod $test {
            use super::{Server, $test as run};

            #[tokio::test]
            async fn on_sqlite() {
                run(&Server::sqlite()).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                run(&Server::postgres().await).await;
            }
        }
    };
}
pub(super) use on_each_database;

/// What one task works with.
pub struct Member {
    pub redis: FaultyRedis,
    pub database: Database,
    pub record: TestRecord,
    rng: Rc<RefCell<TestRng>>,
}

impl Member {
    /// One of whose Redis calls about one in `1 / fault_rate` fails (0: none).
    pub async fn join(server: &Server, redis: &RedisServer, seed: u64, fault_rate: u64) -> Self {
        let rng = Rc::new(RefCell::new(rng(seed)));
        let fate_rng = Rc::clone(&rng);
        let fate = move || {
            let number = fate_rng.borrow_mut().next_u64();
            match number % fault_rate.max(1) {
                0 if fault_rate == 0 => None,
                0 if number & 1 << 40 == 0 => Some(Fault::Before),
                0 => Some(Fault::After),
                _ => None,
            }
        };
        let delay_rng = Rc::clone(&rng);
        // Now and then long enough for others to do all they have to do.
        let delay = move || match delay_rng.borrow_mut().next_u64() % 16 {
            number @ 0..4 if fault_rate > 0 => Duration::from_millis(number),
            _ => Duration::ZERO,
        };
        let connection = redis.connection().await;
        let redis = FaultyRedis::new(connection, Box::new(delay), Box::new(fate));
        let database = server.connect().await;
        Self { redis, record: database.record(), database, rng }
    }

    /// A number below `limit`.
    pub fn pick(&self, limit: u64) -> u64 {
        self.rng.borrow_mut().next_u64() % limit
    }

    /// Lets others go first, sometimes.
    pub async fn dawdle(&self) {
        for _ in 0..self.pick(4) {
            tokio::task::yield_now().await;
        }
    }
}
