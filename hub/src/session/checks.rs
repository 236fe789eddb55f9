//! Decides which clients may open a socket or an event stream, and the protocol. Decided from the
//! request's head before any answer, so that a rejection is an HTTP answer.

use http::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use native::http::bearer;
use shared::{Code, Error, UserId};

use crate::config::Config;
use crate::http::refusal_reason::{Reason, Refused};
use crate::protocol::Protocol;
use crate::session::allowed_origins;
use crate::users::resume::Cursor;

/// Prefix of the subprotocol that contains the token: a browser cannot set headers on a WebSocket,
/// but can offer subprotocols.
const TOKEN_PREFIX: &str = "bearer.";
/// Subprotocols considered; a browser offers two.
const OFFERS_MAX: usize = 16;
/// Sent by an `EventSource` that reconnects.
const LAST_EVENT_ID: &str = "last-event-id";

/// The kind of connection that notifications are sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    /// Server-sent events.
    Events,
}

/// The credential of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub enum Credential {
    Token(String),
    /// A one-time ticket from `POST /ws/ticket`.
    Ticket(String),
}

/// The authenticated user, and the end of the token's validity (seconds since the Unix epoch,
/// leeway included).
#[derive(Clone, Debug)]
pub struct Bearer {
    pub sub: String,
    pub accepted_until_s: f64,
}

/// An accepted handshake.
#[derive(Debug)]
pub struct Accepted {
    pub(crate) user: UserId,
    pub(crate) protocol: Protocol,
    /// Whether the protocol was offered, and therefore has to be named in the answer.
    pub(crate) is_offered: bool,
    pub(crate) cursor: Option<Cursor>,
}

/// The decoded pairs of a query.
pub(crate) type Query = [(String, String)];

/// The client's credential. Without a key, the answer is the same with and without a token, so an
/// empty one is returned.
///
/// # Errors
/// The credential is missing or malformed.
pub fn credential(
    config: &Config,
    headers: &HeaderMap,
    query: &Query,
) -> Result<Credential, Refused> {
    match token(config, headers, query) {
        Ok(Some(token)) => Ok(Credential::Token(token)),
        Ok(None) if config.keys.is_empty() => Ok(Credential::Token(String::new())),
        Ok(None) => match value(query, "ticket") {
            Some(ticket) => Ok(Credential::Ticket(ticket.to_owned())),
            None => Err(no_token(Error::new(Code::Unauthorized, "the token is missing"))),
        },
        Err(error) => Err(no_token(error)),
    }
}

fn no_token(error: Error) -> Refused {
    Reason::NoToken.because(error)
}

/// The user whom a token authenticates.
///
/// # Errors
/// The token is invalid; no text repeats it.
pub(crate) fn verify(config: &Config, token: &str, now_s: f64) -> Result<Bearer, Refused> {
    let claims = config.keys.verify(token, now_s).map_err(Reason::of_token)?;
    let accepted_until_s = claims.accepted_until_s();
    Ok(Bearer { sub: claims.sub, accepted_until_s })
}

/// The remaining checks, in the order of the API contract: 403, then 400.
///
/// # Errors
/// Why the handshake is rejected.
pub fn check(
    config: &Config,
    transport: Transport,
    headers: &HeaderMap,
    query: &Query,
    bearer: &Bearer,
) -> Result<Accepted, Refused> {
    allowed_origins::check(&config.allowed_origins, headers)
        .map_err(|error| Reason::Origin.because(error))?;
    let user = UserId::parse(&bearer.sub).map_err(|_| {
        let detail = "the token's subject is not a user id, so it has no feed";
        Reason::Subject.because(Error::new(Code::Forbidden, detail))
    })?;
    let (protocol, is_offered) = match transport {
        Transport::WebSocket => {
            select(&offers(headers)).map_err(|error| Reason::Protocol.because(error))?
        }
        Transport::Events => (Protocol::Events, false),
    };
    // The id of the last event received is newer than the query in the URL.
    let cursor = match headers.get(LAST_EVENT_ID).filter(|_| transport == Transport::Events) {
        Some(id) if !id.is_empty() => Some(Cursor::from_event_id(id.as_bytes())),
        _ => Cursor::from_query(query).map_err(|error| Reason::Query.because(error))?,
    };
    Ok(Accepted { user, protocol, is_offered, cursor })
}

/// The offered subprotocols in order, from one or several headers.
fn offers(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let offers = texts.flat_map(|text| text.split(',')).map(str::trim);
    offers.filter(|offer| !offer.is_empty()).take(OFFERS_MAX).collect()
}

fn value<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn token(config: &Config, headers: &HeaderMap, query: &Query) -> Result<Option<String>, Error> {
    if let Some(token) = bearer(headers)? {
        return Ok(Some(token.to_owned()));
    }
    if let Some(token) = offers(headers).iter().find_map(|offer| offer.strip_prefix(TOKEN_PREFIX)) {
        return Ok(Some(token.to_owned()));
    }
    if config.allow_query_token {
        return Ok(value(query, "access_token").map(str::to_owned));
    }
    Ok(None)
}

/// The first offered protocol that the hub supports; raw if none is offered. A browser fails a
/// connection whose answer selects none of its offers, so the hub rejects that with a reason.
fn select(offers: &[&str]) -> Result<(Protocol, bool), Error> {
    if offers.is_empty() {
        return Ok((Protocol::Raw, false));
    }
    match offers.iter().find_map(|offer| Protocol::from_name(offer)) {
        Some(protocol) => Ok((protocol, true)),
        None => Err(Error::field(
            Code::InvalidField,
            "Sec-WebSocket-Protocol",
            "offer bellwire.v1 or bellwire.raw beside the token",
        )),
    }
}

#[cfg(test)]
mod tests;
