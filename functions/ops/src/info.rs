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
}

/// The `INFO` replies of all servers: one, or the masters of a cluster.
#[derive(Debug, Default)]
pub struct Infos<'a>(Vec<Info<'a>>);

impl<'a> Infos<'a> {
    /// Parses any texts; never fails.
    pub fn parse(texts: &'a [String]) -> Self {
        Self(texts.iter().map(|text| Info::parse(text)).collect())
    }

    /// The sum of a number; `None` if a server does not tell it.
    pub fn sum(&self, name: &str) -> Option<i64> {
        self.total(|info| info.count(name))
    }

    /// The least of a number; `None` if a server does not tell it.
    pub fn least(&self, name: &str) -> Option<i64> {
        let counts: Option<Vec<i64>> = self.0.iter().map(|info| info.count(name)).collect();
        counts?.into_iter().min()
    }

    /// The limit of the memory of all servers together; 0, no limit, if one has none.
    pub fn memory_max(&self) -> Option<i64> {
        match self.least("maxmemory")? {
            0 => Some(0),
            _ => self.sum("maxmemory"),
        }
    }

    /// Number of keys in all databases.
    pub fn keys(&self) -> Option<i64> {
        self.total(Info::keys)
    }

    /// Percentage of look-ups that found their key, rounded down; `None` before the first one.
    pub fn hit_percent(&self) -> Option<i64> {
        let (hits, misses) = (self.sum("keyspace_hits")?, self.sum("keyspace_misses")?);
        let lookups = i128::from(hits) + i128::from(misses);
        let percent = (i128::from(hits) * 100).checked_div(lookups)?;
        i64::try_from(percent).ok()
    }

    fn total(&self, of: impl Fn(&Info<'a>) -> Option<i64>) -> Option<i64> {
        self.0.iter().try_fold(0_i64, |sum, info| sum.checked_add(of(info)?))
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
        let texts = [text.to_owned()];
        assert_eq!((info.keys(), Infos::parse(&texts).hit_percent()), (Some(7), Some(66)));
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
            let texts = [text.to_owned()];
            assert_eq!((info.keys(), Infos::parse(&texts).hit_percent()), (None, None), "{text}");
        }
        let huge =
            ["keyspace_hits:9223372036854775807\nkeyspace_misses:9223372036854775807".into()];
        assert_eq!(Infos::parse(&huge).hit_percent(), Some(50));
    }

    #[test]
    fn the_numbers_of_several_servers_are_summed_or_unknown() {
        let texts = [
            "keyspace_hits:1\nkeyspace_misses:2\nmaxmemory:5\nuptime_in_seconds:9".to_owned(),
            "keyspace_hits:3\nkeyspace_misses:0\nmaxmemory:0\nuptime_in_seconds:7".to_owned(),
        ];
        let both = Infos::parse(&texts);
        assert_eq!((both.sum("keyspace_hits"), both.hit_percent()), (Some(4), Some(66)));
        assert_eq!((both.memory_max(), both.least("uptime_in_seconds")), (Some(0), Some(7)));
        let one = Infos::parse(&texts[..1]);
        assert_eq!((one.memory_max(), one.least("uptime_in_seconds")), (Some(5), Some(9)));
        let lacking = [texts[0].clone(), "maxmemory:5".to_owned()];
        let lacking = Infos::parse(&lacking);
        assert_eq!((lacking.sum("keyspace_hits"), lacking.memory_max()), (None, Some(10)));
    }
}
