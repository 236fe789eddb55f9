//! The peer's record in Postgres: a pool as large as the host's, statements prepared once.

use anyhow::Result;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use shared::notification::Notification;
use tokio_postgres::NoTls;

use super::Committed;

const MIGRATIONS: [&str; 8] = [
    include_str!("../../../../functions/runtime/sql/postgres/001_init.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/002_create.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/003_tokens.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/004_erased_keys.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/006_devices.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/007_push_jobs.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/008_muted.sql"),
    include_str!("../../../../functions/runtime/sql/postgres/009_create_many.sql"),
];
const CREATE: &str = include_str!("../../../../functions/runtime/sql/postgres/create.sql");
/// Connections of a host per database.
const CONNECTIONS_MAX: usize = 64;

pub(super) struct Postgres {
    pool: Pool,
}

impl Postgres {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(url.parse()?, NoTls, config);
        let pool = Pool::builder(manager).max_size(CONNECTIONS_MAX).build()?;
        let client = pool.get().await?;
        for migration in MIGRATIONS {
            client.batch_execute(migration).await?;
        }
        Ok(Self { pool })
    }

    pub(super) async fn create(&self, new: &Notification) -> Result<Committed> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CREATE).await?;
        let draft = &new.draft;
        let row = client
            .query_one(
                &statement,
                &[
                    &draft.user_id.as_str(),
                    &new.id,
                    &draft.title,
                    &draft.body,
                    &draft.kind,
                    &draft.data,
                    &new.created_at_ms,
                    &draft.expires_at_ms,
                    &None::<&str>,
                    &None::<&str>,
                    &None::<&str>,
                    &None::<&str>,
                ],
            )
            .await?;
        Ok(Committed { seq: row.try_get(1)?, epoch: row.try_get(2)? })
    }
}
