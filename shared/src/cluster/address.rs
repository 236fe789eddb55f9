//! `redis_url`: one server, a Redis Cluster, or Sentinel.

use super::slot_map::Server;

/// The address of Redis, as it is configured. It may contain a password: it has no `Display`, and
/// its `Debug` shows no more than the servers.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub kind: Kind,
    /// The servers to ask first, in turn; never empty. For one server, that one.
    pub seeds: Vec<Server>,
    is_tls: bool,
    /// `user:password@`, percent-encoded as it was given, or empty.
    credentials: String,
    /// What follows host and port: `/db`, query, fragment. Empty for a cluster.
    rest: String,
    /// The whole URL of one server whose form only its client knows, such as a Unix socket.
    whole: Option<String>,
}

/// What is at the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `redis://` or `rediss://`: one server. No command about a topology is sent to it.
    One,
    /// `redis+cluster://h1:p,h2:p` or `rediss+cluster://`: the servers are any of the cluster.
    Cluster,
    /// `redis+sentinel://h1:p,h2:p/name` or `rediss+sentinel://`: the servers are Sentinels, which
    /// know the address of the master of that name.
    Sentinel { master: String },
}

/// What is wrong with an address. The text contains nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("must begin with redis://, rediss://, redis+cluster:// or redis+sentinel://")]
    Scheme,
    #[error("names no server, or one without a valid port (host:port,host:port)")]
    Servers,
    #[error(
        "has credentials behind a server; they are the same for all and come once, before the first \
         (a comma in a password is %2C)"
    )]
    Credentials,
    #[error("has a path or query, but a Redis Cluster has one database and no options")]
    ClusterPath,
    #[error("must end with the name of the master: redis+sentinel://host:port,host:port/name")]
    MasterName,
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

impl RedisAddress {
    /// # Errors
    /// [`AddressError`].
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, after) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let (is_tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").ok_or(AddressError::Scheme)?),
        };
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (credentials, servers) = authority.split_at(at);
        let (kind, port) = match kind {
            "" => (Kind::One, PORT),
            "+cluster" if rest.is_empty() || rest == "/" || rest == "/0" => (Kind::Cluster, PORT),
            "+cluster" => return Err(AddressError::ClusterPath),
            "+sentinel" => (Kind::Sentinel { master: master(rest)? }, SENTINEL_PORT),
            _ => return Err(AddressError::Scheme),
        };
        // `a:1,:secret@b:2`: everything before the `@` would be the password.
        if kind != Kind::One && credentials.contains(',') {
            return Err(AddressError::Credentials);
        }
        let seeds: Option<Vec<Server>> =
            servers.split(',').map(|text| server(text.trim(), port)).collect();
        let seeds = seeds.ok_or(AddressError::Servers)?;
        if kind == Kind::One && seeds.len() > 1 {
            return Err(AddressError::Servers);
        }
        let rest = if kind == Kind::One { rest } else { "" };
        let (credentials, rest) = (credentials.to_owned(), rest.to_owned());
        Ok(Self { kind, seeds, is_tls, credentials, rest, whole: None })
    }

    /// One server, whose client takes the URL as it is.
    pub fn of_one(url: &str, server: Server) -> Self {
        let (credentials, rest) = (String::new(), String::new());
        let whole = Some(url.to_owned());
        Self { kind: Kind::One, seeds: vec![server], is_tls: false, credentials, rest, whole }
    }

    /// The URL of one server, with the credentials: for a client, never for a log.
    pub fn url_of(&self, server: &Server) -> String {
        if let Some(url) = &self.whole {
            return url.clone();
        }
        format!("{}://{}{server}{}", self.scheme(), self.credentials, self.rest)
    }

    /// The same without the credentials: those of `redis+sentinel://` are Redis's, and a Sentinel
    /// without a password refuses any.
    pub fn open_url_of(&self, server: &Server) -> String {
        format!("{}://{server}", self.scheme())
    }

    /// The address of a cluster or of Sentinel for logs: the password is `***`.
    pub fn shown(&self) -> String {
        let (kind, name) = match &self.kind {
            Kind::One => ("", String::new()),
            Kind::Cluster => ("+cluster", String::new()),
            Kind::Sentinel { master } => ("+sentinel", format!("/{master}")),
        };
        let user = self.credentials.trim_end_matches('@').split(':').next().unwrap_or_default();
        let credentials = match (self.credentials.is_empty(), self.credentials.contains(':')) {
            (true, _) => String::new(),
            (false, true) => format!("{user}:***@"),
            (false, false) => format!("{user}@"),
        };
        let seeds: Vec<String> = self.seeds.iter().map(Server::to_string).collect();
        format!("{}{kind}://{credentials}{}{name}", self.scheme(), seeds.join(","))
    }

    fn scheme(&self) -> &'static str {
        if self.is_tls { "rediss" } else { "redis" }
    }
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at ", self.kind)?;
        f.debug_list().entries(self.seeds.iter().map(Server::to_string)).finish()
    }
}

