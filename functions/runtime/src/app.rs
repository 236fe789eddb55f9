//! What an instance keeps between requests: configuration, connections, verified tokens.
//!
//! Only things that may vanish at any moment: an instance serves 128 requests by default and is
//! dropped after a second of rest.

use std::cell::OnceCell;
use std::rc::Rc;

use shared::Error;
use shared::auth::Claims;

use crate::Request;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::io::postgres::SpinPostgres;
use crate::io::redis::SpinRedis;
use crate::io::sql::SpinSql;
use crate::io::sqlite::SpinSqlite;
use crate::io::{clock, variables};
use crate::record::{Backend, SqlRecord};
use crate::unsent::Unsent;

/// One instance's state.
pub struct App {
    pub config: Config,
    /// Shared with work that goes on after an answer.
    pub redis: Rc<SpinRedis>,
    pub record: SqlRecord<SpinSql>,
    pub unsent: Unsent,
    authenticator: Authenticator,
}

thread_local! {
    static APP: OnceCell<Rc<App>> = const { OnceCell::new() };
}

impl App {
    /// The instance's state, built on first use.
    ///
    /// # Errors
    /// `internal`, naming a variable that is missing or not as it must be.
    pub async fn get() -> Result<Rc<Self>, Error> {
        if let Some(app) = APP.with(|cell| cell.get().map(Rc::clone)) {
            return Ok(app);
        }
        let config = Config::load(variables::get).await?;
        let sql = match config.record {
            Backend::Sqlite => SpinSql::Sqlite(SpinSqlite::default()),
            Backend::Postgres => SpinSql::Postgres(SpinPostgres::new(config.postgres_url.clone())),
        };
        let app = Rc::new(Self {
            redis: Rc::new(SpinRedis::new(config.redis_url.clone())),
            record: SqlRecord::new(sql, config.record, clock::random_word),
            unsent: Unsent::default(),
            authenticator: Authenticator::new(),
            config,
        });
        // A concurrent request may have been faster; its state is the one that is shared.
        Ok(APP.with(|cell| Rc::clone(cell.get_or_init(|| app))))
    }

    /// The claims of the request's token.
    ///
    /// # Errors
    /// `auth_not_configured`, `unauthorized` or `token_expired`.
    pub fn authenticate(&self, request: &Request) -> Result<Rc<Claims>, Error> {
        self.authenticator.authenticate(&self.config.keys, request, clock::now_ms())
    }
}
