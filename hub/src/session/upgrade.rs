//! `GET /ws/notifications` and `GET /sse/notifications`: turns a request's head into an open
//! socket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Version};
use native::http::RequestId;
use sha1_smol::Sha1;
use shared::path::query_pairs;
use shared::{Code, Error};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::admission::{ConnectionPermit, SocketPermit};
use crate::config::Config;
use crate::http::refusal_reason::{Reason, Refused};
use crate::http::request_head::RequestHead;
use crate::limits::CLIENT_FRAME_BYTES_MAX;
use crate::protocol::Protocol;
use crate::session::allowed_origins;
use crate::session::checks::{self, Accepted, Bearer, Credential, Transport};
use crate::session::member::{Member, SocketGuard};
use crate::session::state::App;
use crate::session::token::{self, Authority, now_s};
use crate::socket::connection::Connection;
use crate::socket::keepalive::Keepalive;
use crate::socket::task::SocketTask;

/// Time that a handshake waits for the user's position. After it the socket is accepted anyway:
/// messages are held, and the welcome follows when the position is known.
const POSITION_DEADLINE: Duration = Duration::from_secs(3);

/// Appended to a handshake's key before hashing (RFC 6455 §1.3).
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of a handshake's key (RFC 6455 §4.1).
const NONCE_BYTES: usize = 16;

/// A connection with its peer address and its permit.
pub(crate) struct Visitor {
    pub(crate) stream: TcpStream,
    pub(crate) peer: IpAddr,
    pub(crate) permit: ConnectionPermit,
}

/// A rejected connection. It counts against the limits until it is closed.
pub(crate) struct Rejected {
    pub(crate) stream: TcpStream,
    pub(crate) permit: ConnectionPermit,
    pub(crate) refused: Refused,
}

/// The kind of connection that a path opens, if any.
pub fn transport(head: &RequestHead) -> Option<Transport> {
    let transport = match head.path.as_str() {
        "/ws/notifications" => Transport::WebSocket,
        "/sse/notifications" => Transport::Events,
        _ => return None,
    };
    (head.method == Method::GET && !head.has_body()).then_some(transport)
}

/// Checks the request, adds the socket to its user, answers, and runs the socket to its end.
/// `early` holds the bytes that followed the head.
///
/// # Errors
/// The rejection, and the connection to answer on.
pub(crate) async fn open(
    app: &Arc<App>,
    transport: Transport,
    head: &RequestHead,
    id: &RequestId,
    visitor: Visitor,
    early: Vec<u8>,
) -> Result<(), Rejected> {
    let Visitor { stream, peer, mut permit } = visitor;
    let forwarded = head.headers.get_all(app.config.admission.trusted_proxies.header_name());
    let client = app.admission.client(peer, forwarded.iter().map(HeaderValue::as_bytes));
    if let Err(refused) = app.admission.handshake(&mut permit, client) {
        return Err(Rejected { stream, permit, refused });
    }
    let (accepted, bearer, accept_key, socket_permit) = match check(app, transport, head).await {
        Ok(checked) => checked,
        Err(refused) => return Err(Rejected { stream, permit, refused }),
    };
    if app.registry.is_draining() {
        let error = Error::new(Code::NotReady, "the hub is shutting down");
        return Err(Rejected { stream, permit, refused: Reason::Draining.because(error) });
    }
    let Accepted { user, protocol, is_offered, cursor } = accepted;
    let expires_at = token::expiry(bearer.accepted_until_s);
    let interval = app.config.pace.ping_interval;
    let keepalive = Keepalive::new(Instant::now(), interval, expires_at, protocol.is_websocket());
    let (metrics, queued) = (app.metrics.clone(), app.queued.clone());
    let connection =
        Connection::new(stream, app.next_socket(), protocol, keepalive, metrics, queued);
    let socket = connection.id;
    // Links the request's id to the socket's number. The socket keeps no span, which would cost
    // every idle socket memory.
    tracing::debug!(request = %id, socket, %user, protocol = protocol.name(), "socket is open");
    let mut membership = match app.registry.join(user, connection.clone(), cursor) {
        Ok(membership) => membership,
        // The hub has just begun to shut down; the connection is dropped without an answer.
        Err(error) => {
            let refused = Reason::Draining.because(error);
            app.refusals.refused(&refused, head.headers.get(ORIGIN), id);
            return Ok(());
        }
    };
    if timeout(POSITION_DEADLINE, membership.ready()).await.is_err() {
        tracing::debug!(socket, "accepting a socket before its position is known");
    }
    let answer = match transport {
        Transport::WebSocket => {
            switching_protocols(&accept_key, is_offered.then_some(protocol), id)
        }
        Transport::Events => event_stream(&app.config, head, id),
    };
    connection.open(answer.into());
    app.wheel.add(&connection, connection.due());
    let authority = Authority::new(app.config.clone());
    let member = Member::new(membership, authority, app.wheel.clone());
    let socket = SocketTask::new(connection, member, CLIENT_FRAME_BYTES_MAX);
    let guard = SocketGuard::new(app.metrics.clone(), protocol, (permit, socket_permit));
    app.sessions.spawn(socket.run(early).map(|end| guard.end(end)));
    Ok(())
}

