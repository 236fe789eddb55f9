//! Calls the functions' relay, which sends what found Redis away: every half minute, and as soon
//! as the hub hears Redis again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
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

/// An answer is a few numbers.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub struct Relay {
    config: RelayConfig,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Relay {
    /// # Errors
    /// The URL is https and the machine has no certificates to check it with.
    pub fn new(config: RelayConfig) -> Result<Self> {
        let tls = rustls::ClientConfig::builder();
        let tls = if config.url.scheme_str() == Some("https") {
            let problem = "BELLWIRE_FUNCTIONS_URL: the machine's certificates cannot be read";
            tls.with_native_roots().context(problem)?.with_no_client_auth()
        } else {
            tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(connector.build());
        Ok(Self { config, client })
    }

    /// Calls now and then, and when `wanted` tells; ends only by being dropped.
    pub async fn run(self, wanted: Arc<Notify>) {
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
                Err(_) => Err(anyhow::anyhow!("no answer within {}", seconds(RELAY_DEADLINE))),
            };
            match &outcome {
                Ok(()) if is_failing => tracing::info!("the relay answers again"),
                Err(error) if !is_failing => {
                    tracing::warn!(error = format!("{error:#}"), "the relay cannot be called");
                }
                _ => {}
            }
            is_failing = outcome.is_err();
        }
    }

    async fn call(&self) -> Result<()> {
        let token = read_token(&self.config.token_file).await?;
        let request = http::Request::post(self.config.url.clone())
            .header(AUTHORIZATION, token)
            .header(USER_AGENT, concat!("bellwire-hub/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        let response = self.client.request(request).await.context("no connection")?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        body.collect().await.map_err(|error| anyhow::anyhow!("a broken answer: {error}"))?;
        ensure!(status.is_success(), "the answer is {status}");
        Ok(())
    }
}

/// The header with the token. Read for every call, so that it can be replaced any time.
async fn read_token(path: &Path) -> Result<HeaderValue> {
    let problem = || format!("cannot read the token file {}", path.display());
    let file = tokio::fs::File::open(path).await.with_context(problem)?;
    let mut text = String::new();
    file.take(RELAY_TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).await.with_context(problem)?;
    let header = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
    // The error would quote the token.
    let mut header = header.map_err(|_| anyhow::anyhow!("{} holds no token", path.display()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
