//! `push_claim.lua`: users for a worker.

use std::time::Duration;

use super::block::Block;
use super::item::Item;
use super::{Call, Malformed, Options, number, text};
use crate::limits::{
    CAMPAIGN_BLOCKS_MAX, CAMPAIGN_CLAIM_BYTES, CAMPAIGN_CLAIM_MAX, CAMPAIGN_LEASE_MS,
    CAMPAIGN_RAMP_MS, CAMPAIGN_TTL_S,
};
use crate::{CampaignId, keys, script};

/// State of a campaign's push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no push of this campaign, or it was deleted.
    None,
    /// Starts later.
    Scheduled,
    Running,
    Paused,
    Cancelled,
    Done,
}

impl State {
    /// The state's name in Redis and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::None => "none",
            State::Scheduled => "scheduled",
            State::Running => "running",
            State::Paused => "paused",
            State::Cancelled => "cancelled",
            State::Done => "done",
        }
    }

    /// `None` for any other name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const ALL: [State; 6] = [
            State::None,
            State::Scheduled,
            State::Running,
            State::Paused,
            State::Cancelled,
            State::Done,
        ];
        ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A request for users. It may be sent again, unchanged, as long as its reply has not arrived: the
/// script returns the block that it gave to the first one.
#[derive(Clone, Debug)]
pub struct Claim {
    campaign: CampaignId,
    nonce: String,
    users_max: usize,
    known_rev: i64,
    lease_ms: i64,
    ramp_ms: i64,
}

impl Claim {
    /// A claim of at most `users_max` users, 500 at most.
    ///
    /// `nonce` is a random word of letters and digits, another one for each claim: it names the
    /// block, and proves whose it is. `known_rev` is the [`Claimed::rev`] whose options the caller
    /// has; 0 for none.
    #[must_use]
    pub fn new(campaign: CampaignId, nonce: String, users_max: usize, known_rev: i64) -> Self {
        let users_max = users_max.clamp(1, CAMPAIGN_CLAIM_MAX);
        let (lease_ms, ramp_ms) = (CAMPAIGN_LEASE_MS, CAMPAIGN_RAMP_MS);
        Self { campaign, nonce, users_max, known_rev, lease_ms, ramp_ms }
    }

    /// The same with other times than 30 s for the block lease and 60 s for the ramp, for tests.
    #[must_use]
    pub fn with_times(mut self, lease_ms: i64, ramp_ms: i64) -> Self {
        (self.lease_ms, self.ramp_ms) = (lease_ms.max(1), ramp_ms.max(1));
        self
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> Call {
        Call::new(&script::PUSH_CLAIM, keys::campaign_push(&self.campaign))
            .arg(CAMPAIGN_TTL_S)
            .arg(&self.nonce)
            .arg(self.users_max)
            .arg(self.lease_ms)
            .arg(self.ramp_ms)
            .arg(self.known_rev)
            .arg(CAMPAIGN_BLOCKS_MAX)
            .arg(CAMPAIGN_CLAIM_BYTES)
    }

    /// Takes the reply.
    ///
    /// # Errors
    /// The reply is not one of the script.
    pub fn answered(self, reply: &[Vec<u8>]) -> Result<Claimed, Malformed> {
        self.parse(reply).ok_or(Malformed(script::PUSH_CLAIM.name))
    }

    fn parse(self, reply: &[Vec<u8>]) -> Option<Claimed> {
        let mut parts = reply.iter();
        let state = State::parse(text(parts.next())?)?;
        let reason = text(parts.next())?;
        let wait_ms = number(parts.next())?;
        let rev = number(parts.next())?;
        let options = match text(parts.next())? {
            "" => None,
            json => Some(Options::from_json(json)?),
        };
        let now_ms = number(parts.next())?;
        let mut claimed = Claimed {
            state,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            wait: u64::try_from(wait_ms).ok().map(Duration::from_millis),
            rev,
            options,
            block: None,
        };
        let Some(id) = parts.next() else { return Some(claimed) };
        let id = std::str::from_utf8(id).ok()?.to_owned();
        let in_doubt = number(parts.next())? == 1;
        let retries = usize::try_from(number(parts.next())?).ok()?;
        let bits = parts.next()?;
        let mut items = Vec::with_capacity(bits.len().min(CAMPAIGN_CLAIM_MAX));
        for (at, bit) in bits.iter().enumerate() {
            items.push(match bit {
                b'0' if at < retries => Some(Item::parse(parts.next()?)?),
                b'0' => Some(Item::new(parts.next()?, now_ms)),
                _ => None,
            });
        }
        let (owner, lease_ms) = (self.nonce, self.lease_ms);
        let block = Block::new(self.campaign, id, owner, lease_ms, in_doubt, now_ms, items);
        claimed.block = Some(block);
        Some(claimed)
    }
}

/// The reply to a [`Claim`].
#[derive(Debug)]
pub struct Claimed {
    pub state: State,
    /// Why the push is paused, if a worker paused it.
    pub reason: Option<String>,
    /// Time until another claim may give something, for a caller that got nothing, or less than it
    /// asked for. `None`: nothing will come without another request of an operator, so that the
    /// campaign can leave the index.
    pub wait: Option<Duration>,
    /// Revision of the options.
    pub rev: i64,
    /// The options, unless the caller has this revision.
    pub options: Option<Options>,
    /// Users to send to. `None` if there are none for now.
    pub block: Option<Block>,
}
