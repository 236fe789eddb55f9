//! An HTTP client that sends paths unchanged and shows headers as received. It checks the
//! contract's promises for every answer, on every answer of every test.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use shared::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api;
use crate::wait::within;

/// Every answer must arrive within this time.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A client of one server.
#[derive(Clone)]
pub struct Http {
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Whether answers are checked against the contract of the functions' API.
    is_api: bool,
}

impl Http {
    /// A client of the functions: every answer is checked against the contract.
    pub fn api(address: &str) -> Self {
        Self { is_api: true, ..Self::plain(address) }
    }

    /// A client of any other server.
    pub fn plain(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { address: address.to_owned(), client, is_api: false }
    }

    pub fn get(&self, target: &str) -> Call<'_> {
        self.call("GET", target)
    }

    pub fn post(&self, target: &str, body: impl Into<Bytes>) -> Call<'_> {
        self.call("POST", target).body(body)
    }

    /// Sends `target` unchanged, including `//`, `/x/../y` and `/%00`.
    pub fn call(&self, method: &str, target: &str) -> Call<'_> {
        let uri: Uri = format!("http://{}{target}", self.address)
            .parse()
            .unwrap_or_else(|error| panic!("{target}: {error}"));
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = uri;
        Call { http: self, request }
    }

    /// Sends bytes over a separate connection and returns everything received until the server
    /// closes it or `enough` returns true.
    pub async fn raw(&self, bytes: &[u8], enough: impl Fn(&str) -> bool) -> String {
        let (mut read, mut write) = TcpStream::connect(&self.address).await.unwrap().into_split();
        let bytes = bytes.to_vec();
        // Reads at the same time: a server that rejects early does not read everything.
        let writing = tokio::spawn(async move {
            let _ = write.write_all(&bytes).await;
            write
        });
        let work = async {
            let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = read.read(&mut buffer).await {
                answer.extend_from_slice(&buffer[..count]);
                if enough(&String::from_utf8_lossy(&answer)) {
                    break;
                }
            }
            writing.abort();
            String::from_utf8_lossy(&answer).into_owned()
        };
        within(ANSWER_LIMIT, "an answer on a raw connection", work).await
    }

    /// Sends bytes and closes the connection without reading.
    pub async fn send_and_hang_up(&self, bytes: &[u8]) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        // The server closes its side when it has finished with the request.
        let rest = async { while let Ok(1..) = stream.read(&mut [0; 4096]).await {} };
        within(ANSWER_LIMIT, "the server closes the connection", rest).await;
    }
}

/// A request under construction.
pub struct Call<'a> {
    http: &'a Http,
    request: Request<Bytes>,
}

impl Call<'_> {
    /// `Authorization: Bearer …`.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let shown = self.shown();
        self.try_send().await.unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    /// Sends the request to a server that may crash before it answers.
    pub async fn try_send(self) -> Result<Answer, String> {
        let shown = self.shown();
        let is_head = self.request.method() == Method::HEAD;
        let begun = Instant::now();
        let work = async {
            let response = self.http.client.request(self.request.map(Full::new)).await;
            let (head, body) = response.map_err(|error| format!("{error:?}"))?.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            Ok(Answer {
                shown: shown.clone(),
                status: head.status.as_u16(),
                headers: head.headers,
                body,
                took: begun.elapsed(),
            })
        };
        let answer: Result<Answer, String> = within(ANSWER_LIMIT, &shown, work).await;
        if let Ok(answer) = &answer
            && self.http.is_api
        {
            answer.check_contract(is_head);
        }
        answer
    }

    fn shown(&self) -> String {
        format!("{} {}", self.request.method(), self.request.uri())
    }
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// Method and URI of the request.
    pub shown: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

impl Answer {
    /// A header that must be present exactly once.
    pub fn header(&self, name: &str) -> &str {
        let value = self.header_opt(name);
        value.unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    pub fn header_opt(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} stands twice in {self:#?}");
        Some(value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.shown, String::from_utf8_lossy(&self.body));
        self
    }

    /// The answer, which must be this problem.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json()["code"], code, "{}: {}", answer.shown, answer.text());
        answer
    }

    /// The answer, which must have arrived within `limit`.
    #[track_caller]
    pub fn within(self, limit: Duration) -> Self {
        assert!(self.took < limit, "{} took {:?}", self.shown, self.took);
        self
    }

    /// Checks the promises of section 3 for every answer.
    fn check_contract(&self, is_head: bool) {
        assert!(!self.header("x-request-id").is_empty(), "{self:#?}");
        let has_no_body = matches!(self.status, 204 | 304);
        if has_no_body {
            assert!(self.body.is_empty(), "{self:#?}");
            api::check(self, None);
            return;
        }
        let length: usize = self.header("content-length").parse().unwrap();
        if is_head {
            assert!(self.body.is_empty(), "{self:#?}");
            return;
        }
        assert_eq!(length, self.body.len(), "{self:#?}");
        // `data` keeps its bytes, including JSON that this parser cannot represent: 1E400, or half
        // of a surrogate pair.
        let body = serde_json::from_slice::<Value>(&self.body);
        api::check(self, body.as_ref().ok());
        if self.status < 400 {
            // The page for Prometheus is the only one that is not JSON.
            let path = self.shown.split_once("://").map_or("", |(_, rest)| rest);
            let path = path.find('/').map_or("", |at| &path[at..]);
            let expected = match path.split('?').next() {
                Some("/metrics") => "text/plain; version=0.0.4; charset=utf-8",
                _ => "application/json",
            };
            assert_eq!(self.header("content-type"), expected, "{self:#?}");
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:#?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:#?}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{self:#?}");
        }
        let code = problem["code"].as_str().unwrap_or_default();
        let known = Code::ALL.into_iter().find(|known| known.as_str() == code);
        let known = known.unwrap_or_else(|| panic!("unknown code: {self:#?}"));
        assert_eq!(known.status(), self.status, "{self:#?}");
        assert_eq!(self.header_opt("retry-after"), retry_after(code), "{self:#?}");
    }
}

/// The contract's seconds until a client may try again.
fn retry_after(code: &str) -> Option<&'static str> {
    match code {
        "redis_unavailable" | "record_unavailable" | "not_ready" => Some("2"),
        "origin_failed" | "origin_timeout" => Some("5"),
        "auth_not_configured" => Some("30"),
        "auth_unavailable" => Some("5"),
        _ => None,
    }
}
