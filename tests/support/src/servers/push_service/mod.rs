//! A push service of the tests' own: HTTP/2 over TLS as in production, or HTTP/1.1 without.

mod fcm;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub use crate::servers::certificate::{Certificate, pem};

pub use self::fcm::{
    FCM_PATH, RSA, fcm_error, fcm_message, fcm_ok, fcm_token, service_account, token,
};

/// A request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// From 0.
    pub number: usize,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), delay: Duration::ZERO }
    }

    pub fn json(status: u16, json: &serde_json::Value) -> Self {
        Self { body: json.to_string(), ..Self::status(status) }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TLS and HTTP/2 with a limit of streams.
    Http2 { streams: u32 },
    /// HTTP/1.1 without TLS.
    Plain,
}

struct Shared {
    answer: Box<dyn Fn(&Seen) -> Reply + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    /// Requests in flight by connection, and the most that were.
    open: Mutex<HashMap<usize, usize>>,
    most: AtomicUsize,
    protocol: Protocol,
}

/// The service; ends when it is dropped.
pub struct PushService {
    port: u16,
    shared: Arc<Shared>,
    /// Counted up to make all connections go away gracefully.
    goaway: watch::Sender<usize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl PushService {
    pub async fn start(
        certificate: &Certificate,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(certificate, Protocol::Http2 { streams: 100 }, answer).await
    }

    pub async fn start_with(
        certificate: &Certificate,
        protocol: Protocol,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            most: AtomicUsize::new(0),
            protocol,
        });
        let (goaway, watch) = watch::channel(0);
        let tls = acceptor(certificate);
        let accepting = tokio::spawn(accept(listener, tls, shared.clone(), watch));
        Self { port, shared, goaway, accepting }
    }

    pub fn origin(&self) -> String {
        match self.shared.protocol {
            Protocol::Http2 { .. } => format!("https://localhost:{}", self.port),
            Protocol::Plain => format!("http://127.0.0.1:{}", self.port),
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// The most requests that were in flight on one connection.
    pub fn most_on_a_connection(&self) -> usize {
        self.shared.most.load(SeqCst)
    }

    /// All connections send GOAWAY, and end when their requests have.
    pub fn go_away(&self) {
        self.goaway.send_modify(|n| *n += 1);
    }
}

pub fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(certificate.key.clone()).into();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.der.clone())], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    watch: watch::Receiver<usize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared, watch) = (tls.clone(), shared.clone(), watch.clone());
        tokio::spawn(serve(stream, tls, shared, watch));
    }
}

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    mut watch: watch::Receiver<usize>,
) {
    stream.set_nodelay(true).unwrap();
    let connection = shared.connections.fetch_add(1, SeqCst);
    let (protocol, answering) = (shared.protocol, shared.clone());
    let service = service_fn(move |request| respond(request, answering.clone(), connection));
    watch.mark_unchanged();
    match protocol {
        Protocol::Plain => {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
        Protocol::Http2 { streams } => {
            let Ok(stream) = tls.accept(stream).await else { return };
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new()).max_concurrent_streams(streams);
            let mut serving =
                std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = serving.as_mut() => return,
                _ = watch.changed() => {}
            }
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    connection: usize,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let open = {
        let mut open = shared.open.lock().unwrap();
        let count = open.entry(connection).or_default();
        *count += 1;
        *count
    };
    shared.most.fetch_max(open, SeqCst);
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        // The client gave the request up before it was whole.
        *shared.open.lock().unwrap().entry(connection).or_default() -= 1;
        return Ok(Response::default());
    };
    let seen = {
        let mut all = shared.seen.lock().unwrap();
        let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let number = all.len();
        let seen = Seen { number, path, headers: head.headers, body };
        all.push(seen.clone());
        seen
    };
    let reply = (shared.answer)(&seen);
    tokio::time::sleep(reply.delay).await;
    *shared.open.lock().unwrap().entry(connection).or_default() -= 1;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(Bytes::from(reply.body))).unwrap())
}
