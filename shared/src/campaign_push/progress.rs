//! The reply of `push_start.lua` and `push_progress.lua`, and the answer of `GET
//! /campaigns/{id}/push`.

use serde_json::{Map, Value, json};

use super::{State, number, text};
use crate::limits::CAMPAIGN_RAMP_MS;

/// Where a campaign's push stands, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub state: State,
    pub reason: Option<String>,
    /// In the list.
    pub waiting: i64,
    /// In blocks of workers.
    pub claimed: i64,
    /// Waiting for another attempt.
    pub retrying: i64,
    pub sent: i64,
    pub failed: i64,
    pub invalid: i64,
    pub skipped: i64,
    /// Users who ended per second, in the last seconds.
    pub per_second: f64,
    /// Limit on users per second.
    pub rate: i64,
    /// Time until the start.
    pub start_in_ms: i64,
}

impl Progress {
    /// Parses the reply; `None` for any other. A campaign without a push has [`State::None`].
    #[must_use]
    pub fn parse(reply: &[Vec<u8>]) -> Option<Self> {
        let mut parts = reply.iter();
        let state = State::parse(text(parts.next())?)?;
        let reason = text(parts.next())?;
        let mut next = || number(parts.next());
        Some(Self {
            state,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            waiting: next()?,
            claimed: next()?,
            retrying: next()?,
            sent: next()?,
            failed: next()?,
            invalid: next()?,
            skipped: next()?,
            // In thousandths, since Lua's fractions do not survive a reply.
            per_second: next()? as f64 / 1000.0,
            rate: next()?,
            start_in_ms: next()?,
        })
    }

    /// Users who have not ended.
    #[must_use]
    pub fn remaining(&self) -> i64 {
        self.waiting + self.claimed + self.retrying
    }

    /// All users of the campaign, as far as no other worker took them.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.remaining() + self.sent + self.failed + self.invalid + self.skipped
    }

    /// Seconds until the end, if it goes on as it does now: by the measured speed, or by the rate
    /// if there is none yet. `None` if nothing goes on.
    #[must_use]
    pub fn eta_s(&self) -> Option<i64> {
        let remaining = self.remaining() as f64;
        let by_rate = || {
            // While the rate rises, half of it is sent.
            let (rate, ramp_s) = (self.rate.max(1) as f64, CAMPAIGN_RAMP_MS as f64 / 1000.0);
            let in_ramp = rate * ramp_s / 2.0;
            match remaining <= in_ramp {
                true => (2.0 * ramp_s * remaining / rate).sqrt(),
                false => ramp_s + (remaining - in_ramp) / rate,
            }
        };
        let seconds = match self.state {
            State::Done => 0.0,
            State::Scheduled => self.start_in_ms as f64 / 1000.0 + by_rate(),
            State::Running if self.per_second > 0.0 => remaining / self.per_second,
            State::Running => by_rate(),
            State::None | State::Paused | State::Cancelled => return None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast of whole seconds")]
        Some(seconds.ceil() as i64)
    }

    /// The answer: `{state,total,remaining,sent,failed,invalid,skipped,retrying,perSecond,
    /// etaSeconds?,reason?}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = Map::new();
        for (name, value) in [
            ("state", self.state.as_str().into()),
            ("total", self.total().into()),
            ("remaining", self.remaining().into()),
            ("sent", self.sent.into()),
            ("failed", self.failed.into()),
            ("invalid", self.invalid.into()),
            ("skipped", self.skipped.into()),
            ("retrying", self.retrying.into()),
            ("perSecond", json!((self.per_second * 10.0).round() / 10.0)),
        ] {
            members.insert(name.to_owned(), value);
        }
        if let Some(seconds) = self.eta_s() {
            members.insert("etaSeconds".to_owned(), seconds.into());
        }
        if let Some(reason) = &self.reason {
            members.insert("reason".to_owned(), reason.as_str().into());
        }
        Value::from(members).to_string()
    }
}
