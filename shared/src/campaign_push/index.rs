//! `push_touch.lua`: the index of the campaigns whose pushes are under way.

use super::{Call, text};
use crate::limits::{CAMPAIGN_TTL_S, CAMPAIGNS_PUSHING_MAX};
use crate::{CampaignId, keys, script};

/// A campaign in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushing {
    pub campaign: CampaignId,
    /// The last touch, as Redis wrote it.
    pub touched: String,
}

/// The command that reads the whole index, at most 10,000 campaigns.
#[must_use]
pub fn list() -> [&'static str; 5] {
    ["ZRANGE", keys::PUSHING, "0", "-1", "WITHSCORES"]
}

/// Parses the reply to [`list`]. Names that are not of campaigns are left out.
#[must_use]
pub fn listed(reply: &[Vec<u8>]) -> Vec<Pushing> {
    let pairs = reply.chunks_exact(2).filter_map(|pair| {
        let campaign = CampaignId::parse(text(pair.first())?).ok()?;
        Some(Pushing { campaign, touched: text(pair.get(1))?.to_owned() })
    });
    pairs.collect()
}

/// Puts a campaign into the index or keeps it there. A worker does so once a minute for each that
/// is running, and each time it finds one scheduled or paused: the index forgets what nobody touched
/// for 24 h.
#[must_use]
pub fn touch(campaign: &CampaignId) -> Call {
    of(campaign, "")
}

/// Removes a campaign from the index, unless it was touched since it was listed.
#[must_use]
pub fn drop(listed: &Pushing) -> Call {
    of(&listed.campaign, &listed.touched)
}

fn of(campaign: &CampaignId, touched: &str) -> Call {
    Call::new(&script::PUSH_TOUCH, [keys::PUSHING.to_owned()])
        .arg(campaign)
        .arg(CAMPAIGN_TTL_S)
        .arg(CAMPAIGNS_PUSHING_MAX)
        .arg(touched)
}
