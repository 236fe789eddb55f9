//! `GET /keys`: one `SCAN` step. Never `KEYS`, which blocks Redis for its whole duration.
//!
//! On a cluster the masters are scanned one after the other, in the order of their addresses, and a
//! cursor is `SCAN`'s with the master that it is for: `17@10.0.0.1:6379`.

use runtime::http::{auth, number};
use runtime::ports::redis::{Arg, Node, Redis, RedisError, Reply};
use runtime::{App, Code, Error, Request, Response};
use serde_json::json;
use shared::auth::Scope;
use shared::cluster::Server;
use shared::limits::{KEYS_COUNT_DEFAULT, KEYS_COUNT_MAX, KEYS_PATTERN_BYTES_MAX};

/// The requested page.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    pattern: Option<String>,
    cursor: Cursor,
    count: i64,
}

/// Where a page begins.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// `SCAN`'s own.
    of_scan: u64,
    /// `None`: the first or only server.
    server: Node,
}

/// The longest name of a host in DNS.
const HOST_BYTES_MAX: usize = 255;

/// Answers `{"keys":[…],"cursor":"…"}`. As with `SCAN` itself, a page may be empty or contain a key
/// twice; the last cursor is `"0"`.
///
/// # Errors
/// Request errors; `redis_unavailable`.
pub async fn keys(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    let page = Page::parse(request)?;
    let nodes = app.redis.servers().await?;
    let (keys, cursor) = match page.cursor.place(&nodes) {
        Some((at, cursor)) => scan(app, &page, &nodes, at, cursor).await?,
        None => (Vec::new(), "0".to_owned()),
    };
    let body = json!({"keys": keys, "cursor": cursor}).to_string();
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

/// The keys of a step on the server at `at`, and the cursor of the next page.
async fn scan(
    app: &App,
    page: &Page,
    nodes: &[Node],
    at: usize,
    cursor: u64,
) -> Result<(Vec<String>, String), Error> {
    let node = nodes.get(at).unwrap_or(&None);
    let cursor = cursor.to_string();
    let mut args = vec![Arg::Text(&cursor)];
    if let Some(pattern) = &page.pattern {
        args.extend([Arg::Text("MATCH"), Arg::Text(pattern)]);
    }
    args.extend([Arg::Text("COUNT"), Arg::Int(page.count)]);
    // The host flattens the reply: the cursor, then the keys.
    let reply = app.redis.command_on(node, "SCAN", &args).await?;
    let (next, keys) = reply.split_first().ok_or(RedisError::Malformed("SCAN"))?;
    let next = next.text().ok_or(RedisError::Malformed("SCAN"))?;
    let next = match (next, node, nodes.get(at + 1)) {
        ("0", _, Some(Some(following))) => format!("0@{following}"),
        (next, Some(server), _) if next != "0" => format!("{next}@{server}"),
        _ => next.to_owned(),
    };
    Ok((keys.iter().filter_map(Reply::bytes).map(shown).collect(), next))
}

impl Page {
    fn parse(request: &Request) -> Result<Self, Error> {
        let cursor = Cursor::default();
        let mut page = Self { pattern: None, cursor, count: KEYS_COUNT_DEFAULT };
        for (name, value) in request.query(&["pattern", "cursor", "count"])? {
            match name.as_str() {
                "cursor" => page.cursor = Cursor::parse(&value)?,
                "count" => page.count = number(&name, &value, 1..=KEYS_COUNT_MAX)?,
                _ => page.pattern = Some(pattern(value)?),
            }
        }
        Ok(page)
    }
}

impl Cursor {
    fn parse(value: &str) -> Result<Self, Error> {
        let invalid = || invalid("cursor", "is invalid");
        let (number, server) = match value.split_once('@') {
            Some((number, server)) => (number, Some(server_of(server).ok_or_else(invalid)?)),
            None => (value, None),
        };
        // In Redis's form, without a sign or leading zeros.
        let of_scan = number.parse::<u64>().ok().filter(|of_scan| of_scan.to_string() == number);
        Ok(Self { of_scan: of_scan.ok_or_else(invalid)?, server })
    }

    /// The position of the cursor's server in `nodes`, and the cursor there. If it is not a master
    /// any more, the next one begins: `SCAN`'s cursors mean nothing to another server. `None` if
    /// there is no next one.
    fn place(&self, nodes: &[Node]) -> Option<(usize, u64)> {
        let at = nodes.iter().position(|node| node.is_none() || *node >= self.server)?;
        let node = nodes.get(at)?;
        let is_there = node.is_none() || *node == self.server;
        Some((at, if is_there { self.of_scan } else { 0 }))
    }
}

/// A name of a server as [`Server`] writes it.
fn server_of(text: &str) -> Option<Server> {
    let (host, port) = text.rsplit_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let is_host = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.chars().all(is_name);
    let server = Server::parse(text, "").filter(|_| is_host)?;
    (server.port.to_string() == port).then_some(server)
}

fn pattern(value: String) -> Result<String, Error> {
    if value.len() > KEYS_PATTERN_BYTES_MAX {
        let problem = format!(
            "`pattern` has {} bytes, at most {KEYS_PATTERN_BYTES_MAX} are allowed",
            value.len()
        );
        return Err(Error::field(Code::LimitExceeded, "pattern", problem));
    }
    match value.as_str() {
        "" => Err(invalid("pattern", "is empty")),
        text if text.contains('\0') => Err(invalid("pattern", "contains U+0000")),
        _ => Ok(value),
    }
}

fn invalid(name: &str, problem: &str) -> Error {
    Error::field(Code::InvalidField, name, format!("`{name}` {problem}"))
}

/// A key as text for people; bytes that are not UTF-8 are written as `\xff`.
fn shown(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for chunk in key.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;
    use runtime::Method;

    fn parse(query: &str) -> Result<Page, Error> {
        let target = format!("/keys?{query}");
        Page::parse(&Request::new(Method::Get, &target, Vec::new(), None).unwrap())
    }

    #[test]
    fn reads_the_parameters() {
        let cursor = Cursor::default();
        assert_eq!(parse("").unwrap(), Page { pattern: None, cursor, count: 100 });
        let page = parse("pattern=a%3A*&cursor=18446744073709551615&count=1000").unwrap();
        let pattern = Some("a:*".to_owned());
        let cursor = Cursor { of_scan: u64::MAX, server: None };
        assert_eq!(page, Page { pattern, cursor, count: 1000 });
        let page = parse("cursor=17%4010.0.0.1:6379").unwrap();
        let server = Server { host: "10.0.0.1".to_owned(), port: 6379 };
        assert_eq!(page.cursor, Cursor { of_scan: 17, server: Some(server) });
        let too_long = format!("cursor=0@{}:1", "x".repeat(256));
        let long = format!("pattern={}", "x".repeat(257));
        for (query, code) in [
            ("count=0", Code::InvalidField),
            ("count=1001", Code::InvalidField),
            ("count=", Code::InvalidField),
            ("cursor=", Code::InvalidField),
            ("cursor=-1", Code::InvalidField),
            ("cursor=%2B1", Code::InvalidField),
            ("cursor=18446744073709551616", Code::InvalidField),
            ("cursor=01", Code::InvalidField),
            ("cursor=1@", Code::InvalidField),
            ("cursor=@a:1", Code::InvalidField),
            ("cursor=1@a:1@b:1", Code::InvalidField),
            ("cursor=1@a", Code::InvalidField),
            ("cursor=1@:1", Code::InvalidField),
            ("cursor=1@a:65536", Code::InvalidField),
            ("cursor=1@a:01", Code::InvalidField),
            (&too_long, Code::InvalidField),
            ("pattern=", Code::InvalidField),
            ("pattern=%00", Code::InvalidField),
            (&long, Code::LimitExceeded),
            ("limit=1", Code::UnknownField),
            ("count=1&count=1", Code::InvalidField),
        ] {
            assert_eq!(parse(query).unwrap_err().code(), code, "{query}");
        }
    }

    #[test]
    fn masters_are_scanned_in_order_even_if_one_is_replaced() {
        let node = |host: &str| Some(Server { host: host.to_owned(), port: 1 });
        let nodes = [node("a"), node("c")];
        let place = |of_scan, server: Node| Cursor { of_scan, server }.place(&nodes);
        assert_eq!(place(0, None), Some((0, 0)));
        assert_eq!((place(5, node("a")), place(5, node("c"))), (Some((0, 5)), Some((1, 5))));
        assert_eq!((place(5, node("b")), place(5, node("d"))), (Some((1, 0)), None));
        let only = Cursor { of_scan: 5, server: None }.place(&[None]);
        assert_eq!(only, Some((0, 5)));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_shown_in_hex() {
        assert_eq!(shown("k\u{e9}y".as_bytes()), "k\u{e9}y");
        assert_eq!(shown(b"a\xff\xc3b\0"), "a\\xff\\xc3b\0");
    }
}
