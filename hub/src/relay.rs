//! Calls the functions' relay, which sends what found Redis away: every half minute, and as soon
//! as the hub hears Redis again.

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
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::config::RelayConfig;
use crate::limits::{RELAY_DEADLINE, RELAY_INTERVAL, RELAY_TOKEN_FILE_BYTES_MAX};
use crate::metrics::Metrics;

/// An answer is a few numbers.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const US: &str = concat!("bellwire-hub/", env!("CARGO_PKG_VERSION"));

/// Why a call did not work. None of the texts quotes the token.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the token file cannot be read: {0}")]
    TokenFile(#[from] io::Error),
    #[error("the token file holds no token")]
    NoToken,
    #[error("the functions cannot be reached: {}", chain(.0))]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the answer broke off")]
    Broken,
    #[error("the answer is {0}")]
    Refused(http::StatusCode),
    #[error("no answer within {} s", RELAY_DEADLINE.as_secs())]
    Late,
}

pub struct Relay {
    config: RelayConfig,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Relay {
    /// # Errors
    /// The URL is https and the machine has no certificates to check it with.
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

    /// Calls now and then, and when `wanted` tells; ends only by being dropped.
    pub async fn run(self, wanted: Arc<Notify>, metrics: Arc<Metrics>) {
        let mut is_failing = false;
        loop {
            // Jitter, so that a fleet of hubs does not call at once.
            let pause = RELAY_INTERVAL.mul_f64(0.8 + 0.4 * fastrand::f64());
            tokio::select! {
                () = wanted.notified() => {}
                () = sleep(pause) => {}
            }
            let outcome = match timeout(RELAY_DEADLINE, self.call()).await {
                Ok(outcome) => outcome,
                Err(_) => Err(CallError::Late),
            };
            metrics.relay_called(outcome.is_ok());
            match &outcome {
                Ok(()) if is_failing => tracing::info!("the relay answers again"),
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "the relay cannot be called");
                }
                _ => {}
            }
            is_failing = outcome.is_err();
        }
    }

    async fn call(&self) -> Result<(), CallError> {
        let token = read_token(&self.config.token_file).await?;
        let mut request = http::Request::new(Empty::new());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.config.url.clone();
        request.headers_mut().insert(AUTHORIZATION, token);
        // hyper leaves it out where nothing follows, and some servers then answer 411.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(US));
        let response = self.client.request(request).await?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        body.collect().await.map_err(|_| CallError::Broken)?;
        if !status.is_success() {
            return Err(CallError::Refused(status));
        }
        Ok(())
    }
}

/// The header with the token. Read for every call, so that it can be replaced any time.
async fn read_token(path: &Path) -> Result<HeaderValue, CallError> {
    let file = tokio::fs::File::open(path).await?;
    let mut text = String::new();
    file.take(RELAY_TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).await?;
    let token = text.trim();
    let header = HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let mut header = header.filter(|_| !token.is_empty()).ok_or(CallError::NoToken)?;
    header.set_sensitive(true);
    Ok(header)
}

/// An error with its causes: hyper's own texts stop before the reason.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
