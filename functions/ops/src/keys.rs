//! `GET /keys`: one `SCAN` step. Never `KEYS`, which blocks Redis for its whole duration.

use runtime::http::{auth, number};
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::{App, Code, Error, Request, Response};
use serde_json::json;
use shared::auth::Scope;
use shared::limits::{KEYS_COUNT_DEFAULT, KEYS_COUNT_MAX, KEYS_PATTERN_BYTES_MAX};

/// The requested page.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    pattern: Option<String>,
    cursor: u64,
    count: i64,
}

/// Answers `{"keys":[…],"cursor":"…"}`. As with `SCAN` itself, a page may be empty or contain a key
/// twice; the last cursor is `"0"`.
///
/// # Errors
/// Request errors; `redis_unavailable`.
pub async fn keys(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::OpsRead)?;
    let page = Page::parse(request)?;
    let cursor = page.cursor.to_string();
    let mut args = vec![Arg::Text(&cursor)];
    if let Some(pattern) = &page.pattern {
        args.extend([Arg::Text("MATCH"), Arg::Text(pattern)]);
    }
    args.extend([Arg::Text("COUNT"), Arg::Int(page.count)]);
    // The host flattens the reply: the cursor, then the keys.
    let reply = app.redis.command("SCAN", &args).await?;
    let (next, keys) = reply.split_first().ok_or(RedisError::Malformed("SCAN"))?;
    let next = next.text().ok_or(RedisError::Malformed("SCAN"))?;
    let keys: Vec<String> = keys.iter().filter_map(Reply::bytes).map(shown).collect();
    let body = json!({"keys": keys, "cursor": next}).to_string();
    Ok(Response::json(200, body).with("cache-control", "no-store"))
}

impl Page {
    fn parse(request: &Request) -> Result<Self, Error> {
        let mut page = Self { pattern: None, cursor: 0, count: KEYS_COUNT_DEFAULT };
        for (name, value) in request.query(&["pattern", "cursor", "count"])? {
            match name.as_str() {
                "cursor" => page.cursor = cursor(&value)?,
                "count" => page.count = number(&name, &value, 1..=KEYS_COUNT_MAX)?,
                _ => page.pattern = Some(pattern(value)?),
            }
        }
        Ok(page)
    }
}

fn cursor(value: &str) -> Result<u64, Error> {
    // In Redis's form, without a sign or leading zeros.
    let number = value.parse::<u64>().ok().filter(|number| number.to_string() == value);
    number.ok_or_else(|| invalid("cursor", "is invalid"))
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
        assert_eq!(parse("").unwrap(), Page { pattern: None, cursor: 0, count: 100 });
        let page = parse("pattern=a%3A*&cursor=18446744073709551615&count=1000").unwrap();
        let pattern = Some("a:*".to_owned());
        assert_eq!(page, Page { pattern, cursor: u64::MAX, count: 1000 });
        let long = format!("pattern={}", "x".repeat(257));
        for (query, code) in [
            ("count=0", Code::InvalidField),
            ("count=1001", Code::InvalidField),
            ("count=", Code::InvalidField),
            ("cursor=", Code::InvalidField),
            ("cursor=-1", Code::InvalidField),
            ("cursor=%2B1", Code::InvalidField),
            ("cursor=18446744073709551616", Code::InvalidField),
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
    fn bytes_that_are_not_utf8_are_shown_in_hex() {
        assert_eq!(shown("k\u{e9}y".as_bytes()), "k\u{e9}y");
        assert_eq!(shown(b"a\xff\xc3b\0"), "a\\xff\\xc3b\0");
    }
}
