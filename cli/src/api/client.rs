//! The HTTP client.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT,
};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, sleep, timeout};

use super::problem::{Problem, retry_after};
use super::repeat::{Attempts, Cause};
use super::{Answer, Call};
use crate::failure::{Failure, Outcome};
use crate::limits::ANSWER_BYTES_MAX;
use crate::secrets::Token;
use crate::tls;

const AGENT: &str = concat!("bellwire/", env!("CARGO_PKG_VERSION"));

/// A client of one server, with one token.
pub struct Api {
    base: String,
    token: Option<Token>,
    timeout: Duration,
    /// When every call ends, whatever its timeout.
    deadline: Option<Instant>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An attempt that was not answered with a success.
struct Unsuccessful {
    cause: Cause,
    failure: Failure,
}

impl Api {
    /// `base` is the server's URL without a slash at its end.
    ///
    /// # Errors
    /// The URL is https, and the system's certificates cannot be loaded.
    pub fn new(base: &str, token: Option<Token>, timeout: Duration) -> Outcome<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(base.starts_with("https:"))?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base: base.to_owned(), token, timeout, deadline: None, client })
    }

    /// The same client, whose calls end at this time at the latest.
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Sends a call until it is answered for good; the answer is a success.
    ///
    /// # Errors
    /// No connection, no answer in time, or a refusal.
    pub async fn send(&self, call: Call) -> Outcome<Answer> {
        let mut attempts = Attempts::new(call.repeat, self.timeout, Instant::now());
        loop {
            let now = Instant::now();
            let time = attempts.time_left(self.timeout, now);
            let time = self
                .deadline
                .map_or(time, |deadline| time.min(deadline.saturating_duration_since(now)));
            let unsuccessful = match timeout(time, self.attempt(&call)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(unsuccessful)) => unsuccessful,
                Err(_) => self.late(&call, time),
            };
            let Unsuccessful { cause, failure } = unsuccessful;
            match attempts.next(cause, Instant::now(), fastrand::f64()) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Unsuccessful> {
        let request = self.request(call).map_err(of_ourselves)?;
        let response =
            self.client.request(request).await.map_err(|error| self.no_connection(call, &error))?;
        self.answer(call, response).await
    }

    fn request(&self, call: &Call) -> Outcome<Request<Full<Bytes>>> {
        let invalid = |_| Failure::usage(format!("{}{} is no URL", self.base, call.path));
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = format!("{}{}", self.base, call.path).parse().map_err(invalid)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header()?);
        }
        if !call.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else if call.method != http::Method::GET {
            // hyper omits it for an empty body, and some servers then answer 411.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        if let Some(key) = &call.idempotency_key {
            let value = HeaderValue::from_str(key)
                .map_err(|_| Failure::usage("the idempotency key is not printable ASCII"))?;
            headers.insert(HeaderName::from_static("idempotency-key"), value);
        }
        Ok(request)
    }

    async fn answer(
        &self,
        call: &Call,
        response: Response<Incoming>,
    ) -> Result<Answer, Unsuccessful> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
            let text = format!("the answer to {} was cut off or is too long", call.shown());
            return Err(unanswered(Failure::unreachable(text)));
        };
        if head.status.is_success() {
            return Ok(Answer { headers: head.headers, body, shown: call.shown() });
        }
        Err(self.refused(call, status, &head.headers, &body))
    }

    fn refused(&self, call: &Call, status: u16, headers: &HeaderMap, body: &[u8]) -> Unsuccessful {
        let token = self.token.as_ref();
        let failure = Problem::parse(body).into_failure(&call.shown(), status, headers, token);
        let cause = Cause::Status(status, retry_after(headers, SystemTime::now()));
        Unsuccessful { cause, failure }
    }

    fn no_connection(&self, call: &Call, error: &ClientError) -> Unsuccessful {
        let (cause, text) = match error.is_connect() {
            true => (Cause::Refused, format!("cannot connect to {}", self.base)),
            false => (Cause::NoAnswer, format!("no answer to {} from {}", call.shown(), self.base)),
        };
        let failure = Failure::unreachable(format!("{text}: {}", innermost(error)));
        let may_be_done = cause == Cause::NoAnswer;
        let failure = Failure { may_be_done, ..failure.hint(unreachable_hint()) };
        Unsuccessful { cause, failure }
    }

    /// `waited` is less than the timeout where a deadline came first.
    fn late(&self, call: &Call, waited: Duration) -> Unsuccessful {
        let seconds = (waited.as_secs_f64() * 10.0).round() / 10.0;
        let text = format!("no answer to {} from {} within {seconds} s", call.shown(), self.base);
        let failure = Failure::unreachable(text).hint("--timeout waits longer");
        unanswered(failure)
    }
}

/// What to do without an answer.
pub fn unreachable_hint() -> &'static str {
    "is it running (`make up`), and are BELLWIRE_URL and BELLWIRE_HUB_URL right? `bellwire doctor` \
     looks at both"
}

/// Nobody knows whether the call was carried out.
fn unanswered(failure: Failure) -> Unsuccessful {
    Unsuccessful { cause: Cause::NoAnswer, failure: Failure { may_be_done: true, ..failure } }
}

fn of_ourselves(failure: Failure) -> Unsuccessful {
    Unsuccessful { cause: Cause::Status(400, None), failure }
}

/// The last cause, which says most: hyper's own texts say only that something failed.
fn innermost(error: &ClientError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Repeat;

    #[tokio::test]
    async fn a_late_answer_names_the_time_that_was_waited() {
        // It accepts, and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = Api::new(&url, None, Duration::from_secs(60)).unwrap();
        let api = api.until(Instant::now() + Duration::from_millis(200));
        let failure = api.send(Call::get("/x").repeat(Repeat::Never)).await.unwrap_err();
        assert!(failure.detail.contains(" within 0."), "{failure}");
    }
}
