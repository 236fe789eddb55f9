//! What an instance keeps between requests: configuration, connections, verified tokens.
//!
//! All of it may be lost at any moment: by default the host drops an instance after 128 requests or
//! one idle second.
//!
//! The argument of a component's route decides what the component needs: [`App`] has Redis only,
//! [`RecordApp`] also has the record. The linker drops everything that no route reaches, so a
//! component without a record imports no database from the host and reads none of its variables.

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
use crate::identity::Identity;
use crate::ports::sql::Backend;
use crate::record::{GroupCommit, Record};
use crate::spin::cache_host::SpinHost;
use crate::spin::redis::SpinRedis;
use crate::spin::sql::SpinSql;
use crate::spin::{clock, variables};

/// The state of one instance: the first argument of a component's route. Implemented by [`App`] and
/// [`RecordApp`].
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Instance: Sized {
    /// The instance's state, built on first use.
    ///
    /// # Errors
    /// `internal`, naming a variable that is missing or invalid.
    async fn get() -> Result<Rc<Self>, Error>;

    /// The part of the state that every component has.
    fn app(&self) -> &App;
}

/// The state of a component without a record: configuration, Redis, the cache, verified tokens.
///
/// A route takes it by reference. Only a host can build it, from the variables of the manifest:
/// test routes in a host, and the functions that they call natively.
///
/// ```
/// use runtime::http::auth;
/// use runtime::ports::redis::{Arg, Redis as _, Reply};
/// use runtime::{App, Error, Request, Response};
/// use shared::auth::Scope;
///
/// /// Answers whether a queue is empty, to callers with the scope `queues:write`.
/// async fn is_empty(app: &App, request: &Request, queue: &str) -> Result<Response, Error> {
///     let claims = app.authenticate(request)?;
///     auth::require(&claims, Scope::QueuesWrite)?;
///     let reply = app.redis.command("LLEN", &[Arg::Text(queue)]).await?;
///     let is_empty = reply.first().and_then(Reply::int) == Some(0);
///     Ok(Response::json(200, format!(r#"{{"isEmpty":{is_empty}}}"#)))
/// }
/// ```
pub struct App {
    /// The variables that every component may be given.
    pub config: Config,
    /// The instance's connection to Redis. Background work after the response holds a clone.
    pub redis: Rc<SpinRedis>,
    authenticator: Authenticator,
    /// `None` without an identity provider.
    identity: Option<Rc<Identity>>,
    cache: OnceCell<SpinCache>,
}

/// The cache of a component: values in Redis, clock and background work from Spin.
pub type SpinCache = Cache<Rc<SpinRedis>, SpinHost>;

/// The state of a component with a record. Dereferences to [`App`].
pub struct RecordApp {
    /// The record in the configured database.
    pub record: Record<SpinSql>,
    /// The database that holds the record.
    pub backend: Backend,
    /// The creates of this instance, which share commits.
    pub creates: GroupCommit,
    /// Users whose deliveries failed, for another attempt after the response.
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
        let redis = Rc::new(SpinRedis::new(config.redis.clone(), config.live));
        let identity = config
            .keys
            .provider()
            .map(|_| Rc::new(Identity::new(Rc::clone(&config.keys), Rc::clone(&redis))));
        Ok(Self {
            redis,
            authenticator: Authenticator::new(),
            identity,
            cache: OnceCell::new(),
            config,
        })
    }

    /// The instance's cache, one for all requests: it remembers which values it has just seen fresh
    /// and reads those without a script.
    pub fn cache(&self) -> &SpinCache {
        self.cache.get_or_init(|| Cache::new(Rc::clone(&self.redis), SpinHost))
    }

    /// Gets the identity provider's keys that the request's token needs, before the route verifies
    /// it.
    pub(crate) async fn prepare(&self, request: &Request) {
        let Some(identity) = &self.identity else { return };
        if let Some(token) = self.authenticator.unknown_token(request, clock::now_ms()) {
            identity.prepare(token).await;
        }
    }

    /// Whether the identity provider's keys are known, if there is one; fetches them if not.
    ///
    /// # Errors
    /// Why they are not.
    pub async fn provider_ready(&self) -> Result<(), String> {
        match &self.identity {
            Some(identity) => identity.ready().await,
            None => Ok(()),
        }
    }

    /// The claims of the request's token.
    ///
    /// # Errors
    /// `auth_not_configured`, `auth_unavailable`, `unauthorized` or `token_expired`.
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
        // If a concurrent request was faster, all requests share the state that it built.
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
        let RecordConfig { backend, url } = config;
        let sql = SpinSql::new(backend, url).ok_or_else(|| {
            let problem = format!("is {}, and this build is without it", backend.name());
            config::invalid("record", &problem)
        })?;
        let app = Rc::new(Self {
            record: Record::new(sql, backend, clock::random_word),
            backend,
            creates: GroupCommit::default(),
            unsent: Unsent::default(),
            app,
        });
        // As in `App::get`.
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
