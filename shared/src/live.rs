//! On which channels notifications and events of a user are published and heard.

use crate::{UserId, keys};

/// The setting `live`, the same for functions and hubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// The channels `notifications` and `bw:events`, which every hub hears.
    #[default]
    All,
    /// Both: the functions publish on those and on the user's own channel; hubs hear the users'
    /// own channels, and one of them forwards what existing services publish.
    Bridge,
    /// The user's own channel, a shard channel, which only hubs that hold the user hear.
    Own,
}

impl Live {
    /// `all`, `bridge` or `own`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Live::All),
            "bridge" => Some(Live::Bridge),
            "own" => Some(Live::Own),
            _ => None,
        }
    }

    /// The text that [`Live::parse`] reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Live::All => "all",
            Live::Bridge => "bridge",
            Live::Own => "own",
        }
    }

    /// The channels that a message for `user` is published on, as the scripts expect them
    /// (`publish.lua`): names, separated by a space. `common` is the one that all hubs hear.
    pub fn channels(self, common: &str, user: &UserId) -> String {
        match self {
            Live::All => common.to_owned(),
            Live::Bridge => format!("{common} {}", keys::live_channel(user)),
            Live::Own => keys::live_channel(user),
        }
    }

    /// Whether hubs with the setting `hub` hear what functions with this one publish.
    pub fn reaches(self, hub: Self) -> bool {
        match self {
            Live::Bridge => true,
            Live::All => hub == Live::All,
            Live::Own => hub != Live::All,
        }
    }

    /// Whether the users' own channels are used.
    pub fn uses_own_channels(self) -> bool {
        self != Live::All
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_its_word() {
        for live in [Live::All, Live::Bridge, Live::Own] {
            assert_eq!(Live::parse(live.as_str()), Some(live));
        }
        assert_eq!(Live::parse("both"), None);
    }

    #[test]
    fn a_hub_hears_functions_that_publish_on_its_channels() {
        use Live::{All, Bridge, Own};
        for functions in [All, Bridge, Own] {
            let hubs: Vec<_> =
                [All, Bridge, Own].into_iter().filter(|hub| functions.reaches(*hub)).collect();
            let expected: &[_] = match functions {
                All => &[All],
                Bridge => &[All, Bridge, Own],
                Own => &[Bridge, Own],
            };
            assert_eq!(hubs, expected, "{functions:?}");
        }
    }

    #[test]
    fn the_channels_of_a_user() {
        let user = UserId::parse("u").unwrap();
        let channels = |live: Live| live.channels("notifications", &user);
        assert_eq!(channels(Live::All), "notifications");
        assert_eq!(channels(Live::Bridge), "notifications bw:live:{notifications:u}");
        assert_eq!(channels(Live::Own), "bw:live:{notifications:u}");
    }
}
