//! Where `/metrics` is served, and with which token.

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context as _, Error, Result, ensure};

use crate::limits::METRICS_TOKEN_BYTES_MAX;
use crate::settings::listen as listen_on;

/// Where `/metrics` is served, and with which token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MetricsAccess {
    /// An address of its own; if set, `/metrics` is served nowhere else.
    pub listen: Option<SocketAddr>,
    /// The bearer token that `/metrics` requires on either address.
    pub token: Option<String>,
}

/// Omits the token.
impl fmt::Debug for MetricsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_token = self.token.is_some();
        write!(f, "MetricsAccess {{ listen: {:?}, has_token: {has_token} }}", self.listen)
    }
}

impl MetricsAccess {
    /// From the values of `--metrics-listen` and `--metrics-token-file`; the names of their
    /// variables begin with `variables`.
    ///
    /// # Errors
    /// An invalid address, or a token file that is unreadable or empty.
    pub fn new(listen: Option<&str>, token_file: Option<&str>, variables: &str) -> Result<Self> {
        let listen = listen.filter(|text| !text.is_empty());
        let listen = listen.map(|text| listen_on(text).map_err(Error::msg)).transpose();
        let listen =
            listen.with_context(|| format!("--metrics-listen ({variables}METRICS_LISTEN)"))?;
        let file = token_file.filter(|file| !file.is_empty());
        let token = file.map(|file| {
            let setting = format!("--metrics-token-file ({variables}METRICS_TOKEN_FILE)");
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{setting}: cannot read {file}"))?;
            let token = text.trim();
            ensure!(!token.is_empty(), "{setting}: {file} is empty");
            ensure!(token.len() <= METRICS_TOKEN_BYTES_MAX, "{setting}: {file} is too large");
            Ok(token.to_owned())
        });
        Ok(Self { listen, token: token.transpose()? })
    }
}
