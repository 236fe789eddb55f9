//! The demands that a source sets for caches that store its value. They are stored beside the value,
//! so that every reader and every downstream cache receives the same demands.

use std::time::Duration;

/// A `Cache-Control` directive without an argument (RFC 9111 §5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// No cache may store the value.
    NoStore = 1,
    /// Caches must revalidate the value before each use.
    NoCache = 2,
    /// Only a private cache may store the value.
    Private = 4,
    /// No cache may serve the stale value.
    MustRevalidate = 8,
    /// No shared cache may serve the stale value.
    ProxyRevalidate = 16,
    /// No intermediary may transform the value.
    NoTransform = 32,
}

/// The demands of a source. They shorten the times that a policy allows and never lengthen them;
/// without demands, the policy decides alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The freshness lifetime, from the time at which the source made the value. Kept for a later
    /// "not modified" without a freshness lifetime of its own.
    pub fresh: Option<Duration>,
    /// Longest time for which a stale value may be served while it is refreshed (RFC 5861 §3).
    pub stale: Option<Duration>,
    /// Longest time for which a stale value may be served if refreshing fails (RFC 5861 §4).
    pub error: Option<Duration>,
    /// The freshness lifetime in private caches if it differs from that in shared ones.
    pub client: Option<Duration>,
    words: u8,
}

impl Demands {
    /// Whether the source sent the directive.
    pub fn has(&self, word: Word) -> bool {
        self.words & word as u8 != 0
    }

    /// Adds a directive.
    pub fn add(&mut self, word: Word) {
        self.words |= word as u8;
    }

    /// The demands as one word for the companion key, such as `f60000,s0,e0,w8`, with times in
    /// milliseconds; empty without demands.
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

    /// Parses the text of [`Self::to_text`]; `None` if malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut demands = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, number) = part.split_at_checked(1)?;
            let time = || number.parse().ok().map(Duration::from_millis);
            match name {
                "f" => demands.fresh = Some(time()?),
                "s" => demands.stale = Some(time()?),
                "e" => demands.error = Some(time()?),
                "c" => demands.client = Some(time()?),
                "w" => demands.words = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(demands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_all_of_it() {
        let mut demands = Demands { stale: Some(Duration::ZERO), ..Demands::default() };
        assert_eq!(demands.to_text(), "s0");
        demands.fresh = Some(Duration::from_secs(60));
        demands.error = Some(Duration::from_millis(1));
        demands.client = Some(Duration::from_secs(2_147_483_648));
        for word in [Word::MustRevalidate, Word::NoTransform] {
            demands.add(word);
        }
        assert_eq!(demands.to_text(), "f60000,s0,e1,c2147483648000,w40");
        assert_eq!(Demands::parse(&demands.to_text()), Some(demands));
        assert_eq!(Demands::parse(""), Some(Demands::default()));
        assert_eq!(Demands::default().to_text(), "");
        for bad in ["x1", "s", "s-1", "sx", "w256", "1", "é"] {
            assert_eq!(Demands::parse(bad), None, "{bad}");
        }
    }
}
