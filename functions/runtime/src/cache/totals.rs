//! The reads and fetches of the whole fleet, for `GET /cache`.

use std::collections::BTreeMap;

use shared::limits::CACHE_COUNTS_HOURS;
use shared::{keys, script};

use super::counts::this_hour;
use crate::ports::redis::{Redis, RedisError, Reply};

/// What happened to one resource. `counts.rs` says how exact the numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Reads answered from the store with a fresh value or a remembered "not found".
    pub hits: i64,
    /// Reads answered from the store with a value past its freshness.
    pub stale: i64,
    /// All other reads: they waited for the source, or failed.
    pub misses: i64,
    /// Fetches from the source.
    pub fetches: i64,
    /// Fetches that failed or took too long.
    pub failures: i64,
    /// Milliseconds of all fetches together.
    pub fetch_ms: i64,
    /// Milliseconds of the longest fetch.
    pub worst_ms: i64,
}

impl Totals {
    /// The totals of the last day by the name of the policy, and the beginning of the first hour in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`RedisError`]; `WrongType` if another service uses one of the keys.
    pub async fn read(redis: &impl Redis) -> Result<(BTreeMap<String, Self>, i64), RedisError> {
        let last = this_hour();
        let first = last - CACHE_COUNTS_HOURS + 1;
        let hours: Vec<String> = (first..=last).map(keys::cache_counts).collect();
        let reply = redis.eval(&script::CACHE_SUM, &hours, &[]).await?;
        Ok((parse(&reply), first * 3_600_000))
    }
}

/// Fields of an unknown kind, which a newer version may write, are ignored.
fn parse(reply: &[Reply]) -> BTreeMap<String, Totals> {
    let mut all: BTreeMap<String, Totals> = BTreeMap::new();
    for pair in reply.chunks_exact(2) {
        let [field, number] = pair else { continue };
        let words = field.text().and_then(|text| text.split_once(' '));
        let (Some((what, name)), Some(number)) = (words, number.int()) else { continue };
        let totals = all.entry(name.to_owned()).or_default();
        match what {
            "hits" => totals.hits = number,
            "stale" => totals.stale = number,
            "misses" => totals.misses = number,
            "fetches" => totals.fetches = number,
            "failures" => totals.failures = number,
            "ms" => totals.fetch_ms = number,
            "worst" => totals.worst_ms = number,
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_totals_and_others_are_ignored() {
        let bytes = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        let reply = [
            (bytes("hits p/{u}"), Reply::Int(7)),
            (bytes("worst p/{u}"), Reply::Int(90)),
            (bytes("hits a b"), Reply::Int(1)),
            (bytes("newer p/{u}"), Reply::Int(3)),
            (bytes("hits"), Reply::Int(3)),
            (Reply::Bytes(vec![0xff]), Reply::Int(3)),
            (bytes("stale p/{u}"), Reply::Nil),
        ];
        let reply: Vec<Reply> = reply.into_iter().flat_map(|(field, n)| [field, n]).collect();
        let all = parse(&reply);
        assert_eq!(all["p/{u}"], Totals { hits: 7, worst_ms: 90, ..Totals::default() });
        assert_eq!(all["a b"].hits, 1);
        assert_eq!(all.len(), 2);
    }
}
