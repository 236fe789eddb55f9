//! The users that one worker holds.

use std::fmt;
use std::time::Duration;

use super::item::Item;
use super::settlement::{Changes, Settled, Settlement};
use super::{Malformed, PauseReason};
use crate::CampaignId;

/// What became of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A device accepted the push, or would have in a dry run.
    Sent,
    /// The push was refused, and would be again.
    Failed,
    /// The attempts are used up or the time is over: counts as failed, and `…/push/redrive` puts
    /// the user back, with these devices (all if there are none).
    Dead { devices: Vec<String> },
    /// No device is left that exists, or the element names no user.
    Invalid,
    /// Not to be sent to: no device, preferences, presence.
    Skipped,
    /// Another attempt after `wait`, by any worker. `attempts` are those that count, in total.
    Later { wait: Duration, attempts: u32, is_sent: bool, devices: Vec<String> },
}

impl End {
    /// Gives an item back as it was claimed, for a worker that stops or is told to pause.
    #[must_use]
    pub fn released(item: &Item) -> Self {
        let (attempts, is_sent) = (item.attempts, item.is_sent);
        End::Later { wait: Duration::ZERO, attempts, is_sent, devices: item.devices.clone() }
    }
}

/// Up to 500 users of a campaign, which are this worker's until its block lease ends.
pub struct Block {
    pub(super) campaign: CampaignId,
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) lease_ms: i64,
    in_doubt: bool,
    claimed_ms: i64,
    items: Vec<Option<Item>>,
    /// By item: whether it has ended.
    ended: Vec<bool>,
    changes: Changes,
    /// The calls whose reply is missing.
    pending: Option<Settlement>,
    seq: u64,
    is_told: bool,
}

impl Block {
    pub(super) fn new(
        campaign: CampaignId,
        id: String,
        owner: String,
        lease_ms: i64,
        in_doubt: bool,
        claimed_ms: i64,
        items: Vec<Option<Item>>,
    ) -> Self {
        let ended = items.iter().map(Option::is_none).collect();
        let (changes, pending, seq, is_told) = (Changes::default(), None, 0, false);
        Self {
            campaign,
            id,
            owner,
            lease_ms,
            in_doubt,
            claimed_ms,
            items,
            ended,
            changes,
            pending,
            seq,
            is_told,
        }
    }

    /// The campaign.
    #[must_use]
    pub fn campaign(&self) -> &CampaignId {
        &self.campaign
    }

    /// Whether another worker had the block and did not say what became of these users: some may
    /// have got the push. The option `doubt` decides.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Time of the claim, in milliseconds of Redis' clock.
    #[must_use]
    pub fn claimed_ms(&self) -> i64 {
        self.claimed_ms
    }

    /// The users that were claimed, with their numbers.
    pub fn items(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.items.iter().enumerate().filter_map(|(at, item)| Some((at, item.as_ref()?)))
    }

    /// The users that have not ended, with their numbers.
    pub fn open(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.items().filter(|(at, _)| self.ended.get(*at) == Some(&false))
    }

    /// Notes the id of a user's entry in the feed, before [`Block::settle`]: a later attempt need
    /// not write it again.
    pub fn written(&mut self, at: usize, entry: String) {
        if let Some(Some(item)) = self.items.get_mut(at)
            && !entry.contains(' ')
        {
            item.entry = Some(entry);
        }
    }

    /// Notes what became of a user. Only the first end of each counts; returns whether it was that.
    pub fn settle(&mut self, at: usize, end: End) -> bool {
        let (Some(Some(item)), Some(ended @ false)) = (self.items.get(at), self.ended.get_mut(at))
        else {
            return false;
        };
        *ended = true;
        self.changes.add(item, &format!("{}.{at}", self.id), end);
        true
    }

    /// Adds a response, as JSON text, to `campaign:<id>:responses`.
    pub fn respond(&mut self, json: String) {
        self.changes.responses.push(json);
    }

    /// Pauses the whole campaign with the next settlement, if it is running.
    pub fn pause(&mut self, reason: PauseReason) {
        self.changes.pause = Some(reason);
    }

    /// The calls that tell Redis what was noted since the last settlement and renew the block
    /// lease. Until [`Block::answered`] they stay the same, and what is noted meanwhile comes with
    /// the next ones.
    pub fn settlement(&mut self) -> Settlement {
        if let Some(pending) = &self.pending {
            return pending.clone();
        }
        self.seq += 1;
        let changes = std::mem::take(&mut self.changes);
        let settlement = changes.into_settlement(self, &self.bits(), self.seq);
        self.is_told = self.ended.iter().all(|ended| *ended);
        self.pending = Some(settlement.clone());
        settlement
    }

    /// Takes the reply to [`Settlement::settle`].
    ///
    /// # Errors
    /// The reply is not one of the script.
    pub fn answered(&mut self, reply: &[Vec<u8>]) -> Result<Settled, Malformed> {
        let settled = Settled::parse(reply)?;
        self.pending = None;
        Ok(settled)
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.pending.is_some() || !self.changes.is_empty()
    }

    /// Whether all users have ended and Redis knows it: the block can be dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_told && !self.has_news()
    }

    /// `1` for each item that has ended, else `0`; empty if all have.
    fn bits(&self) -> String {
        if self.ended.iter().all(|ended| *ended) {
            return String::new();
        }
        self.ended.iter().map(|ended| if *ended { '1' } else { '0' }).collect()
    }
}

impl fmt::Debug for Block {
    /// Without the elements, which contain push tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open().count();
        write!(f, "Block({} of campaign {}, {open} open)", self.id, self.campaign)
    }
}