async fn check(
    app: &App,
    transport: Transport,
    head: &RequestHead,
) -> Result<(Accepted, Bearer, String, SocketPermit), Refused> {
    let query = query_pairs(head.query.as_deref().unwrap_or_default())
        .map_err(|error| Reason::Query.because(error))?;
    let config = &app.config;
    let bearer = match checks::credential(config, &head.headers, &query)? {
        Credential::Token(token) => {
            config.keys.prepare(&token).await;
            checks::verify(config, &token, now_s())?
        }
        Credential::Ticket(ticket) => {
            let redeemed = app.tickets.redeem(&ticket).await;
            let claims = redeemed.map_err(Reason::of_ticket)?.claims;
            app.metrics.ticket_redeemed();
            Bearer { accepted_until_s: claims.accepted_until_s(), sub: claims.sub }
        }
    };
    let accepted = checks::check(config, transport, &head.headers, &query, &bearer)?;
    let accept_key = match transport {
        Transport::WebSocket => accept_key(head).map_err(|error| Reason::Upgrade.because(error))?,
        Transport::Events => String::new(),
    };
    let permit = app.admission.socket(&accepted.user)?;
    Ok((accepted, bearer, accept_key, permit))
}

/// The answer to a WebSocket handshake (RFC 6455 §4.2.2).
pub fn switching_protocols(accept_key: &str, protocol: Option<Protocol>, id: &RequestId) -> String {
    let protocol = protocol.map_or_else(String::new, |protocol| {
        format!("sec-websocket-protocol: {}\r\n", protocol.name())
    });
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept_key}\r\n{protocol}x-request-id: {id}\r\n\r\n"
    )
}

/// The head of an event stream's answer. The body has no length and ends with the connection
/// (RFC 9112 §6.3).
fn event_stream(config: &Config, head: &RequestHead, id: &RequestId) -> String {
    let mut shared = HeaderMap::new();
    allowed_origins::share(&config.allowed_origins, &head.headers, &mut shared);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\
         connection: close\r\nx-accel-buffering: no\r\n{}x-request-id: {id}\r\n\r\n",
        lines(&shared)
    )
}

/// Headers as lines.
fn lines(headers: &HeaderMap) -> String {
    let mut lines = String::new();
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        lines.push_str(&format!("{name}: {value}\r\n"));
    }
    lines
}

/// Returns the `Sec-WebSocket-Accept` value, after the checks of RFC 6455 §4.2.1 that were not made
/// before.
///
/// # Errors
/// The request is not a handshake.
pub fn accept_key(head: &RequestHead) -> Result<String, Error> {
    let has = |name: HeaderName, word: &str| {
        let values = head.headers.get_all(name).into_iter();
        let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        words.any(|text| text.trim().eq_ignore_ascii_case(word))
    };
    if head.version != Version::HTTP_11 || !has(CONNECTION, "upgrade") || !has(UPGRADE, "websocket")
    {
        return Err(not_a_websocket("this path takes WebSocket handshakes only"));
    }
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_a_websocket("the WebSocket version must be 13"));
    }
    let mut keys = head.headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(not_a_websocket("there must be one `Sec-WebSocket-Key`"));
    };
    if BASE64.decode(key.as_bytes()).map_or(0, |nonce| nonce.len()) != NONCE_BYTES {
        return Err(not_a_websocket("`Sec-WebSocket-Key` is not 16 bytes in base64"));
    }
    Ok(BASE64.encode(Sha1::from([key.as_bytes(), ACCEPT_GUID].concat()).digest().bytes()))
}

fn not_a_websocket(detail: &str) -> Error {
    Error::field(Code::InvalidField, "Upgrade", detail)
}

/// A rejection in bytes, for a connection without an HTTP server. It always names the supported
/// WebSocket version (RFC 6455 §4.4). A listed page may read the answer to `request`, if there is
/// one: a stream read with `fetch` then learns why it was rejected.
pub(crate) fn refusal(
    error: &Error,
    id: &RequestId,
    request: Option<(&Config, &HeaderMap)>,
) -> Bytes {
    let (mut parts, body) = native::http::problem::problem(error).into_parts();
    if let Some((config, headers)) = request {
        allowed_origins::share(&config.allowed_origins, headers, &mut parts.headers);
    }
    let text = format!(
        "HTTP/1.1 {}\r\n{}sec-websocket-version: 13\r\nx-request-id: {id}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        parts.status,
        lines(&parts.headers),
        body.len()
    );
    text.into()
}
