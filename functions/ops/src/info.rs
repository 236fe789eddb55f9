//! Parses Redis's `INFO`. Versions, forks and managed services differ in its contents, so a missing
//! or invalid number counts as unknown.

use std::collections::BTreeMap;

/// The numbers of an `INFO` reply.
#[derive(Debug, Default)]
pub struct Info<'a> {
    fields: BTreeMap<&'a str, &'a str>,
    /// An empty Redis lists no database; a server that hides them has no such section.
    has_keyspace: bool,
}

impl<'a> Info<'a> {
    /// Parses any text; never fails.
    pub fn parse(text: &'a str) -> Self {
        let mut info = Self::default();
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('#') {
                info.has_keyspace |= section.trim().eq_ignore_ascii_case("keyspace");
            } else if let Some((name, value)) = line.split_once(':') {
                info.fields.insert(name, value);
            }
        }
        info
    }

    /// A non-negative number.
    pub fn count(&self, name: &str) -> Option<i64> {
        count(self.fields.get(name)?)
    }

    /// Number of keys in all databases (`db0:keys=3,expires=1,…`).
    pub fn keys(&self) -> Option<i64> {
        let is_db = |name: &str| {
            let number = name.strip_prefix("db").unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut databases = self.fields.iter().filter(|(name, _)| is_db(name)).peekable();
        if databases.peek().is_none() && !self.has_keyspace {
            return None;
        }
        databases.try_fold(0_i64, |sum, (_, value)| {
            let keys = value.split(',').find_map(|part| part.strip_prefix("keys="))?;
            sum.checked_add(count(keys)?)
        })
    }

    /// Percentage of look-ups that found their key, rounded down; `None` before the first one.
    pub fn hit_percent(&self) -> Option<i64> {
        let (hits, misses) = (self.count("keyspace_hits")?, self.count("keyspace_misses")?);
        let lookups = i128::from(hits) + i128::from(misses);
        let percent = (i128::from(hits) * 100).checked_div(lookups)?;
        i64::try_from(percent).ok()
    }
}

fn count(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_redis_says() {
        let text = "# Clients\r\nconnected_clients:7\r\n\r\n# Stats\r\nkeyspace_hits:2\r\n\
                    keyspace_misses:1\r\n\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n\
                    db12:keys=4,expires=0,avg_ttl=0,subexpiry=0\r\n";
        let info = Info::parse(text);
        assert_eq!(info.count("connected_clients"), Some(7));
        assert_eq!((info.keys(), info.hit_percent()), (Some(7), Some(66)));
        assert_eq!(Info::parse("# Keyspace\r\n").keys(), Some(0));
    }

    #[test]
    fn missing_and_invalid_numbers_are_unknown() {
        for text in [
            "",
            "connected_clients",
            "connected_clients:",
            "connected_clients:-1",
            "connected_clients:many",
            "keyspace_hits:0\nkeyspace_misses:0",
            "keyspace_hits:1",
            "db0:expires=1",
            "db0:keys=9223372036854775807\ndb1:keys=1",
            "dbx:keys=1",
            ":::\n#\n",
        ] {
            let info = Info::parse(text);
            assert_eq!(info.count("connected_clients"), None, "{text}");
            assert_eq!((info.keys(), info.hit_percent()), (None, None), "{text}");
        }
        let huge = "keyspace_hits:9223372036854775807\nkeyspace_misses:9223372036854775807";
        assert_eq!(Info::parse(huge).hit_percent(), Some(50));
    }
}
