//! `push_settle.lua` and `push_respond.lua`: what became of a block's users.

use super::block::{Block, End};
use super::claim::State;
use super::item::Item;
use super::{Call, Malformed, number, text};
use crate::limits::{CAMPAIGN_DEAD_MAX, CAMPAIGN_RESPONSES_MAX, CAMPAIGN_TTL_S, ONCE_TTL_S};
use crate::{keys, script};

/// Why a worker pauses a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// The service refuses the credential, or credential and addresses do not belong together.
    Credentials,
    /// An unlikely share of addresses is dead.
    ManyInvalid,
    /// The service refused the content in a trial.
    Refused,
    /// The content is larger than a service takes.
    TooLarge,
}

impl PauseReason {
    /// The word in progress.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PauseReason::Credentials => "credentials",
            PauseReason::ManyInvalid => "many_invalid",
            PauseReason::Refused => "refused",
            PauseReason::TooLarge => "too_large",
        }
    }
}

/// The calls of one settlement, in their order: a response is written before its user counts as
/// settled, so that none is lost.
#[derive(Clone)]
pub struct Settlement {
    /// Appends the responses; its reply needs no reading. `None` if there are none.
    pub respond: Option<Call>,
    /// Settles; its reply goes to [`Block::answered`].
    pub settle: Call,
}

/// The reply to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether the block is still this worker's. If not, its block lease had ended, or the campaign
    /// was deleted, or an earlier try of this very call removed the block: nothing more is to be
    /// done with it.
    pub is_owned: bool,
    /// State of the push: a worker stops sending unless it is running.
    pub state: State,
    /// Revision of the options.
    pub rev: i64,
}

impl Settled {
    pub(super) fn parse(reply: &[Vec<u8>]) -> Result<Self, Malformed> {
        let parsed = || {
            let is_owned = number(reply.first())? == 1;
            let state = State::parse(text(reply.get(1))?)?;
            Some(Self { is_owned, state, rev: number(reply.get(2))? })
        };
        parsed().ok_or(Malformed(script::PUSH_SETTLE.name))
    }
}

/// What was noted since the last settlement.
#[derive(Default)]
pub(super) struct Changes {
    sent: u32,
    failed: u32,
    invalid: u32,
    skipped: u32,
    /// Wait in milliseconds, and item.
    later: Vec<(u128, Vec<u8>)>,
    dead: Vec<Vec<u8>>,
    pub(super) responses: Vec<String>,
    pub(super) pause: Option<PauseReason>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.sent + self.failed + self.invalid + self.skipped == 0
            && self.later.is_empty()
            && self.responses.is_empty()
            && self.pause.is_none()
    }

    pub(super) fn add(&mut self, item: &Item, key: &str, end: End) {
        match end {
            End::Sent => self.sent += 1,
            End::Failed => self.failed += 1,
            End::Dead { devices } => {
                self.failed += 1;
                self.dead.push(Item { devices, ..item.clone() }.to_bytes(key));
            }
            End::Invalid => self.invalid += 1,
            End::Skipped => self.skipped += 1,
            End::Later { wait, attempts, is_sent, devices } => {
                let later = Item { attempts, is_sent, devices, ..item.clone() };
                self.later.push((wait.as_millis(), later.to_bytes(key)));
            }
        }
    }

    pub(super) fn into_settlement(self, block: &Block, bits: &str, seq: u64) -> Settlement {
        let mut settle = Call::new(&script::PUSH_SETTLE, keys::campaign_push(&block.campaign))
            .arg(CAMPAIGN_TTL_S)
            .arg(&block.id)
            .arg(&block.owner)
            .arg(seq)
            .arg(block.lease_ms)
            .arg(bits)
            .arg(self.sent)
            .arg(self.failed)
            .arg(self.invalid)
            .arg(self.skipped)
            .arg(self.pause.map_or("", PauseReason::as_str))
            .arg(CAMPAIGN_DEAD_MAX)
            .arg(self.later.len());
        for (wait_ms, item) in self.later {
            settle = settle.arg(wait_ms);
            settle.args.push(item);
        }
        settle.args.extend(self.dead);
        let respond = (!self.responses.is_empty()).then(|| {
            let list = keys::campaign_responses(&block.campaign);
            let once = keys::once(&list, &format!("{}.{}.{seq}", block.id, block.owner));
            let mut respond = Call::new(&script::PUSH_RESPOND, [list, once])
                .arg(CAMPAIGN_TTL_S)
                .arg(ONCE_TTL_S)
                .arg(CAMPAIGN_RESPONSES_MAX);
            respond.args.extend(self.responses.into_iter().map(String::into_bytes));
            respond
        });
        Settlement { respond, settle }
    }
}
