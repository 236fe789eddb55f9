//! Calls the functions' relay, which sends notifications created while Redis was unreachable: every
//! 30 s, and repeatedly after Redis is back until everything is sent (`relay/schedule.rs`).

mod schedule;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, USER_AGENT};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{RelayConfig, authorization};
use crate::limits::{RELAY_DEADLINE, RELAY_TOKEN_FILE_BYTES_MAX};
use crate::users::Registry;
use schedule::{Outcome, Schedule};

/// Size limit of the relay's answer, a few numbers.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const US: &str = concat!("bellwire-hub/", env!("CARGO_PKG_VERSION"));

/// Why a call failed. No text contains the token.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot read the token file: {0}")]
    TokenFile(#[from] io::Error),
    #[error("the token file is empty or holds an invalid token")]
    NoToken,
    #[error("cannot reach the functions: {}", chain(.0))]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the answer was cut off or is too long")]
    Broken,
    #[error("the functions answered {0}")]
    Refused(http::StatusCode),
    #[error("no answer within {} s", RELAY_DEADLINE.as_secs())]
    Late,
}

impl CallError {
    fn outcome(&self) -> Outcome {
        match self {
            CallError::TokenFile(_) | CallError::NoToken => Outcome::Refused,
            CallError::Refused(status) if status.is_client_error() => Outcome::Refused,
            _ => Outcome::Failed,
        }
    }
}

/// The part of the answer that is used.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    pending: u64,
}

/// Signs that Redis is back, or was replaced.
pub(crate) struct Signs {
    /// The subscription is back, and every user was compared with their feed.
    pub(crate) swept: Arc<Notify>,
    /// The connection for commands was replaced; the subscription may be unaffected.
    pub(crate) reconnected: Arc<Notify>,
}

pub struct Relay {
    config: RelayConfig,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Relay {
    /// # Errors
    /// The URL is https, and the system's certificates cannot be loaded.
    pub fn new(config: RelayConfig) -> io::Result<Self> {
        let tls = rustls::ClientConfig::builder();
        let tls = if config.url.scheme_str() == Some("https") {
            tls.with_native_roots()?.with_no_client_auth()
        } else {
            tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(connector.build());
        Ok(Self { config, client })
    }

    /// Calls the relay at intervals, and at once on one of `signs`. Afterwards it notifies `again`
    /// once every user is to be compared with their feed. Ends only by being dropped.
    pub(crate) async fn run(self, signs: Signs, registry: Arc<Registry>, again: Arc<Notify>) {
        let mut is_failing = false;
        let mut schedule = Schedule::default();
        let mut wait = schedule.called(Outcome::Held(0), Instant::now(), Instant::now()).wait;
        loop {
            let is_sign = tokio::select! {
                () = signs.swept.notified() => true,
                () = signs.reconnected.notified() => true,
                () = sleep(wait) => false,
            };
            if is_sign {
                schedule.sign(Instant::now());
            }
            let began = Instant::now();
            let answer = match timeout(RELAY_DEADLINE, self.call()).await {
                Ok(answer) => answer,
                Err(_) => Err(CallError::Late),
            };
            registry.metrics.relay_called(answer.is_ok());
            match &answer {
                Ok(_) if is_failing => tracing::info!("the relay answers again"),
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "cannot call the relay");
                }
                _ => {}
            }
            is_failing = answer.is_err();
            let outcome = answer.map_or_else(|error| error.outcome(), Outcome::Held);
            let next = schedule.called(outcome, began, Instant::now());
            if next.recheck {
                registry.recheck();
                again.notify_one();
            }
            wait = next.wait;
        }
    }

    /// Calls the relay; returns the number of users with unsent notifications.
    async fn call(&self) -> Result<u64, CallError> {
        let token = read_token(&self.config.token_file).await?;
        let mut request = http::Request::new(Empty::new());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.config.url.clone();
        request.headers_mut().insert(AUTHORIZATION, token);
        // hyper omits it for an empty body, and some servers then answer 411.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(US));
        let response = self.client.request(request).await?;
        let status = response.status();
        // Read to the end, so that the connection can be reused.
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|_| CallError::Broken)?.to_bytes();
        if !status.is_success() {
            return Err(CallError::Refused(status));
        }
        // A success with another body counts as "nothing pending".
        Ok(serde_json::from_slice::<Answer>(&body).unwrap_or_default().pending)
    }
}

/// The `Authorization` header. The file is read for every call, so that it can be replaced any
/// time.
async fn read_token(path: &Path) -> Result<HeaderValue, CallError> {
    let file = tokio::fs::File::open(path).await?;
    let mut text = String::new();
    file.take(RELAY_TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).await?;
    authorization(&text).ok_or(CallError::NoToken)
}

/// An error with its causes, which hyper's own texts omit.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
