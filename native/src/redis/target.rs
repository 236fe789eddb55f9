//! The address of Redis, as it is configured.

use std::fmt;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use shared::cluster::{RedisAddress, Server};
use url::Url;

use super::topology::Topology;

/// The address of Redis. Only [`fmt::Display`] may be logged: it omits the password.
#[derive(Clone)]
pub struct RedisTarget {
    address: RedisAddress,
    shown: String,
}

impl RedisTarget {
    /// # Errors
    /// The URL is invalid; the text does not repeat it.
    pub fn parse(url: &str) -> Result<Self> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_one = !["redis+", "rediss+"].iter().any(|start| scheme.starts_with(start))
            || scheme == "redis+unix";
        let target = if is_one {
            one(url)?
        } else {
            let address = RedisAddress::parse(url).map_err(|problem| anyhow!("{problem}"))?;
            let shown = address.shown();
            Self { address, shown }
        };
        for seed in &target.address.seeds {
            info(&target.address.url_of(seed))?;
        }
        if target.topology().client_of(&target.address.seeds[0]).is_err() {
            bail!("is not usable: cannot read the TLS certificates");
        }
        Ok(target)
    }

    /// Where Redis is, for all parts of a process.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        Arc::new(Topology::new(self.address.clone()))
    }
}

/// The parsers' errors may quote the URL, so they are not passed on.
fn info(url: &str) -> Result<ConnectionInfo> {
    let Ok(info) = url.into_connection_info() else {
        bail!(
            "is not a Redis URL (redis://[user:password@]host:port/db, or rediss://; \
             redis+cluster://host:port,host:port; redis+sentinel://host:port,host:port/name)"
        );
    };
    if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
        bail!("disables the check of TLS certificates (#insecure), which is not supported");
    }
    Ok(info)
}

/// One server, in any form that redis-rs knows.
fn one(url: &str) -> Result<RedisTarget> {
    let info = info(url)?;
    let server = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Server { host: host.clone(), port: *port }
        }
        other => Server { host: other.to_string(), port: 0 },
    };
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
    Ok(RedisTarget { address: RedisAddress::of_one(url, server), shown })
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        RedisTarget::parse(url).unwrap().to_string()
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, expected) in [
            ("redis://u:pw@h:1/2?protocol=resp3", "redis://u:***@h:1/2"),
            ("redis+cluster://u:pw@h:1,i:2", "redis+cluster://u:***@h:1,i:2"),
            ("rediss+cluster://:pw@h", "rediss+cluster://:***@h:6379"),
            ("redis+sentinel://u:pw@s:1/name", "redis+sentinel://u:***@s:1/name"),
            ("unix:///run/redis.sock?pass=pw", "/run/redis.sock"),
        ] {
            assert_eq!(shown(url), expected);
            let target = RedisTarget::parse(url).unwrap();
            assert!(!format!("{target:?}").contains("pw"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        let problem = |url| RedisTarget::parse(url).unwrap_err().to_string();
        for (url, expected) in [
            ("http://pw@h", "is not a Redis URL"),
            ("redis+ring://pw@h:1", "must begin with"),
            ("redis+cluster://pw@h:1/3", "one database"),
            ("redis+cluster://pw@h:1,:2", "names no server"),
            ("redis+cluster://h:1,:pw@h:2", "credentials behind a server"),
            ("redis+sentinel://pw@h:1", "name of the master"),
            ("rediss://:pw@h:1/#insecure", "#insecure"),
        ] {
            let problem = problem(url);
            assert!(problem.contains(expected) && !problem.contains("pw"), "{url}: {problem}");
        }
    }

    #[test]
    fn the_url_of_one_redis_is_used_as_it_is() {
        for url in ["redis://h", "redis://u:p%40@h:7/2?protocol=resp3", "unix:///run/redis.sock"] {
            let topology = RedisTarget::parse(url).unwrap().topology();
            assert!(topology.is_one());
            assert_eq!(topology.address().url_of(&topology.address().seeds[0]), url);
        }
    }
}
