//! Who may open a socket, and what it speaks: decided from the request's head alone, before the
//! upgrade, so that a refusal is an HTTP answer.

use http::header::{AUTHORIZATION, HeaderMap, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use shared::auth::Claims;
use shared::path::query_pairs;
use shared::{Code, Error, UserId};

use crate::config::Config;
use crate::protocol::Protocol;

/// A browser cannot set headers on a WebSocket; it can offer subprotocols, one of them this with
/// the token behind it.
const TOKEN_PREFIX: &str = "bearer.";
/// Subprotocols that are looked at; a browser offers two.
const OFFERS_MAX: usize = 16;

/// A handshake that may go on.
#[derive(Debug)]
pub struct Accepted {
    pub user: UserId,
    pub claims: Claims,
    pub protocol: Protocol,
    /// Whether the protocol was offered, and so has to be named in the answer.
    pub is_offered: bool,
}

/// Checks in the order of the contract: 503, 401, 403, 400.
///
/// # Errors
/// Why there is no socket; no text repeats the token.
pub fn check(
    config: &Config,
    headers: &HeaderMap,
    query: Option<&str>,
    now_s: f64,
) -> Result<Accepted, Error> {
    let offers = offers(headers);
    let token = match token(config, headers, &offers, query) {
        Ok(Some(token)) => token,
        // Without a key the answer is the same with and without a token.
        Ok(None) if config.keys.is_empty() => String::new(),
        Ok(None) => return Err(Error::new(Code::Unauthorized, "there is no token")),
        Err(error) => return Err(error),
    };
    let claims = config.keys.verify(&token, now_s)?;
    check_origin(config, headers)?;
    let user = UserId::parse(&claims.sub).map_err(|_| {
        Error::new(Code::Forbidden, "the token's subject is not a user id, so it has no feed")
    })?;
    let (protocol, is_offered) = select(&offers)?;
    Ok(Accepted { user, claims, protocol, is_offered })
}

/// What the client offers, from one header with commas or several, in its order.
fn offers(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let offers = texts.flat_map(|text| text.split(',')).map(str::trim);
    offers.filter(|offer| !offer.is_empty()).take(OFFERS_MAX).collect()
}

fn token(
    config: &Config,
    headers: &HeaderMap,
    offers: &[&str],
    query: Option<&str>,
) -> Result<Option<String>, Error> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let value = value.to_str().unwrap_or_default();
        return match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Ok(Some(token.trim().to_owned()))
            }
            _ => Err(Error::new(Code::Unauthorized, "`Authorization` is not `Bearer <token>`")),
        };
    }
    if let Some(token) = offers.iter().find_map(|offer| offer.strip_prefix(TOKEN_PREFIX)) {
        return Ok(Some(token.to_owned()));
    }
    if config.allow_query_token {
        let pairs = query_pairs(query.unwrap_or_default())?;
        return Ok(pairs.into_iter().find(|(name, _)| name == "access_token").map(|pair| pair.1));
    }
    Ok(None)
}

/// Browsers send `Origin` and let any page open a socket anywhere, so the hub has to look.
fn check_origin(config: &Config, headers: &HeaderMap) -> Result<(), Error> {
    let is_listed =
        |origin: &[u8]| config.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin);
    match headers.get_all(ORIGIN).iter().find(|origin| !is_listed(origin.as_bytes())) {
        None => Ok(()),
        Some(_) => {
            let detail = "connections from this `Origin` are not allowed";
            Err(Error::new(Code::Forbidden, detail))
        }
    }
}

/// The first protocol offered that the hub speaks; raw where none is offered. A browser fails a
/// connection that selects none of its offers, so that is refused with a reason.
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
