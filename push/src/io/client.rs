//! Requests to all services: one deadline, no redirects, a bounded answer.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::connect::ConnectError;
use super::connection::SendError;
use super::dns::Filter;
use super::host::Host;
use super::tls::{self, Roots};
use crate::limits::HOSTS_MAX;
use crate::origin::Origin;
use crate::outcome::Answer;
use crate::retry_after;

const US: HeaderValue =
    HeaderValue::from_static(concat!("bellwire-push/", env!("CARGO_PKG_VERSION")));
/// A request that was certainly not processed is sent again at once, this often.
const RESENDS_MAX: usize = 2;

/// A request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The service cannot be reached. Nothing was sent.
    Unreachable { error: ConnectError, wait: Duration },
    /// No answer in time. `is_sent`: the service may have processed it.
    Late { is_sent: bool },
    /// The connection broke.
    Broken { is_sent: bool },
    /// Path or headers are invalid.
    Invalid,
}

/// An answer.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer { status: self.status, retry_after: self.retry_after, body: &self.body }
    }
}

pub(crate) struct Client {
    tls: Arc<ClientConfig>,
    connections: usize,
    hosts: Mutex<HashMap<(Origin, u8), Arc<Host>>>,
}

impl Client {
    pub(crate) fn new(roots: &Roots, connections: usize) -> io::Result<Self> {
        Ok(Self { tls: tls::config(roots)?, connections, hosts: Mutex::default() })
    }

    /// Open connections to all hosts.
    pub(crate) fn open_connections(&self) -> usize {
        let hosts: Vec<_> = self.hosts.lock().values().cloned().collect();
        hosts.iter().map(|host| host.open_connections()).sum()
    }

    fn host(&self, origin: &Origin, filter: Filter) -> Arc<Host> {
        let mut hosts = self.hosts.lock();
        // Connections that were checked differently are not shared.
        let key = (origin.clone(), filter as u8);
        if let Some(host) = hosts.get(&key) {
            return host.clone();
        }
        if hosts.len() >= HOSTS_MAX {
            let oldest = hosts.iter().min_by_key(|(_, host)| host.used());
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                hosts.remove(&oldest);
            }
        }
        let host = Arc::new(Host::new(origin.clone(), filter, self.connections));
        hosts.insert(key, host.clone());
        host
    }

    /// Posts to a path, and reads the answer to its end, all within `deadline`.
    pub(crate) async fn post(
        &self,
        origin: &Origin,
        filter: Filter,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Received, Failure> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        let uri = format!("{origin}{path}").parse().map_err(|_| Failure::Invalid)?;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert(USER_AGENT, US);
        let host = self.host(origin, filter);
        let mut is_sent = false;
        match timeout(deadline, self.exchange(&host, request, &mut is_sent)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Late { is_sent }),
        }
    }

    async fn exchange(
        &self,
        host: &Arc<Host>,
        mut request: Request<Bytes>,
        is_sent: &mut bool,
    ) -> Result<Received, Failure> {
        for _ in 0..=RESENDS_MAX {
            let place = host
                .place(&self.tls)
                .await
                .map_err(|error| Failure::Unreachable { error, wait: host.unreachable_for() })?;
            // Dropped by the deadline, it counts as an answer that did not come.
            let mut waiting = Waiting { place: &place, is_answered: false };
            *is_sent = true;
            let sent = place.connection.send(request).await;
            waiting.is_answered = true;
            let response = match sent {
                Ok(response) => response,
                Err(SendError::NotSent(unsent)) => {
                    *is_sent = false;
                    request = *unsent;
                    continue;
                }
                Err(SendError::Refused) => return Err(Failure::Broken { is_sent: false }),
                Err(SendError::Broken) => return Err(Failure::Broken { is_sent: true }),
            };
            let status = response.status().as_u16();
            let header = response.headers().get(RETRY_AFTER);
            let retry_after =
                header.and_then(|value| retry_after::parse(value.as_bytes(), SystemTime::now()));
            // A body that is cut off or too long is classified by its status.
            return Ok(Received { status, retry_after, body: response.into_body() });
        }
        Err(Failure::Broken { is_sent: false })
    }
}

struct Waiting<'a> {
    place: &'a super::host::Place,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.place.connection.answered(self.is_answered);
    }
}
