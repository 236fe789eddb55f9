//! The keys that verify tokens, with those of an identity provider kept up to date: fetched at the
//! start, again when they have been kept for as long as the provider allows, and when a token names
//! a key that is not among them.

use std::io;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use shared::auth::provider::{self, Due, Provider, Schedule, Source};
use shared::auth::{KeySet, ProviderUrl};
use shared::limits::{
    PROVIDER_BYTES_MAX, PROVIDER_DEADLINE_MS, PROVIDER_LOOKUP_MS, PROVIDER_RETRY_MS,
};
use tokio::time::{sleep, timeout};

use crate::http_client::{self, HttpClient, chain};

/// The keys that verify tokens. Dereferences to the [`KeySet`].
pub struct Keys {
    set: KeySet,
    /// `None` without an identity provider.
    keeper: Option<Keeper>,
}

struct Keeper {
    client: HttpClient,
    agent: HeaderValue,
    started: Instant,
    schedule: Mutex<Schedule>,
    problem: Mutex<String>,
    /// Held while keys are fetched; others that need them wait for it.
    turn: tokio::sync::Mutex<()>,
}

impl Deref for Keys {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        &self.set
    }
}

impl Keys {
    /// `agent` is the program's name and version.
    ///
    /// # Errors
    /// The provider's URL is https, and the system's certificates cannot be loaded.
    pub fn new(set: KeySet, agent: &'static str) -> io::Result<Self> {
        let keeper = match set.provider() {
            None => None,
            Some(provider) => Some(Keeper {
                client: http_client::new(provider.source().url().is_tls)?,
                agent: HeaderValue::from_static(agent),
                started: Instant::now(),
                schedule: Mutex::default(),
                problem: Mutex::default(),
                turn: tokio::sync::Mutex::new(()),
            }),
        };
        Ok(Self { set, keeper })
    }

    /// No key at all: every token is rejected.
    #[must_use]
    pub fn none() -> Self {
        Self { set: KeySet::none(), keeper: None }
    }

    /// Whether [`Self::prepare`] would fetch keys before this token can be verified.
    #[must_use]
    pub fn must_fetch(&self, token: &str) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| {
            let due = keeper.schedule().due(&self.set, token, keeper.now_ms());
            matches!(due, Some(Due::First | Due::Lookup))
        })
    }

    /// Fetches the keys that this token needs, if it is time to. Bounded by the deadline of a fetch.
    pub async fn prepare(&self, token: &str) {
        let (Some(keeper), Some(provider)) = (&self.keeper, self.set.provider()) else { return };
        if !self.must_fetch(token) {
            return;
        }
        let _turn = keeper.turn.lock().await;
        // Another one may just have fetched them.
        let due = keeper.schedule().due(&self.set, token, keeper.now_ms());
        if let Some(Due::First | Due::Lookup) = due {
            keeper.fetch(provider).await;
        }
        if due == Some(Due::Lookup) {
            let now_ms = keeper.now_ms();
            keeper.note(|schedule| schedule.looked_up(now_ms, PROVIDER_LOOKUP_MS));
        }
    }

    /// Keeps the provider's keys up to date; never ends. Calls `tell` with the reason as long as
    /// there are none, and then with `None`.
    pub async fn keep(&self, tell: impl Fn(Option<&str>)) {
        let (Some(keeper), Some(provider)) = (&self.keeper, self.set.provider()) else {
            return std::future::pending().await;
        };
        loop {
            {
                let _turn = keeper.turn.lock().await;
                if !provider.has_keys() || keeper.schedule().is_outdated(keeper.now_ms()) {
                    keeper.fetch(provider).await;
                }
            }
            let problem = keeper.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
            tell((!provider.has_keys()).then_some(problem.as_str()));
            let fresh_ms = keeper.schedule().fresh_for_ms(keeper.now_ms());
            sleep(Duration::from_millis(fresh_ms.max(PROVIDER_RETRY_MS))).await;
        }
    }
}

impl Keeper {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn schedule(&self) -> Schedule {
        *self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Schedule)) {
        change(&mut self.schedule.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn fetch(&self, provider: &Provider) {
        let limit = Duration::from_millis(PROVIDER_DEADLINE_MS);
        let fetched = timeout(limit, self.key_set(provider.source())).await;
        let fetched = fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let taken = fetched.and_then(|(jwks, kept)| {
            provider.take(&jwks).map(|()| kept).map_err(|error| error.to_string())
        });
        let now_ms = self.now_ms();
        let problem = match taken {
            Ok(kept) => {
                let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
                self.note(|schedule| schedule.taken(now_ms.saturating_add(kept_ms)));
                String::new()
            }
            Err(problem) => {
                let url = provider.source().url();
                tracing::warn!(%url, error = problem, "cannot fetch the identity provider's keys");
                self.note(|schedule| schedule.failed(now_ms));
                problem
            }
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// The provider's JWK set, and how long it is kept.
    async fn key_set(&self, source: &Source) -> Result<(String, Duration), String> {
        let of_discovery;
        let url = match source {
            Source::Jwks(url) => url,
            Source::Discovery { url, issuer } => {
                let (_, document) =
                    self.get(url).await.map_err(|text| format!("discovery document: {text}"))?;
                let found = provider::jwks_url(&document, issuer);
                of_discovery = found.map_err(|error| error.to_string())?;
                &of_discovery
            }
        };
        let (headers, body) = self.get(url).await.map_err(|text| format!("JWK set: {text}"))?;
        let cache_control: Vec<&str> =
            headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).collect();
        let kept = provider::kept_for(&cache_control.join(","));
        let jwks = String::from_utf8(body.into()).map_err(|_| "the JWK set is not UTF-8")?;
        Ok((jwks, kept))
    }

    async fn get(&self, url: &ProviderUrl) -> Result<(HeaderMap, Bytes), String> {
        let request = Request::get(url.to_string())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, self.agent.clone())
            .body(Full::new(Bytes::new()))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| chain(&error))?;
        if response.status() != http::StatusCode::OK {
            return Err(format!("the provider answered {}", response.status()));
        }
        let (head, body) = response.into_parts();
        let body = Limited::new(body, PROVIDER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| "the answer was cut off or is too long")?.to_bytes();
        Ok((head.headers, body))
    }
}
