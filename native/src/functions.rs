//! Calls of the functions over HTTP: a deadline, a bounded answer, and the token of a file, which
//! is read before each call.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;

use crate::http_client::{self, HttpClient, chain};
use crate::token_file;

/// Where the functions are.
#[derive(Clone, Debug)]
pub struct FunctionsConfig {
    /// Their URL without a slash at its end.
    pub base: String,
    /// The file with the token for them.
    pub token_file: PathBuf,
}

/// Why a call failed. No text contains the token.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The token file cannot be read.
    #[error("cannot read the token file: {0}")]
    TokenFile(#[from] io::Error),
    /// The token file holds none.
    #[error("the token file is empty or holds an invalid token")]
    NoToken,
    /// No connection, or it broke before the answer.
    #[error("cannot reach the functions: {}", chain(.0))]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// The answer was cut off or is too long.
    #[error("the answer was cut off or is too long")]
    Broken,
    /// The functions answered an error.
    #[error("the functions answered {0}")]
    Refused(StatusCode),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The base URL with the path is not a URI.
    #[error("the functions' URL is invalid")]
    InvalidUrl,
}

impl CallError {
    /// Whether the same call would be refused again: only an operator can mend it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            CallError::TokenFile(_) | CallError::NoToken | CallError::InvalidUrl => true,
            CallError::Refused(status) => status.is_client_error(),
            _ => false,
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Below the base URL, beginning with a slash.
    pub path: &'a str,
    /// JSON, or nothing.
    pub body: Bytes,
    /// For the whole call.
    pub deadline: Duration,
    /// Size limit of the answer.
    pub answer_bytes_max: usize,
}

/// A client of the functions.
pub struct Functions {
    config: FunctionsConfig,
    agent: HeaderValue,
    client: HttpClient,
}

impl Functions {
    /// `agent` is the program's name and version.
    ///
    /// # Errors
    /// The URL is https, and the system's certificates cannot be loaded.
    pub fn new(config: FunctionsConfig, agent: &'static str) -> io::Result<Self> {
        let client = http_client::new(config.base.starts_with("https:"))?;
        Ok(Self { config, agent: HeaderValue::from_static(agent), client })
    }

    /// Posts, and reads the answer to its end.
    ///
    /// # Errors
    /// No answer in time, or one that is not a success.
    pub async fn post(&self, call: Call<'_>) -> Result<Bytes, CallError> {
        let deadline = call.deadline;
        match timeout(deadline, self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Late(deadline)),
        }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Bytes, CallError> {
        let token = token_file::read(&self.config.token_file).await?.ok_or(CallError::NoToken)?;
        let uri = format!("{}{}", self.config.base, call.path);
        let length = call.body.len();
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.parse().map_err(|_| CallError::InvalidUrl)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token);
        // hyper omits it for an empty body, and some servers then answer 411.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if length > 0 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(USER_AGENT, self.agent.clone());
        let response = self.client.request(request).await?;
        let status = response.status();
        // Read to the end, so that the connection can be reused.
        let body = Limited::new(response.into_body(), call.answer_bytes_max);
        let body = body.collect().await.map_err(|_| CallError::Broken)?.to_bytes();
        if !status.is_success() {
            return Err(CallError::Refused(status));
        }
        Ok(body)
    }
}
