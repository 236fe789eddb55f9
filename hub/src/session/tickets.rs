//! One-time tickets: a browser cannot set headers on a WebSocket or an EventSource, and what stands in
//! a URL ends up in logs. So it asks for a ticket with its token, and the URL holds the ticket, which is
//! worth nothing when somebody reads it later.
//!
//! They lie in Redis, so that any hub redeems what any hub gave; taking one and deleting it is one
//! command, so exactly one does. What lies there are the claims, never the token.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use shared::auth::Claims;
use shared::limits::TICKET_TTL_MS;
use shared::{Code, Error, UserId, keys};
use tokio::time::Instant;

use crate::admission::rate_limit::{Rate, Rates};
use crate::limits::{TICKET_BYTES, TICKETS_BURST, TICKETS_PER_S};
use crate::redis::commands::Commands;
use crate::session::token::now_s;

const RATE: Rate = Rate { per_s: TICKETS_PER_S, burst: TICKETS_BURST };
/// Characters of a ticket: base64 makes four of three bytes.
const TICKET_CHARS: usize = TICKET_BYTES / 3 * 4;

pub struct Tickets {
    redis: Arc<Commands>,
    /// Of users. What a user may have outstanding is what this lets through within a ticket's life.
    // A plain lock: held for map work, never across an await.
    rates: Mutex<Rates>,
}

/// Whom a ticket lets in, and until when: `exp` is the token's.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketClaims {
    pub user: UserId,
    pub claims: Claims,
}

impl Tickets {
    pub fn new(redis: Arc<Commands>) -> Self {
        Self { redis, rates: Mutex::new(Rates::new(RATE)) }
    }

    /// A ticket for whom these claims, which were verified, are about.
    ///
    /// # Errors
    /// `forbidden` (no user), `rate_limited`, `redis_unavailable`, `internal` (no randomness).
    pub async fn issue(&self, claims: &Claims, now: Instant) -> Result<String, Error> {
        let user = user(claims)?;
        if !self.rates.lock().take(&user, now) {
            let detail = "this user asks for tickets too often";
            return Err(Error::new(Code::RateLimited, detail));
        }
        let mut random = [0; TICKET_BYTES];
        getrandom::fill(&mut random)
            .map_err(|error| Error::new(Code::Internal, format!("no randomness: {error}")))?;
        let ticket = BASE64_URL_SAFE_NO_PAD.encode(random);
        // Scopes stay behind: a socket needs none.
        let kept = Claims { scope: String::new(), ..claims.clone() };
        let kept = serde_json::to_string(&kept)
            .map_err(|error| Error::new(Code::Internal, format!("claims: {error}")))?;
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(keys::ticket(&ticket)).arg(kept).arg("PX").arg(TICKET_TTL_MS);
        let outcome: redis::RedisResult<()> = self.redis.query(pipeline.ignore()).await;
        outcome.map_err(|error| unavailable(&error))?;
        Ok(ticket)
    }

    /// Takes a ticket, which nobody can take again; also when the answer is lost on its way.
    ///
    /// # Errors
    /// `unauthorized` (there is no such ticket, or not any more), `token_expired` (the token that it was
    /// given for), `redis_unavailable`.
    pub async fn redeem(&self, ticket: &str) -> Result<TicketClaims, Error> {
        let is_char = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        // Whatever else stands there is not worth a round trip, and never part of a key.
        if ticket.len() != TICKET_CHARS || !ticket.bytes().all(is_char) {
            return Err(unknown());
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("GETDEL").arg(keys::ticket(ticket));
        let (kept,): (Option<String>,) =
            self.redis.query(&pipeline).await.map_err(|error| unavailable(&error))?;
        let kept = kept.ok_or_else(unknown)?;
        let claims: Claims = serde_json::from_str(&kept).map_err(|error| {
            tracing::warn!(%error, "a ticket in Redis cannot be read");
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
    tracing::debug!(%error, "no tickets without Redis");
    Error::new(Code::RedisUnavailable, "Redis keeps the tickets, and cannot be reached")
}
