//! What an instance keeps between requests: configuration, connections, verified tokens.
//!
//! Only things that may vanish at any moment: an instance serves 128 requests by default and is
//! dropped after a second of rest.
//!
//! A component's route names what it needs: [`App`], which is Redis alone, or [`RecordApp`], which
//! has the record as well. What no route names is neither linked nor imported from the host, and no
//! variable of it is read.

pub mod config;

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use shared::Error;
use shared::auth::Claims;

use config::{Config, RecordConfig};

use crate::Request;
use crate::cache::Cache;
use crate::feed::retry::Unsent;
use crate::http::auth::Authenticator;
use crate::ports::sql::Backend;
use crate::record::Record;
use crate::spin::cache_host::SpinHost;
use crate::spin::redis::SpinRedis;
use crate::spin::sql::SpinSql;
use crate::spin::{clock, variables};

/// The state of one instance, as a component's route takes it.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Instance: Sized {
    /// The instance's state, built on first use.
    ///
    /// # Errors
    /// `internal`, naming a variable that is missing or not as it must be.
    async fn get() -> Result<Rc<Self>, Error>;

    /// What every component has.
    fn app(&self) -> &App;
}

/// What every component has.
pub struct App {
    pub config: Config,
    /// Shared with work that goes on after an answer.
    pub redis: Rc<SpinRedis>,
    authenticator: Authenticator,
    cache: OnceCell<SpinCache>,
}

/// The cache of a component: values in Redis, work on Spin.
pub type SpinCache = Cache<Rc<SpinRedis>, SpinHost>;

/// With the record.
pub struct RecordApp {
    pub record: Record<SpinSql>,
    /// Where the record lies.
    pub backend: Backend,
    pub unsent: Unsent,
    app: App,
}

thread_local! {
    static APP: OnceCell<Rc<App>> = const { OnceCell::new() };
    static RECORD_APP: OnceCell<Rc<RecordApp>> = const { OnceCell::new() };
}

impl App {
    async fn load() -> Result<Self, Error> {
        let config = Config::load(variables::get).await?;
        Ok(Self {
            redis: Rc::new(SpinRedis::new(config.redis_url.clone())),
            authenticator: Authenticator::new(),
            cache: OnceCell::new(),
            config,
        })
    }

    /// The instance's cache. There is one for all requests: it remembers which values it has just
    /// seen fresh, and reads those without a script.
    pub fn cache(&self) -> &SpinCache {
        self.cache.get_or_init(|| Cache::new(Rc::clone(&self.redis), SpinHost))
    }

    /// The claims of the request's token.
    ///
    /// # Errors
    /// `auth_not_configured`, `unauthorized` or `token_expired`.
    pub fn authenticate(&self, request: &Request) -> Result<Rc<Claims>, Error> {
        self.authenticator.authenticate(&self.config.keys, request, clock::now_ms())
    }
}

impl Instance for App {
    async fn get() -> Result<Rc<Self>, Error> {
        if let Some(app) = APP.with(|cell| cell.get().map(Rc::clone)) {
            return Ok(app);
        }
        let app = Rc::new(Self::load().await?);
        // A concurrent request may have been faster; its state is the one that is shared.
        Ok(APP.with(|cell| Rc::clone(cell.get_or_init(|| app))))
    }

    fn app(&self) -> &App {
        self
    }
}

impl Instance for RecordApp {
    async fn get() -> Result<Rc<Self>, Error> {
        if let Some(app) = RECORD_APP.with(|cell| cell.get().map(Rc::clone)) {
            return Ok(app);
        }
        let app = App::load().await?;
        let config = RecordConfig::load(variables::get).await?;
        let sql = SpinSql::new(&config).ok_or_else(|| {
            config::invalid("record", "must be postgres: this build is without sqlite")
        })?;
        let app = Rc::new(Self {
            record: Record::new(sql, config.backend, clock::random_word),
            backend: config.backend,
            unsent: Unsent::default(),
            app,
        });
        // As above.
        Ok(RECORD_APP.with(|cell| Rc::clone(cell.get_or_init(|| app))))
    }

    fn app(&self) -> &App {
        &self.app
    }
}

impl Deref for RecordApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}
