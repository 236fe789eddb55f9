//! Requests and responses as routes see them: plain data, no streams, no host handles.

pub mod auth;
pub mod cached;
pub mod conditional;
pub mod cors;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::RangeInclusive;
use std::pin::Pin;

use shared::{Code, Error, json, path};

/// Methods that some route takes; everything else is 405 everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Delete,
    Get,
    Options,
    Post,
    Put,
    Other,
}

/// A body that was not read yet.
pub type Body = Box<dyn ReadBody>;

/// Where a request's body comes from: the host, or bytes in a test.
pub trait ReadBody {
    /// The whole body, or `None` if it is longer than `bytes_max`. `declared` is its
    /// `Content-Length`, which the host enforces: a source need not ask for the end behind it.
    ///
    /// # Errors
    /// `bad_json` if the client disconnected or took too long.
    fn read(
        self: Box<Self>,
        bytes_max: usize,
        declared: Option<u64>,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Error>>>>;
}

impl ReadBody for Vec<u8> {
    fn read(
        self: Box<Self>,
        bytes_max: usize,
        _declared: Option<u64>,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Error>>>> {
        Box::pin(async move { Ok((self.len() <= bytes_max).then_some(*self)) })
    }
}

/// One request. `HEAD` arrives as [`Method::Get`]; the body of its answer is dropped at the end.
pub struct Request {
    pub method: Method,
    /// Decoded segments of the path.
    pub segments: Vec<String>,
    /// Raw query string without `?`.
    pub query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Cell<Option<Body>>,
}

impl Request {
    /// # Errors
    /// `invalid_path`.
    pub fn new(
        method: Method,
        target: &str,
        headers: Vec<(String, Vec<u8>)>,
        body: Option<Body>,
    ) -> Result<Self, Error> {
        let (raw_path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self {
            method,
            segments: path::segments(raw_path)?,
            query: query.to_owned(),
            headers,
            body: Cell::new(body),
        })
    }

    /// The segments, to match on.
    pub fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// First value of a header (name in lower case), if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The value of a header (name in lower case) that may stand once.
    ///
    /// # Errors
    /// `invalid_field` when it is not text, or stands twice.
    pub fn header_or_invalid(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.values(name);
        let Some(value) = values.next() else { return Ok(None) };
        match (std::str::from_utf8(value), values.next()) {
            (Ok(value), None) => Ok(Some(value)),
            (Err(_), None) => Err(invalid_header(name, "is not text")),
            (_, Some(_)) => Err(invalid_header(name, "stands twice")),
        }
    }

    /// The value of a header (name in lower case) that is a list, which may come in several fields
    /// (RFC 9110 §5.3); empty where there is none.
    ///
    /// # Errors
    /// `invalid_field` when it is not ASCII.
    pub fn header_list(&self, name: &str) -> Result<Cow<'_, str>, Error> {
        if self.values(name).any(|value| !value.is_ascii()) {
            return Err(invalid_header(name, "is not ASCII"));
        }
        Ok(header_list(&self.headers, name))
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let is_it = move |(known, _): &&(String, Vec<u8>)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| value.as_slice())
    }

    /// Reads the body, at most `bytes_max`; the rest of a longer one is not read.
    ///
    /// # Errors
    /// `payload_too_large`; `bad_json` when the client broke off.
    pub async fn body(&self, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let declared = self.header("content-length").and_then(|text| text.parse::<u64>().ok());
        if declared.is_some_and(|bytes| bytes > bytes_max as u64) {
            return Err(too_large(bytes_max));
        }
        match self.body.take() {
            None => Ok(Vec::new()),
            Some(body) => body.read(bytes_max, declared).await?.ok_or_else(|| too_large(bytes_max)),
        }
    }

    /// Decoded query parameters; each must be in `known` and stand once.
    ///
    /// # Errors
    /// `unknown_field` or `invalid_field`, naming the parameter.
    pub fn query(&self, known: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let pairs = path::query_pairs(&self.query)?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            let (code, problem) = if !known.contains(&name.as_str()) {
                (Code::UnknownField, "is not a parameter of this request")
            } else if pairs.iter().take(at).any(|(earlier, _)| earlier == name) {
                (Code::InvalidField, "stands twice")
            } else {
                continue;
            };
            return Err(Error::field(code, name, format!("`{}` {problem}", name.escape_debug())));
        }
        Ok(pairs)
    }
}

fn invalid_header(name: &str, problem: &str) -> Error {
    Error::field(Code::InvalidField, name, format!("the header `{name}` {problem}"))
}

/// Reads a number of the query: decimal, or any other way to write an integer in JSON.
///
/// # Errors
/// `invalid_field`, naming the parameter and what is allowed.
pub fn number(name: &str, text: &str, range: RangeInclusive<i64>) -> Result<i64, Error> {
    json::integer(text).filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let problem = format!("`{name}` must be an integer from {least} to {most}");
        Error::field(Code::InvalidField, name, problem)
    })
}

