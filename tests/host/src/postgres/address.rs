//! The connection string: parsing, and the check against `allowed_outbound_hosts`.
//!
//! Opens no connection. Stricter than Spin in one place: Spin does not check `hostaddr`, although
//! the client connects to it rather than to `host`.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::connection_failed;
use crate::allowed_hosts::AllowedHosts;
use crate::bindings::postgres::Error;

/// A connection string, as a URL or as key-value pairs, with all its hosts allowed.
pub(crate) fn parse_allowed(address: &str, allowed: &AllowedHosts) -> Result<Config, Error> {
    let config: Config = address.parse().map_err(|error| connection_failed(&error))?;
    for (index, host) in config.get_hosts().iter().enumerate() {
        match host {
            Host::Tcp(host) => check(host, port(&config, index), allowed)?,
            #[cfg(unix)]
            Host::Unix(_) => {
                return Err(connection_failed(&"Unix sockets are not supported on WebAssembly"));
            }
        }
    }
    for (index, address) in config.get_hostaddrs().iter().enumerate() {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        check(&host, port(&config, index), allowed)?;
    }
    Ok(config)
}

/// A single port applies to all hosts; several belong to one host each.
fn port(config: &Config, index: usize) -> Option<u16> {
    match config.get_ports() {
        [port] => Some(*port),
        ports => ports.get(index).copied(),
    }
}

fn check(host: &str, port: Option<u16>, allowed: &AllowedHosts) -> Result<(), Error> {
    let authority = match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    if allowed.check_url(&authority, "postgres") {
        return Ok(());
    }
    Err(connection_failed(&format_args!("address postgres://{authority} is not permitted")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::variables::Variables;

    const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = 't'\n\
         [[trigger.http]]\nroute = '/...'\ncomponent = 'a'\n[component.a]\nsource = 'a'";

    fn error(address: &str, rule: &str) -> Option<String> {
        let variables = Variables::new(&Manifest::parse(MANIFEST).unwrap(), &[], |_| None).unwrap();
        let allowed = AllowedHosts::new(&[rule.to_owned()], &variables).unwrap();
        match parse_allowed(address, &allowed) {
            Ok(_) => None,
            Err(Error::ConnectionFailed(text)) => Some(text),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn both_notations_are_parsed_and_5432_is_the_default() {
        let rule = "postgres://db.example";
        assert_eq!(error("postgres://u:p%40@db.example/d", rule), None);
        assert_eq!(error("postgresql://db.example:5432/d?sslmode=disable", rule), None);
        assert_eq!(error("host=db.example user=u password='p w' dbname=d", rule), None);
        let other_port = error("host=db.example port=5433", rule);
        assert_eq!(
            other_port.as_deref(),
            Some("address postgres://db.example:5433 is not permitted")
        );
    }

    #[test]
    fn every_host_must_be_allowed_with_its_port() {
        let rule = "postgres://db.example:5432";
        assert_eq!(error("host=db.example,db.example port=5432,5432", rule), None);
        assert!(error("host=db.example,db.example port=5432,5433", rule).is_some());
        assert!(error("host=db.example,evil.example", rule).is_some());
        assert!(error("host=db.example", "redis://db.example:5432").is_some());
    }

    #[test]
    fn a_hostaddr_must_be_allowed_too() {
        let rule = "postgres://db.example:5432";
        assert!(error("host=db.example hostaddr=10.0.0.1", rule).is_some());
        assert!(error("hostaddr=10.0.0.1", rule).is_some());
        assert!(error("hostaddr=::1", "postgres://10.0.0.1:5432").is_some());
        assert_eq!(error("hostaddr=::1", "postgres://[::1]:5432"), None);
        assert_eq!(error("hostaddr=10.0.0.1", "postgres://10.0.0.0/8:5432"), None);
    }

    #[test]
    fn unix_sockets_and_invalid_strings_are_rejected_with_a_reason() {
        let rule = "*://*:*";
        assert!(error("host=/var/run/postgresql", rule).unwrap().contains("Unix sockets"));
        assert!(error("hosts=db.example", rule).unwrap().contains("invalid connection string"));
    }
}
