//! Sends pushes and says what became of each. A worker drives it with as many batches at once as it
//! likes: the number of pushes in flight is bounded here, and so is every wait.

mod apns;
mod config;
mod fcm;
mod request;
mod webpush;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use crate::apns::Environment;
pub use config::{ApnsConfig, Config, ConfigError, FcmConfig, WebPushConfig};
pub use request::{Address, Push};

use crate::hold::Holds;
use crate::io::{Client, Failure, Filter, Received};
use crate::limits::HOLD;
use crate::metrics::{Kind, Metrics};
use crate::origin::Origin;
use crate::outcome::{Answer, Outcome, Reason, Verdict};
use crate::secret::Secret;

/// Connections, credentials and holds of one process.
pub struct Sender {
    client: Arc<Client>,
    fcm: Option<fcm::Fcm>,
    webpush: Option<webpush::WebPush>,
    apns: Option<apns::Apns>,
    in_flight: Semaphore,
    deadline: Duration,
    holds: Mutex<Holds>,
    metrics: Metrics,
}

/// A request that is ready but for its authorization.
struct Prepared {
    origin: Origin,
    filter: Filter,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    classify: fn(Answer<'_>) -> Verdict,
    /// What a hold concerns: a credential, or a push service with it.
    hold: String,
}

/// What sends for one service.
trait Service {
    /// The value of `authorization`.
    async fn authorization(&self, origin: &Origin, now_s: u64) -> Result<Secret, Outcome>;
    /// The service refused `refused`. Returns whether another one can be had.
    async fn renew(&self, origin: &Origin, refused: &Secret, now_s: u64) -> bool;
}

impl Sender {
    /// Reads the credentials.
    ///
    /// # Errors
    /// A part of the configuration is invalid or a file cannot be read.
    pub async fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let client = Client::new(&config.roots, config.connections_per_host);
        let client = Arc::new(client.map_err(ConfigError::Certificates)?);
        let plain = config.is_development;
        let (fcm, webpush, apns) = (config.fcm, config.webpush, config.apns);
        Ok(Self {
            fcm: match fcm {
                Some(config) => Some(fcm::Fcm::new(config, client.clone(), plain).await?),
                None => None,
            },
            webpush: match webpush {
                Some(config) => Some(webpush::WebPush::new(config).await?),
                None => None,
            },
            apns: match apns {
                Some(config) => Some(apns::Apns::new(config, plain).await?),
                None => None,
            },
            client,
            in_flight: Semaphore::new(config.in_flight_max),
            deadline: config.deadline,
            holds: Mutex::default(),
            metrics: Metrics::default(),
        })
    }