/// First value of a header (name in lower case), if it is text.
pub fn header<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

/// All lines of a header whose value is a list, as one. Bytes that are no text are replaced: a list is
/// read word by word, and what is behind them may matter.
pub fn header_list<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Cow<'a, str> {
    let lines = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut lines = lines.map(|(_, value)| String::from_utf8_lossy(value));
    let mut list = lines.next().unwrap_or_default();
    for line in lines {
        list = Cow::Owned(format!("{list}, {line}"));
    }
    list
}

fn too_large(bytes_max: usize) -> Error {
    Error::new(Code::PayloadTooLarge, format!("the body may have at most {bytes_max} bytes"))
}

/// One answer; sent as a single chunk with `Content-Length`.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// The answer of `GET /healthz`.
    pub fn alive() -> Self {
        Self::json(200, r#"{"status":"ok"}"#)
    }

    /// An answer without a body (204, 304).
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a request's header to those that the answer depends on (RFC 9110 §12.5.5), in one field:
    /// some caches read the first only.
    pub fn vary(mut self, header: &'static str) -> Self {
        match self.headers.iter_mut().find(|(name, _)| *name == "vary") {
            Some((_, list)) => {
                list.push_str(", ");
                list.push_str(header);
            }
            None => self.headers.push(("vary", header.to_owned())),
        }
        self
    }
}

impl From<&Error> for Response {
    fn from(error: &Error) -> Self {
        let mut response = Self {
            status: error.code().status(),
            headers: vec![("content-type", "application/problem+json".to_owned())],
            body: error.problem_json().into_bytes(),
        };
        if let Some(allow) = error.allow() {
            response = response.with("allow", allow);
        }
        if let Some(seconds) = error.code().retry_after_s() {
            response = response.with("retry-after", seconds.to_string());
        }
        if error.code().status() == 401 {
            response = response.with("www-authenticate", "Bearer");
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_name_what_is_wrong() {
        let request = |target| Request::new(Method::Get, target, Vec::new(), None).unwrap();
        assert_eq!(request("/x?limit=5").query(&["limit"]).unwrap()[0].1, "5");
        let unknown = request("/x?limt=5").query(&["limit"]).unwrap_err();
        assert_eq!((unknown.code(), unknown.field_name()), (Code::UnknownField, Some("limt")));
        let twice = request("/x?limit=5&limit=6").query(&["limit"]).unwrap_err();
        assert_eq!(twice.code(), Code::InvalidField);
    }

    #[test]
    fn a_header_that_may_stand_once_is_text_and_stands_once() {
        let request = |values: &[&[u8]]| {
            let headers = values.iter().map(|value| ("Key".to_owned(), value.to_vec())).collect();
            Request::new(Method::Get, "/x", headers, None).unwrap()
        };
        assert_eq!(request(&[]).header_or_invalid("key").unwrap(), None);
        assert_eq!(request(&[b"a"]).header_or_invalid("key").unwrap(), Some("a"));
        for bad in [&[&b"\xff"[..]][..], &[b"a", b"a"], &[b"a", b"\xff"]] {
            let error = request(bad).header_or_invalid("key").unwrap_err();
            assert_eq!((error.code(), error.field_name()), (Code::InvalidField, Some("key")));
        }
    }

    #[test]
    fn a_list_may_come_in_several_fields() {
        let list = |values: &[&[u8]]| {
            let headers = values.iter().map(|value| ("Tags".to_owned(), value.to_vec())).collect();
            let request = Request::new(Method::Get, "/x", headers, None).unwrap();
            request.header_list("tags").map(Cow::into_owned)
        };
        assert_eq!(list(&[]).unwrap(), "");
        assert_eq!(list(&[b"a, b"]).unwrap(), "a, b");
        assert_eq!(list(&[b"a", b"", b"b"]).unwrap(), "a, , b");
        for bad in [&b"\xff"[..], "é".as_bytes()] {
            let error = list(&[b"a", bad]).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (Code::InvalidField, Some("tags")));
        }
    }

    #[test]
    fn numbers_of_the_query_are_integers_in_a_range() {
        let number = |text| number("limit", text, 1..=100);
        assert_eq!((number("1"), number("100"), number("20.0")), (Ok(1), Ok(100), Ok(20)));
        for bad in ["", "0", "101", "x", "+7", "007", " 7", "7.5", "99999999999999999999"] {
            let error = number(bad).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (Code::InvalidField, Some("limit")));
        }
    }

    #[test]
    fn errors_carry_the_headers_clients_act_on() {
        let headers = |error: &Error| Response::from(error).headers;
        assert!(headers(&Error::method_not_allowed("GET")).contains(&("allow", "GET".to_owned())));
        let away = Error::new(Code::RedisUnavailable, "");
        assert!(headers(&away).iter().any(|(name, _)| *name == "retry-after"));
        let token = Error::new(Code::TokenExpired, "");
        assert!(headers(&token).contains(&("www-authenticate", "Bearer".to_owned())));
    }
}
