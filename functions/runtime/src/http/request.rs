//! A request: method, path, query, headers and a body that is read on demand.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::RangeInclusive;
use std::pin::Pin;

use shared::limits::REQUEST_BYTES_MAX;
use shared::{Code, Error, json, path};

/// The method of a request (RFC 9110 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `DELETE`.
    Delete,
    /// `GET` or `HEAD`.
    Get,
    /// `OPTIONS`. CORS preflights are answered before the route is called.
    Options,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// Any other method. No route accepts one, so the response is always 405.
    Other,
}

/// The future of [`ReadBody::read`].
pub type ReadingBody = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Error>>>>;

/// A request body that has not been read yet.
pub type Body = Box<dyn ReadBody>;

/// The source of a request body: the host, or the bytes of a test.
pub trait ReadBody {
    /// The whole body, or `None` if it is longer than `bytes_max`. `declared` is its
    /// `Content-Length` in bytes. The host enforces it, so a source may stop there without asking
    /// for the end of the stream.
    ///
    /// # Errors
    /// `bad_json` if the client disconnected or took too long.
    fn read(self: Box<Self>, bytes_max: usize, declared: Option<u64>) -> ReadingBody;
}

impl ReadBody for Vec<u8> {
    fn read(self: Box<Self>, bytes_max: usize, _declared: Option<u64>) -> ReadingBody {
        Box::pin(async move { Ok((self.len() <= bytes_max).then_some(*self)) })
    }
}

/// One request. `HEAD` arrives as [`Method::Get`]; [`crate::entry::serve`] drops the body of its
/// response.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Decoded segments of the path.
    pub segments: Vec<String>,
    /// Raw query string without `?`.
    pub query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Cell<Option<Body>>,
}

impl Request {
    /// A request for `target`, a path with an optional query. Components are given theirs; tests
    /// build their own.
    ///
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

    /// The decoded segments of the path, for a `match`.
    pub fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// First value of a header (name in lower case); `None` if it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The value of a header (name in lower case) that may appear once; `None` if it is missing.
    ///
    /// # Errors
    /// `invalid_field` if it is not text or appears more than once.
    pub fn header_or_invalid(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.values(name);
        let Some(value) = values.next() else { return Ok(None) };
        match (std::str::from_utf8(value), values.next()) {
            (Ok(value), None) => Ok(Some(value)),
            (Err(_), None) => Err(invalid_header(name, "is not text")),
            (_, Some(_)) => Err(invalid_header(name, "stands twice")),
        }
    }

    /// The value of a list header (name in lower case), with several field lines joined to one
    /// (RFC 9110 §5.3); empty if it is missing.
    ///
    /// # Errors
    /// `invalid_field` if it is not ASCII.
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

    /// The body, at most `bytes_max` bytes; the rest of a longer body is not read. Empty if there
    /// is none or it was read before.
    ///
    /// ```
    /// use runtime::{App, Error, Request, Response};
    /// use shared::json::Object;
    ///
    /// /// Takes `{"name": …}`; any other member is an error.
    /// async fn greet(_app: &App, request: &Request) -> Result<Response, Error> {
    ///     let body = request.body(4096).await?;
    ///     let mut object = Object::parse(&body)?;
    ///     let name = object.string("name")?.ok_or_else(|| object.missing("name"))?;
    ///     object.finish()?;
    ///     Ok(Response::json(200, serde_json::json!({ "hello": name }).to_string()))
    /// }
    /// ```
    ///
    /// # Errors
    /// `payload_too_large`; `bad_json` if the client disconnected or took too long.
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

    /// Rejects a body that says anything, for a route that takes none: the caller expects it to have
    /// an effect. An empty object says nothing.
    ///
    /// # Errors
    /// `payload_too_large`; `bad_json`; `unknown_field`, naming the member.
    pub async fn no_body(&self) -> Result<(), Error> {
        let body = self.body(REQUEST_BYTES_MAX).await?;
        if body.is_empty() { Ok(()) } else { json::Object::parse(&body)?.finish() }
    }

    /// The decoded query parameters, in their order. Each must be in `known` and may appear once.
    ///
    /// ```
    /// use runtime::http::number;
    /// use runtime::{Code, Method, Request};
    ///
    /// let request = Request::new(Method::Get, "/items?limit=20", Vec::new(), None)?;
    /// for (name, value) in request.query(&["cursor", "limit"])? {
    ///     if name == "limit" {
    ///         assert_eq!(number("limit", &value, 1..=100)?, 20);
    ///     }
    /// }
    ///
    /// let error = request.query(&["cursor"]).unwrap_err();
    /// assert_eq!((error.code(), error.field_name()), (Code::UnknownField, Some("limit")));
    /// # Ok::<(), runtime::Error>(())
    /// ```
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

/// The number in the query parameter `name`: decimal, or any other notation of an integer in JSON.
///
/// # Errors
/// `invalid_field`, naming the parameter and the range.
pub fn number(name: &str, text: &str, range: RangeInclusive<i64>) -> Result<i64, Error> {
    json::integer(text).filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let problem = format!("`{name}` must be an integer from {least} to {most}");
        Error::field(Code::InvalidField, name, problem)
    })
}

/// First value of a header (name in lower case); `None` if it is missing or not text.
pub(crate) fn header<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

/// The value of a list header, its field lines joined to one. Bytes that are not text are replaced:
/// a list is read word by word, and the words after such bytes may matter.
pub(crate) fn header_list<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Cow<'a, str> {
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
    fn a_header_that_may_appear_once_is_text_and_appears_once() {
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
}
