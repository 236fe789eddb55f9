//! The address of Redis, as it is configured.

use std::fmt;

use anyhow::{Result, bail};
use redis::{ConnectionAddr, IntoConnectionInfo as _};
use url::Url;

/// The address of Redis. Only [`fmt::Display`] may be logged: it omits the password.
#[derive(Clone)]
pub struct RedisTarget {
    /// Opens connections.
    pub client: redis::Client,
    shown: String,
}

impl RedisTarget {
    /// # Errors
    /// redis-rs rejects the URL; the text does not repeat it.
    pub fn parse(url: &str) -> Result<Self> {
        // The parsers' errors may quote the URL, so they are not passed on.
        let Ok(info) = url.into_connection_info() else {
            bail!("is not a Redis URL (redis://[user:password@]host:port/db, or rediss://)");
        };
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            bail!("disables the check of TLS certificates (#insecure), which is not supported");
        }
        let shown = match Url::parse(url) {
            Ok(mut parsed) if parsed.has_host() => {
                if parsed.password().is_some() {
                    let _ = parsed.set_password(Some("***"));
                }
                parsed.set_query(None);
                parsed.set_fragment(None);
                parsed.to_string()
            }
            _ => info.addr().to_string(),
        };
        let Ok(client) = redis::Client::open(info) else {
            bail!("is not usable: cannot read the TLS certificates");
        };
        Ok(Self { client, shown })
    }
}

impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
