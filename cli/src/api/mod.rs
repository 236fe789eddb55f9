//! Calls of the functions and of the hub over HTTP: deadlines, problems as failures, and repeats of
//! calls that may be repeated.

mod client;
mod path;
mod problem;
mod repeat;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Outcome};
use crate::limits::{ATTEMPTS_MAX, LOAD_ATTEMPTS_MAX, LOAD_TIMEOUTS_MAX, TIMEOUTS_MAX};

pub use client::{Api, unreachable_hint};
pub use path::{join, query};
pub use problem::{Problem, retry_after};

/// How often a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once: another attempt could do it twice.
    Never,
    /// Until there is an answer that stays the same.
    Some,
    /// The same, through minutes of an outage.
    Long,
}

impl Repeat {
    fn attempts_max(self) -> u32 {
        match self {
            Repeat::Never => 1,
            Repeat::Some => ATTEMPTS_MAX,
            Repeat::Long => LOAD_ATTEMPTS_MAX,
        }
    }

    /// For all attempts together.
    fn deadline(self, timeout: Duration) -> Duration {
        match self {
            Repeat::Never => timeout,
            Repeat::Some => timeout * TIMEOUTS_MAX,
            Repeat::Long => timeout * LOAD_TIMEOUTS_MAX,
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    /// Below the base URL, with its query.
    path: String,
    body: Bytes,
    idempotency_key: Option<String>,
    repeat: Repeat,
}

impl Call {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Repeat::Some)
    }

    /// A write that has the same effect when it is repeated.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path, Repeat::Some)
    }

    /// See [`Call::put`].
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, Repeat::Some)
    }

    /// Sent once, unless [`Call::repeatable`] or [`Call::key`] says otherwise.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, Repeat::Never)
    }

    fn new(method: Method, path: impl Into<String>, repeat: Repeat) -> Self {
        let (path, body, idempotency_key) = (path.into(), Bytes::new(), None);
        Self { method, path, body, idempotency_key, repeat }
    }

    /// Repeating it has no further effect.
    pub fn repeatable(self) -> Self {
        self.repeat(Repeat::Some)
    }

    pub fn repeat(self, repeat: Repeat) -> Self {
        Self { repeat, ..self }
    }

    /// With an idempotency key it can be repeated.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: Some(key.into()), ..self }.repeatable()
    }

    /// # Errors
    /// The value is no JSON, which does not happen.
    pub fn json(self, body: &impl Serialize) -> Outcome<Self> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(self.body(body))
    }

    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn shown(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Method and path of the call.
    shown: String,
}

impl Answer {
    /// The body as text.
    ///
    /// # Errors
    /// It is none.
    pub fn text(&self) -> Outcome<&str> {
        std::str::from_utf8(&self.body).map_err(|_| self.odd(&"it is not UTF-8"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none, or has another shape: another version answered, or another program.
    pub fn json<T: DeserializeOwned>(&self) -> Outcome<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.odd(&error))
    }

    fn odd(&self, problem: &dyn std::fmt::Display) -> Failure {
        Failure::failed(format!("the answer to {} makes no sense: {problem}", self.shown))
            .hint("is this Bellwire, and of this version? `bellwire doctor` compares them")
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