fn server(text: &str, default_port: u16) -> Option<Server> {
    // A port follows the last colon, unless that is inside of an IPv6 address.
    let has_port = text.rfind(':').is_some_and(|colon| !text[colon..].contains(']'));
    let server = if has_port {
        Server::parse(text, "")?
    } else {
        Server::parse(&format!("{text}:{default_port}"), "")?
    };
    (!server.host.is_empty()).then_some(server)
}

/// The name in `/name`.
fn master(rest: &str) -> Result<String, AddressError> {
    let name = rest.strip_prefix('/').unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(AddressError::MasterName);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    fn urls(url: &str) -> Vec<String> {
        let address = RedisAddress::parse(url).unwrap();
        address.seeds.iter().map(|seed| address.url_of(seed)).collect()
    }

    #[test]
    fn one_server_keeps_its_url() {
        for url in ["redis://127.0.0.1:6379", "rediss://u:p%40@redis.example:7000/2?protocol=resp3"]
        {
            assert_eq!(urls(url), [url]);
            assert_eq!(RedisAddress::parse(url).unwrap().kind, Kind::One);
        }
        assert_eq!(urls("redis://host"), ["redis://host:6379"]);
        assert_eq!(urls("redis://[::1]/1"), ["redis://[::1]:6379/1"]);
    }

    #[test]
    fn every_seed_of_a_cluster_gets_the_credentials() {
        let url = "rediss+cluster://:secret@a:1,b:2, [::1]:3";
        let all = ["rediss://:secret@a:1", "rediss://:secret@b:2", "rediss://:secret@[::1]:3"];
        assert_eq!(urls(url), all);
        let address = RedisAddress::parse(url).unwrap();
        assert_eq!(address.kind, Kind::Cluster);
        assert!(!format!("{address:?}").contains("secret"));
        assert_eq!(address.shown(), "rediss+cluster://:***@a:1,b:2,[::1]:3");
        assert_eq!(address.open_url_of(&address.seeds[1]), "rediss://b:2");
        assert_eq!(urls("redis+cluster://:a%2Cb@a:1"), ["redis://:a%2Cb@a:1"]);
    }

    #[test]
    fn a_sentinel_names_its_master() {
        let address = RedisAddress::parse("redis+sentinel://s1,s2:5/mymaster").unwrap();
        assert_eq!(address.kind, Kind::Sentinel { master: "mymaster".to_owned() });
        assert_eq!(
            address.seeds.iter().map(Server::to_string).collect::<Vec<_>>(),
            ["s1:26379", "s2:5"]
        );
        assert_eq!(address.shown(), "redis+sentinel://s1:26379,s2:5/mymaster");
    }

    #[test]
    fn the_url_of_one_server_may_have_any_form() {
        let server = Server { host: "/run/redis.sock".to_owned(), port: 0 };
        let address = RedisAddress::of_one("unix:///run/redis.sock", server.clone());
        assert_eq!(address.url_of(&server), "unix:///run/redis.sock");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, problem) in [
            ("127.0.0.1:6379", AddressError::Scheme),
            ("http://host", AddressError::Scheme),
            ("redis+ring://host", AddressError::Scheme),
            ("redis://", AddressError::Servers),
            ("redis://a:1,b:2", AddressError::Servers),
            ("redis+cluster://a:1,", AddressError::Servers),
            ("redis+cluster://a:65536", AddressError::Servers),
            ("redis+cluster://a:1,:secret@b:2", AddressError::Credentials),
            ("redis+cluster://:secret@a:1,:secret@b:2", AddressError::Credentials),
            ("redis+sentinel://a:1,u:secret@b:2/name", AddressError::Credentials),
            ("redis+cluster://a:1/3", AddressError::ClusterPath),
            ("redis+cluster://a:1?x=1", AddressError::ClusterPath),
            ("redis+sentinel://a:1", AddressError::MasterName),
            ("redis+sentinel://a:1/", AddressError::MasterName),
        ] {
            assert_eq!(RedisAddress::parse(url), Err(problem), "{url}");
        }
    }
}
