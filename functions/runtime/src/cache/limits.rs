//! What a source demands of all who keep its answer. It is stored beside the value: every reader and
//! every cache behind them is told the same.

use std::time::Duration;

/// A demand without a number (RFC 9111 §5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nobody may store it.
    NoStore = 1,
    /// Nobody may serve it again without asking.
    NoCache = 2,
    /// Only a cache of one user may store it.
    Private = 4,
    /// Nobody may serve it once it is stale.
    MustRevalidate = 8,
    /// No shared cache may serve it once it is stale.
    ProxyRevalidate = 16,
    /// Nobody may change its form.
    NoTransform = 32,
}

/// Demands of a source. They shorten what a policy allows, and never lengthen it; without any, the
/// policy decides alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The whole time that it is fresh, from when it was made: kept for a later "not modified" that says
    /// nothing about freshness.
    pub fresh: Option<Duration>,
    /// Longest time after its freshness that it may be served at once.
    pub stale: Option<Duration>,
    /// The same where refreshing fails.
    pub error: Option<Duration>,
    /// How long it is fresh in a cache of one user, where that is not what it is in shared ones.
    pub client: Option<Duration>,
    words: u8,
}

impl Limits {
    pub fn has(&self, word: Word) -> bool {
        self.words & word as u8 != 0
    }

    pub fn add(&mut self, word: Word) {
        self.words |= word as u8;
    }

    /// One word for the companion, such as `f60000,s0,e0,w8`, times in milliseconds; empty for none.
    pub fn to_text(&self) -> String {
        let times = [('f', self.fresh), ('s', self.stale), ('e', self.error), ('c', self.client)];
        let mut parts: Vec<String> = times
            .into_iter()
            .filter_map(|(name, time)| time.map(|time| format!("{name}{}", time.as_millis())))
            .collect();
        if self.words != 0 {
            parts.push(format!("w{}", self.words));
        }
        parts.join(",")
    }

    /// Reads what [`Self::to_text`] wrote; nothing of anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut limits = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, number) = part.split_at_checked(1)?;
            let time = || number.parse().ok().map(Duration::from_millis);
            match name {
                "f" => limits.fresh = Some(time()?),
                "s" => limits.stale = Some(time()?),
                "e" => limits.error = Some(time()?),
                "c" => limits.client = Some(time()?),
                "w" => limits.words = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_all_of_it() {
        let mut limits = Limits { stale: Some(Duration::ZERO), ..Limits::default() };
        assert_eq!(limits.to_text(), "s0");
        limits.fresh = Some(Duration::from_secs(60));
        limits.error = Some(Duration::from_millis(1));
        limits.client = Some(Duration::from_secs(2_147_483_648));
        for word in [Word::MustRevalidate, Word::NoTransform] {
            limits.add(word);
        }
        assert_eq!(limits.to_text(), "f60000,s0,e1,c2147483648000,w40");
        assert_eq!(Limits::parse(&limits.to_text()), Some(limits));
        assert_eq!(Limits::parse(""), Some(Limits::default()));
        assert_eq!(Limits::default().to_text(), "");
        for bad in ["x1", "s", "s-1", "sx", "w256", "1", "é"] {
            assert_eq!(Limits::parse(bad), None, "{bad}");
        }
    }
}
