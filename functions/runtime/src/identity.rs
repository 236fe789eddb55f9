//! Keeps the keys of an identity provider (`auth_jwks_url`, or `auth_issuer` with OpenID Connect
//! Discovery): fetched by one instance, and shared with the others through Redis, so that a thousand
//! new instances do not ask the provider a thousand times.
//!
//! Write access to that key of Redis decides which tokens are valid, as write access to the
//! feeds decides what users see.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::auth::provider::{self, Due, Provider, Schedule, Source};
use shared::auth::{KeySet, ProviderUrl};
use shared::keys;
use shared::limits::{
    PROVIDER_BYTES_MAX, PROVIDER_DEADLINE_MS, PROVIDER_LOOKUP_MS, PROVIDER_RETRY_MS,
};

use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::spin::origin::{self, OriginRequest};
use crate::spin::redis::SpinRedis;
use crate::spin::{background, clock, deadline};

/// Time that Redis keeps the keys: how long an outage of the provider may last.
const KEPT_S: i64 = 7 * 24 * 3600;
/// Least time between two looks into Redis for the key of a token that names an unknown one.
const LOOK_MS: u64 = 1_000;
/// Pause of an instance without keys, while another one fetches them.
const POLL: Duration = Duration::from_millis(50);

/// Value of the lease while its holder fetches; then it is the problem.
const FETCHING: &str = "fetching";

/// The keys as they are in Redis.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    fetched_ms: i64,
    fresh_until_ms: i64,
    jwks: String,
}

/// What an instance knows of its provider.
pub(crate) struct Identity {
    keys: Rc<KeySet>,
    redis: Rc<SpinRedis>,
    schedule: Cell<Schedule>,
    /// When the keys of this instance were fetched.
    fetched_ms: Cell<i64>,
    /// A request is getting keys; the others wait for it.
    is_getting: Cell<bool>,
    is_refreshing: Cell<bool>,
    problem: RefCell<Option<String>>,
}

impl Identity {
    pub(crate) fn new(keys: Rc<KeySet>, redis: Rc<SpinRedis>) -> Self {
        Self {
            keys,
            redis,
            schedule: Cell::default(),
            fetched_ms: Cell::new(i64::MIN),
            is_getting: Cell::new(false),
            is_refreshing: Cell::new(false),
            problem: RefCell::default(),
        }
    }

    /// Gets the keys that are needed to verify this token, if it is time to. Waits no longer than a
    /// fetch may take.
    pub(crate) async fn prepare(self: &Rc<Self>, token: &str) {
        let due = || self.schedule.get().due(&self.keys, token, clock::now_ms());
        match due() {
            Some(Due::First | Due::Lookup) => self.get(token).await,
            // Nobody waits for it: the last keys go on.
            Some(Due::Refresh) if !self.is_refreshing.replace(true) => {
                let this = Rc::clone(self);
                let token = token.to_owned();
                background::spawn(async move {
                    this.get(&token).await;
                    this.is_refreshing.set(false);
                });
            }
            Some(Due::Refresh) | None => {}
        }
    }