    /// The key that browsers subscribe with, where Web Push is configured.
    pub async fn vapid_public_key(&self) -> Option<String> {
        match &self.webpush {
            Some(webpush) => Some(webpush.public_key().await),
            None => None,
        }
    }

    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Open connections to all services.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.client.open_connections()
    }

    /// Credentials, and push services, that must wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.holds.lock().count(Instant::now())
    }

    /// Sends all of `pushes` at once, within the bound of pushes in flight. The results have their
    /// order. Dropping the future drops what is in flight, and leaves it in doubt.
    pub async fn send(&self, pushes: &[Push]) -> Vec<Outcome> {
        let sending: FuturesOrdered<_> = pushes.iter().map(|push| self.send_one(push)).collect();
        sending.collect().await
    }

    /// Sends one push. Takes at most twice the deadline, and the time until others in flight end.
    pub async fn send_one(&self, push: &Push) -> Outcome {
        // The semaphore is never closed.
        let _permit = self.in_flight.acquire().await;
        let _entered = self.metrics.entered();
        let kind = push.address.kind();
        let outcome = match self.prepare(push).await {
            Err(outcome) => outcome,
            Ok(prepared) => match (kind, &self.fcm, &self.webpush, &self.apns) {
                (Kind::Fcm, Some(fcm), ..) => self.send_by(fcm, prepared).await,
                (Kind::WebPush, _, Some(webpush), _) => self.send_by(webpush, prepared).await,
                (Kind::Apns, .., Some(apns)) => self.send_by(apns, prepared).await,
                _ => not_configured(kind),
            },
        };
        self.metrics.ended(kind, &outcome);
        outcome
    }

    /// Prepares a push, encryption included, and sends nothing.
    ///
    /// # Errors
    /// How [`Self::send_one`] would end without asking the service: the content is too large
    /// ([`Outcome::is_too_large`]), or the address may not be called.
    pub async fn check(&self, push: &Push) -> Result<(), Outcome> {
        self.prepare(push).await.map(drop)
    }

    async fn prepare(&self, push: &Push) -> Result<Prepared, Outcome> {
        let kind = push.address.kind();
        match (kind, &self.fcm, &self.webpush, &self.apns) {
            (Kind::Fcm, Some(fcm), ..) => fcm.prepare(push, now_s()).await,
            (Kind::WebPush, _, Some(webpush), _) => webpush.prepare(push).await,
            (Kind::Apns, .., Some(apns)) => apns.prepare(push, now_s()).await,
            _ => Err(not_configured(kind)),
        }
    }

    async fn send_by(&self, service: &impl Service, mut prepared: Prepared) -> Outcome {
        if let Some(outcome) = self.holds.lock().check(&prepared.hold, Instant::now()) {
            return outcome;
        }
        let key = std::mem::take(&mut prepared.hold);
        let outcome = self.exchange(service, prepared).await;
        let held = match outcome {
            // About this address or this moment, not about the credential: see `Failure` and OAuth2's
            // own backoff, which hold by themselves.
            Outcome::Hold { reason, wait } if !is_own(reason) => Some((wait, reason, false)),
            Outcome::Stop(reason) => Some((HOLD, reason, true)),
            _ => None,
        };
        if let Some((wait, reason, is_stop)) = held {
            self.holds.lock().hold(&key, wait, reason, is_stop, Instant::now());
        }
        outcome
    }

    async fn exchange(&self, service: &impl Service, prepared: Prepared) -> Outcome {
        let Prepared { origin, filter, path, headers, body, classify, .. } = prepared;
        let body = Bytes::from(body);
        let mut is_renewed = false;
        loop {
            let token = match service.authorization(&origin, now_s()).await {
                Ok(token) => token,
                Err(outcome) => return outcome,
            };
            let Ok(mut value) = HeaderValue::from_str(token.expose()) else {
                return Outcome::Stop("invalid_authorization");
            };
            // Neither in logs, nor in HTTP/2's table of headers.
            value.set_sensitive(true);
            let mut headers = headers.clone();
            headers.insert(AUTHORIZATION, value);
            let began = Instant::now();
            let sent =
                self.client.post(&origin, filter, &path, headers, body.clone(), self.deadline);
            let received = sent.await;
            self.metrics.took(began.elapsed());
            let verdict = match received {
                Ok(received) => judge(&received, classify),
                Err(failure) => return failed(failure, filter),
            };
            match verdict {
                Verdict::Final(outcome) => return outcome,
                Verdict::Renew(otherwise) => {
                    if is_renewed || !service.renew(&origin, &token, now_s()).await {
                        return otherwise;
                    }
                    is_renewed = true;
                }
            }
        }
    }
}

fn not_configured(kind: Kind) -> Outcome {
    Outcome::Stop(match kind {
        Kind::Fcm => "fcm_not_configured",
        Kind::WebPush => "webpush_not_configured",
        Kind::Apns => "apns_not_configured",
    })
}

fn judge(received: &Received, classify: fn(Answer<'_>) -> Verdict) -> Verdict {
    classify(received.answer())
}

/// Holds that end by themselves: the connection's and the token server's backoff.
const UNREACHABLE: Reason = "service_unreachable";

fn is_own(reason: Reason) -> bool {
    reason == UNREACHABLE || reason.starts_with("oauth_")
}

fn failed(failure: Failure, filter: Filter) -> Outcome {
    match failure {
        // A client's name may never lead anywhere: without a count, it would be tried until the TTL.
        Failure::Unreachable { error, wait } if error.is_about_name() && filter != Filter::Any => {
            Outcome::Retry { reason: error.reason(), after: Some(wait), in_doubt: false }
        }
        Failure::Unreachable { error, wait } => {
            tracing::debug!(reason = error.reason(), "a push was not sent");
            Outcome::Hold { reason: UNREACHABLE, wait: wait.max(Duration::from_secs(1)) }
        }
        Failure::Late { is_sent } => {
            Outcome::Retry { reason: "timeout", after: None, in_doubt: is_sent }
        }
        Failure::Broken { is_sent } => {
            Outcome::Retry { reason: "connection_lost", after: None, in_doubt: is_sent }
        }
        Failure::Invalid => Outcome::refused("invalid_request"),
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
