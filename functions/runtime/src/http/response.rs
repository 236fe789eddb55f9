//! A response, and the response for an error.

use shared::Error;

/// One response, sent as a single chunk with `Content-Length`.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for 204 and 304.
    pub body: Vec<u8>,
}

impl Response {
    /// A response with a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// A response with a body of another type than JSON.
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// The response to `GET /healthz`.
    pub fn alive() -> Self {
        Self::json(200, r#"{"status":"ok"}"#)
    }

    /// A response without a body (204, 304).
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header (name in lower case).
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a request header to `Vary`, the headers that the response depends on (RFC 9110
    /// §12.5.5). They share one field line, since some caches read only the first.
    #[must_use]
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
    use shared::Code;

    use super::*;

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