    /// Whether there are keys; fetches them if there are none.
    ///
    /// # Errors
    /// Why the last fetch failed.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let Some(provider) = self.keys.provider() else { return Ok(()) };
        if !provider.has_keys() {
            let _turn = self.turn().await;
            if !provider.has_keys() {
                self.renew(provider, Due::First).await;
            }
        }
        match (provider.has_keys(), &*self.problem.borrow()) {
            (true, _) => Ok(()),
            (false, Some(problem)) => Err(problem.clone()),
            (false, None) => Err("they could not be fetched yet".to_owned()),
        }
    }

    /// Waits until no other request is getting keys. Polls, since a task of a component can only be
    /// woken by the host.
    async fn turn(&self) -> Turn<'_> {
        while self.is_getting.replace(true) {
            background::sleep(POLL).await;
        }
        Turn(&self.is_getting)
    }

    async fn get(&self, token: &str) {
        let Some(provider) = self.keys.provider() else { return };
        let _turn = self.turn().await;
        // Another request may just have done it.
        if let Some(due) = self.schedule.get().due(&self.keys, token, clock::now_ms()) {
            self.renew(provider, due).await;
        }
    }

    /// Takes the keys from Redis if they are newer there, else from the provider if no other
    /// instance is asking it.
    async fn renew(&self, provider: &Provider, due: Due) {
        let name = provider.source().url().to_string();
        let in_redis = self.take_stored(provider, &name).await;
        if matches!(in_redis, Ok(true)) && due != Due::Lookup {
            return;
        }
        // Without Redis every instance asks for itself.
        let may_ask = in_redis.is_err() || self.lease(&name, due).await.unwrap_or(true);
        match (may_ask, due) {
            (true, _) => self.fetch(provider, &name).await,
            (false, Due::First) => self.await_others(provider, &name).await,
            (false, Due::Lookup) => self.await_lookup(provider, &name).await,
            (false, Due::Refresh) => {}
        }
        if due == Due::Lookup {
            if may_ask {
                self.end_lookup(&name).await;
            }
            // An unknown `kid` costs the provider, or Redis, as little as a made-up one may.
            let pause_ms = if may_ask { PROVIDER_LOOKUP_MS } else { LOOK_MS };
            self.note(|schedule| schedule.looked_up(clock::now_ms(), pause_ms));
        }
    }

    /// Whether Redis has fresh keys, newer than ours; they are taken, as are newer ones that are not
    /// fresh.
    async fn take_stored(&self, provider: &Provider, name: &str) -> Result<bool, RedisError> {
        let reply = self.redis.command("GET", &[Arg::Text(&keys::provider_keys(name))]).await?;
        let stored = reply.first().and_then(Reply::bytes);
        let stored = stored.and_then(|json| serde_json::from_slice::<Stored>(json).ok());
        let Some(stored) = stored.filter(|stored| stored.fetched_ms > self.fetched_ms.get()) else {
            return Ok(false);
        };
        if let Err(error) = provider.take(&stored.jwks) {
            log::warn("identity_keys_unusable", &[("error", &error.to_string())]);
            return Ok(false);
        }
        self.fetched_ms.set(stored.fetched_ms);
        self.note(|schedule| schedule.taken(stored.fresh_until_ms));
        Ok(clock::now_ms() < stored.fresh_until_ms)
    }

    /// Whether this instance is the one to ask the provider.
    async fn lease(&self, name: &str, due: Due) -> Result<bool, RedisError> {
        let (key, ms) = match due {
            Due::Lookup => (keys::provider_lookup(name), PROVIDER_LOOKUP_MS),
            Due::First | Due::Refresh => (keys::provider_lease(name), PROVIDER_DEADLINE_MS),
        };
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let args =
            [Arg::Text(&key), Arg::Text(FETCHING), Arg::Text("PX"), Arg::Int(ms), Arg::Text("NX")];
        let reply = self.redis.command("SET", &args).await?;
        if reply.first().is_some_and(|reply| *reply != Reply::Nil) {
            return Ok(true);
        }
        // Another service has written it or taken its expiry away: nobody would ever ask.
        let left = self.redis.command("PTTL", &[Arg::Text(&key)]).await;
        let is_endless = left.is_ok_and(|left| left.first().and_then(Reply::int) == Some(-1));
        if is_endless {
            let [key, value, unit, ms, _] = args;
            self.redis.command("SET", &[key, value, unit, ms]).await?;
        }
        Ok(is_endless)
    }

    async fn fetch(&self, provider: &Provider, name: &str) {
        let limit = Duration::from_millis(PROVIDER_DEADLINE_MS);
        let fetched = deadline::within(limit, fetch(provider.source())).await;
        let fetched = fetched.unwrap_or_else(|| Err("no answer in time".to_owned()));
        let taken = fetched.and_then(|(jwks, kept)| {
            provider.take(&jwks).map_err(|error| error.to_string())?;
            Ok((jwks, kept))
        });
        let now_ms = clock::now_ms();
        match taken {
            Ok((jwks, kept)) => {
                let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
                let fresh_until_ms = now_ms.saturating_add(kept_ms);
                self.fetched_ms.set(now_ms);
                *self.problem.borrow_mut() = None;
                self.note(|schedule| schedule.taken(fresh_until_ms));
                self.store(name, &Stored { fetched_ms: now_ms, fresh_until_ms, jwks }).await;
            }
            Err(problem) => {
                let fields = [("url", name), ("error", problem.as_str())];
                log::warn("identity_provider_failed", &fields);
                self.tell(name, &problem).await;
                self.failed(Some(problem));
            }
        }
    }

    fn failed(&self, problem: Option<String>) {
        if problem.is_some() {
            *self.problem.borrow_mut() = problem;
        }
        self.note(|schedule| schedule.failed(clock::now_ms()));
    }

    /// Tells the other instances why there are no keys, and not to ask the provider for a while.
    async fn tell(&self, name: &str, problem: &str) {
        let ms = i64::try_from(PROVIDER_RETRY_MS).unwrap_or(i64::MAX);
        let key = keys::provider_lease(name);
        let args = [Arg::Text(&key), Arg::Text(problem), Arg::Text("PX"), Arg::Int(ms)];
        // If it fails, they ask for themselves.
        drop(self.redis.command("SET", &args).await);
    }

    /// Shares the keys. If it fails, the next instance fetches them itself.
    async fn store(&self, name: &str, stored: &Stored) {
        let Ok(json) = serde_json::to_string(stored) else { return };
        let key = keys::provider_keys(name);
        let args = [Arg::Text(&key), Arg::Text(&json), Arg::Text("EX"), Arg::Int(KEPT_S)];
        if let Err(error) = self.redis.command("SET", &args).await {
            log::warn("identity_keys_not_shared", &[("error", &error.to_string())]);
        }
    }

    /// Waits for the keys that another instance fetches, or for the reason why it cannot.
    async fn await_others(&self, provider: &Provider, name: &str) {
        let lease = keys::provider_lease(name);
        let wait = async {
            loop {
                let fresh = self.take_stored(provider, name).await;
                if fresh.is_err() || provider.has_keys() {
                    return None;
                }
                let reply = self.redis.command("GET", &[Arg::Text(&lease)]).await.ok()?;
                match reply.first().and_then(Reply::text) {
                    Some(FETCHING) => background::sleep(POLL).await,
                    problem => return problem.map(str::to_owned),
                }
            }
        };
        let limit = Duration::from_millis(PROVIDER_DEADLINE_MS);
        let problem = deadline::within(limit, wait).await.flatten();
        if !provider.has_keys() {
            self.failed(problem);
        }
    }

    /// Waits for the lookup of another instance while it is under way: its keys may be the ones.
    async fn await_lookup(&self, provider: &Provider, name: &str) {
        let key = keys::provider_lookup(name);
        let wait = async {
            loop {
                // Asked first: a lookup stores its keys before it ends.
                let reply = self.redis.command("GET", &[Arg::Text(&key)]).await;
                let text = reply.as_ref().ok().and_then(|reply| reply.first()?.text());
                let is_under_way = text == Some(FETCHING);
                if !matches!(self.take_stored(provider, name).await, Ok(false)) || !is_under_way {
                    return;
                }
                background::sleep(POLL).await;
            }
        };
        deadline::within(Duration::from_millis(PROVIDER_DEADLINE_MS), wait).await;
    }

    /// Tells the other instances that the lookup has ended. If it fails, they wait in vain.
    async fn end_lookup(&self, name: &str) {
        let key = keys::provider_lookup(name);
        let args = [Arg::Text(&key), Arg::Text("ended"), Arg::Text("XX"), Arg::Text("KEEPTTL")];
        drop(self.redis.command("SET", &args).await);
    }

    fn note(&self, change: impl FnOnce(&mut Schedule)) {
        let mut schedule = self.schedule.get();
        change(&mut schedule);
        self.schedule.set(schedule);
    }
}

