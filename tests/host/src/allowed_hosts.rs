//! `allowed_outbound_hosts`: the permitted addresses, in Spin's notation.
//!
//! Opens no connection and resolves no names: a rule applies to the address as the guest wrote it.

use std::ops::Range;

use anyhow::{Context, bail, ensure};
use ip_network::IpNetwork;
use url::{Host, Url};

use crate::expressions::Template;
use crate::stdio::say;
use crate::variables::Variables;

/// The rules of one component, with templates resolved.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    /// `None` permits any.
    scheme: Option<String>,
    host: HostRule,
    port: PortRule,
}

#[derive(Debug)]
enum HostRule {
    Any,
    /// The application itself.
    ToSelf,
    /// Includes the leading dot.
    Subdomains(String),
    Literal(Host),
    Network(IpNetwork),
}

#[derive(Debug)]
enum PortRule {
    Any,
    Within(Range<u32>),
}

impl AllowedHosts {
    pub fn new(hosts: &[String], variables: &Variables) -> anyhow::Result<Self> {
        let mut rules = Vec::new();
        for host in hosts {
            let template = Template::parse(host)?;
            let resolved = template.resolve(|name| variables.value(name))?;
            // An optional endpoint: like Spin, skips a template that resolves to nothing.
            let empty = matches!(resolved.as_str(), "" | "http://" | "https://");
            if empty && !template.is_literal() {
                continue;
            }
            rules.push(Rule::parse(&resolved).with_context(|| {
                format!("allowed outbound host {host:?} (resolved: {resolved:?})")
            })?);
        }
        Ok(Self(rules))
    }

    /// `scheme` applies to an address without one.
    pub fn check_url(&self, address: &str, scheme: &str) -> bool {
        let Some((scheme, host, port)) = parse_address(address, scheme) else {
            say(format_args!("A component tried to reach an address that cannot be parsed"));
            return false;
        };
        let port = port.or_else(|| well_known_port(&scheme));
        let allowed = self.0.iter().any(|rule| rule.allows(&scheme, &host, port));
        if !allowed {
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            report(&scheme, &format!("{host}{port}"));
        }
        allowed
    }

    /// Whether the component may call its own application.
    pub fn check_self(&self) -> bool {
        let http = |rule: &Rule| matches!(rule.scheme.as_deref(), None | Some("http" | "https"));
        let to_self = |rule: &Rule| matches!(rule.host, HostRule::Any | HostRule::ToSelf);
        let allowed = self.0.iter().any(|rule| http(rule) && to_self(rule));
        if !allowed {
            report("http", "self");
        }
        allowed
    }
}

fn report(scheme: &str, authority: &str) {
    say(format_args!(
        "A component tried to reach {scheme}://{authority}, which its allowed_outbound_hosts do \
         not contain"
    ));
}

impl Rule {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            bail!("does not contain a scheme (e.g., 'http://' or '*://')");
        };
        // A colon may belong to an IPv6 address: then all of `rest` is the host.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if port.is_empty() || HostRule::parse(rest).is_err() => (host, port),
            _ => (rest, ""),
        };
        let port = match port.split_once('/') {
            Some((_, path)) if !path.is_empty() => bail!("must not include a path"),
            Some((port, _)) => port,
            None => port,
        };
        Ok(Self {
            scheme: parse_scheme(scheme)?,
            host: HostRule::parse(host)?,
            port: PortRule::parse(port, scheme)?,
        })
    }

    fn allows(&self, scheme: &str, host: &Host, port: Option<u16>) -> bool {
        self.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
            && self.host.allows(host)
            && self.port.allows(port)
    }
}

fn parse_scheme(scheme: &str) -> anyhow::Result<Option<String>> {
    if scheme == "*" {
        return Ok(None);
    }
    ensure!(scheme.chars().all(char::is_alphabetic), "invalid scheme {scheme:?}");
    Ok(Some(scheme.to_owned()))
}

impl HostRule {
    fn parse(host: &str) -> anyhow::Result<Self> {
        let host = host.trim();
        match host {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::ToSelf),
            _ => {}
        }
        ensure!(!host.starts_with('{'), "host lists are not supported");
        if let Ok(network) = IpNetwork::from_str_truncate(host) {
            return Ok(Self::Network(network));
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(!host.contains('/'), "must not include a path");
        if let Some(domain) = host.strip_prefix("*.") {
            ensure!(!domain.contains('*'), "wildcards are allowed only as prefixes");
            return match Host::parse(domain)? {
                Host::Domain(domain) => Ok(Self::Subdomains(format!(".{domain}"))),
                _ => bail!("a wildcard's suffix must be a domain"),
            };
        }
        ensure!(!host.contains('*'), "wildcards are allowed only as subdomains");
        Ok(Self::Literal(Host::parse(host).with_context(|| format!("invalid host {host:?}"))?))
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::ToSelf, _) => false,
            (Self::Literal(literal), host) => literal == host,
            (Self::Subdomains(suffix), Host::Domain(domain)) => domain.ends_with(suffix.as_str()),
            (Self::Network(network), Host::Ipv4(address)) => network.contains(*address),
            (Self::Network(network), Host::Ipv6(address)) => network.contains(*address),
            (Self::Subdomains(_), _) | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

impl PortRule {
    fn parse(port: &str, scheme: &str) -> anyhow::Result<Self> {
        let one = |port: u16| Self::Within(u32::from(port)..u32::from(port) + 1);
        let number = |text: &str| text.parse::<u16>().with_context(|| format!("port {text:?}"));
        if port.is_empty() {
            let known = well_known_port(scheme);
            return known.map(one).with_context(|| {
                format!("no port was provided and {scheme:?} does not have a default port")
            });
        }
        if port == "*" {
            return Ok(Self::Any);
        }
        match port.split_once("..") {
            Some((start, end)) => {
                Ok(Self::Within(u32::from(number(start)?)..u32::from(number(end)?)))
            }
            None => number(port).map(one),
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::Within(range), Some(port)) => range.contains(&u32::from(port)),
            (Self::Within(_), None) => false,
        }
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "mqtt" => 1883,
        "http" => 80,
        "https" => 443,
        _ => return None,
    })
}

/// (scheme, host, explicit port).
fn parse_address(address: &str, scheme: &str) -> Option<(String, Host, Option<u16>)> {
    let address = encode_userinfo(address);
    let url = match Url::parse(&address) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&format!("{scheme}://{address}")).ok()?,
    };
    // Parsed again, because `url` leaves hosts of unknown schemes (redis) as text.
    let host = Host::parse(url.host_str()?).ok()?;
    Some((url.scheme().to_owned(), host, url.port()))
}

/// Passwords may contain characters that are invalid in a URL; only the host matters here.
fn encode_userinfo(address: &str) -> String {
    let start = address.find("://").map_or(0, |at| at + 3);
    let path = address[start..].find('/').map_or(usize::MAX, |at| at + start);
    match address.find('@') {
        Some(at) if at < path && at >= start => {
            let encoded = urlencoding::encode(&address[start..at]);
            format!("{}{encoded}{}", &address[..start], &address[at..])
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests;
