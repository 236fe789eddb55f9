//! One-time tickets. A browser cannot set headers on a WebSocket or an EventSource, and URLs end up
//! in logs. So the page requests a ticket with its token and puts the ticket into the URL, where it
//! is worthless once used.
//!
//! Tickets are stored in Redis, so that any hub can redeem them. One command reads and deletes a
//! ticket, so exactly one caller gets it. It stores the token's claims, never the token.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use native::redis::Commands;
use parking_lot::Mutex;
use shared::auth::Claims;
use shared::limits::TICKET_TTL_MS;
use shared::{Code, Error, UserId, keys};
use tokio::time::Instant;

use crate::admission::rate_limit::{Rate, Rates};
use crate::limits::{TICKET_BYTES, TICKETS_BURST, TICKETS_PER_S};
use crate::session::token::now_s;

const RATE: Rate = Rate { per_s: TICKETS_PER_S, burst: TICKETS_BURST };
/// Characters of a ticket: base64 encodes three bytes as four characters.
const TICKET_CHARS: usize = TICKET_BYTES / 3 * 4;

pub struct Tickets {
    redis: Arc<Commands>,
    /// Per user. Together with a ticket's lifetime it bounds a user's outstanding tickets.
    // A blocking lock, held for map operations, never across an await.
    rates: Mutex<Rates>,
}

/// The user of a ticket; `exp` is the token's.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketClaims {
    pub user: UserId,
    pub claims: Claims,
}

impl Tickets {
    pub fn new(redis: Arc<Commands>) -> Self {
        Self { redis, rates: Mutex::new(Rates::new(RATE)) }
    }

    /// Issues a ticket for the user of these verified claims.
    ///
    /// # Errors
    /// `forbidden` (not a user's), `rate_limited`, `redis_unavailable`, `internal` (no randomness).
    pub async fn issue(&self, claims: &Claims, now: Instant) -> Result<String, Error> {
        let user = user(claims)?;
        if !self.rates.lock().take(&user, now) {
            let detail = "this user requests tickets too often";
            return Err(Error::new(Code::RateLimited, detail));
        }
        let mut random = [0; TICKET_BYTES];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(Code::Internal, format!("cannot get random bytes: {error}"))
        })?;
        let ticket = BASE64_URL_SAFE_NO_PAD.encode(random);
        // Scopes are removed: a socket needs none.
        let kept = Claims { scope: String::new(), ..claims.clone() };
        let kept = serde_json::to_string(&kept)
            .map_err(|error| Error::new(Code::Internal, format!("claims: {error}")))?;
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(keys::ticket(&ticket)).arg(kept).arg("PX").arg(TICKET_TTL_MS);
        let outcome: redis::RedisResult<()> = self.redis.query(pipeline.ignore()).await;
        outcome.map_err(|error| unavailable(&error))?;
        Ok(ticket)
    }

    /// Redeems a ticket, which cannot be redeemed again, even if the answer from Redis is lost.
    ///
    /// # Errors
    /// `unauthorized` (the ticket is unknown, used or expired), `token_expired` (the token that it
    /// was issued for), `redis_unavailable`.
    pub async fn redeem(&self, ticket: &str) -> Result<TicketClaims, Error> {
        let is_char = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        // Other strings are not worth a round trip, and must not become part of a key.
        if ticket.len() != TICKET_CHARS || !ticket.bytes().all(is_char) {
            return Err(unknown());
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("GETDEL").arg(keys::ticket(ticket));
        let (kept,): (Option<String>,) =
            self.redis.query(&pipeline).await.map_err(|error| unavailable(&error))?;
        let kept = kept.ok_or_else(unknown)?;
        let claims: Claims = serde_json::from_str(&kept).map_err(|error| {
            tracing::warn!(%error, "invalid ticket in Redis");
            unknown()
        })?;
        if claims.accepted_until_s() <= now_s() {
            return Err(Error::new(Code::TokenExpired, "the ticket's token has expired"));
        }
        Ok(TicketClaims { user: user(&claims)?, claims })
    }
}

fn user(claims: &Claims) -> Result<UserId, Error> {
    UserId::parse(&claims.sub).map_err(|_| {
        Error::new(Code::Forbidden, "the token's subject is not a user id, so it has no feed")
    })
}

fn unknown() -> Error {
    Error::new(Code::Unauthorized, "the ticket is unknown, was used, or is older than 30 s")
}

fn unavailable(error: &redis::RedisError) -> Error {
    tracing::debug!(%error, "cannot reach Redis for tickets");
    Error::new(Code::RedisUnavailable, "cannot reach Redis, which stores the tickets")
}