/// Ends the turn even if its request is dropped.
struct Turn<'a>(&'a Cell<bool>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The provider's JWK set, and how long it is kept.
async fn fetch(source: &Source) -> Result<(String, Duration), String> {
    let of_discovery;
    let url = match source {
        Source::Jwks(url) => url,
        Source::Discovery { url, issuer } => {
            let document = get(url).await.map_err(|text| format!("discovery document: {text}"))?;
            let found = provider::jwks_url(&document.body, issuer);
            of_discovery = found.map_err(|error| error.to_string())?;
            &of_discovery
        }
    };
    let response = get(url).await.map_err(|text| format!("JWK set: {text}"))?;
    let kept = provider::kept_for(&response.header_list("cache-control"));
    let jwks = String::from_utf8(response.body).map_err(|_| "the JWK set is not UTF-8")?;
    Ok((jwks, kept))
}

async fn get(url: &ProviderUrl) -> Result<origin::OriginResponse, String> {
    let request = OriginRequest {
        is_tls: url.is_tls,
        authority: url.authority.clone(),
        target: url.target.clone(),
        headers: vec![("accept".to_owned(), b"application/json".to_vec())],
        bytes_max: PROVIDER_BYTES_MAX,
    };
    let response = origin::get(&request).await?;
    match response.status {
        200 => Ok(response),
        status => Err(format!("the provider answered {status}")),
    }
}
