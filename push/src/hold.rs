//! Which credentials, or which origins of Web Push, must not be used for now. Pure: the time is an
//! argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Reason};

/// Keys come from configuration and from allowed hosts, so there are few; the bound is for a mistake.
const HOLDS_MAX: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Instant,
    reason: Reason,
    is_stop: bool,
}

/// The holds of all credentials.
#[derive(Debug, Default)]
pub struct Holds {
    held: HashMap<String, Held>,
}

impl Holds {
    /// What to answer instead of sending, or `None`.
    pub fn check(&mut self, key: &str, now: Instant) -> Option<Outcome> {
        let held = *self.held.get(key)?;
        let wait = held.until.saturating_duration_since(now);
        if wait.is_zero() {
            self.held.remove(key);
            return None;
        }
        Some(match held.is_stop {
            true => Outcome::Stop(held.reason),
            false => Outcome::Hold { reason: held.reason, wait },
        })
    }

    /// Holds `key` for `wait`. A hold is never shortened, and a stop stays a stop.
    pub fn hold(&mut self, key: &str, wait: Duration, reason: Reason, is_stop: bool, now: Instant) {
        if self.held.len() >= HOLDS_MAX {
            self.held.retain(|_, held| held.until > now);
            if self.held.len() >= HOLDS_MAX {
                return;
            }
        }
        let new = Held { until: now + wait, reason, is_stop };
        let held = self.held.entry(key.to_owned()).or_insert(new);
        let is_over = held.until <= now;
        if is_over || (is_stop && !held.is_stop) {
            *held = new;
        } else if is_stop || !held.is_stop {
            held.until = held.until.max(new.until);
        }
    }

    /// The number of holds in force.
    #[must_use]
    pub fn count(&self, now: Instant) -> usize {
        self.held.values().filter(|held| held.until > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_by_itself_is_never_shortened_and_concerns_one_key() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        let s = Duration::from_secs;
        holds.hold("a", s(60), "quota", false, now);
        holds.hold("a", s(5), "quota", false, now + s(1));
        assert_eq!(holds.check("b", now), None);
        let left = holds.check("a", now + s(20));
        assert_eq!(left, Some(Outcome::Hold { reason: "quota", wait: s(40) }));
        assert_eq!(holds.count(now + s(20)), 1);
        assert_eq!(holds.check("a", now + s(60)), None);
        assert_eq!(holds.count(now + s(60)), 0);
    }

    #[test]
    fn a_stop_is_not_softened_by_a_hold() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        let s = Duration::from_secs;
        holds.hold("a", s(10), "quota", false, now);
        holds.hold("a", s(60), "forbidden", true, now);
        holds.hold("a", s(90), "quota", false, now);
        assert_eq!(holds.check("a", now + s(59)), Some(Outcome::Stop("forbidden")));
        assert_eq!(holds.check("a", now + s(61)), None);
    }

    #[test]
    fn the_number_of_holds_is_bounded() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        for i in 0..3 * HOLDS_MAX {
            holds.hold(&i.to_string(), Duration::from_secs(60), "quota", false, now);
        }
        assert_eq!(holds.count(now), HOLDS_MAX);
        let later = now + Duration::from_secs(61);
        holds.hold("new", Duration::from_secs(60), "quota", false, later);
        assert_eq!(holds.count(later), 1);
    }
}
