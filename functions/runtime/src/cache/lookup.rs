//! One read of the store: `cache_read.lua` and its decision.

use shared::script;

use super::answer::{Answer, Content, How, Times};
use super::demands::Demands;
use super::fetched::{FetchError, Previous, Validators, is_json};
use super::host::Host;
use super::reader::Reader;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// The script's decision for a reader; `shared/lua/cache_read.lua` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Fresh,
    EarlyLead,
    StaleLead,
    StaleFollow,
    ErrorLead,
    ErrorWait,
    ErrorBypass,
    MissLead,
    MissWait,
    Absent,
    Cooldown,
    Bypass,
}

impl Decision {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "fresh" => Decision::Fresh,
            "early-lead" => Decision::EarlyLead,
            "stale-lead" => Decision::StaleLead,
            "stale-follow" => Decision::StaleFollow,
            "error-lead" => Decision::ErrorLead,
            "error-wait" => Decision::ErrorWait,
            "error-bypass" => Decision::ErrorBypass,
            "miss-lead" => Decision::MissLead,
            "miss-wait" => Decision::MissWait,
            "absent" => Decision::Absent,
            "cooldown" => Decision::Cooldown,
            "bypass" => Decision::Bypass,
            _ => return None,
        })
    }

    /// Whether this reader holds the cache lease now.
    pub(super) fn is_lead(self) -> bool {
        matches!(
            self,
            Decision::EarlyLead | Decision::StaleLead | Decision::ErrorLead | Decision::MissLead
        )
    }
}

/// The reply of the script.
pub(super) struct Lookup {
    pub(super) decision: Decision,
    /// PEXPIRETIME of the value.
    pub(super) exp: String,
    /// Another service wrote the value: it may be any bytes.
    pub(super) is_foreign: bool,
    /// A companion key held another type and was replaced.
    pub(super) is_replaced: bool,
    pub(super) previous: Previous,
    /// The value, or only its entity tag if the reader has the value.
    content: Option<Content>,
    failure: String,
    age_ms: i64,
    /// Milliseconds for which the value remains fresh, and the end of its freshness on Redis'
    /// clock.
    pub(super) ttl_ms: i64,
    pub(super) fresh_ms: i64,
    demands: Demands,
}

/// Runs the script. `reject` is the PEXPIRETIME of an invalid value that the script must ignore, or
/// empty.
pub(super) async fn lookup<S: Redis + Clone + 'static, H: Host>(
    reader: &Reader<S, H>,
    if_none_match: &str,
    reject: &str,
) -> Result<Lookup, RedisError> {
    let lease = format!("{} {}", reader.token(), reader.policy.text());
    let tags = reader.tags(false).await?;
    let mut args = vec![Arg::Int(reader.chance), Arg::Text(&lease)];
    args.extend([Arg::Text(if_none_match), Arg::Text(reject)]);
    args.extend(tags.iter().map(|tag| Arg::Text(tag)));
    args.truncate(match (if_none_match, reject) {
        _ if !tags.is_empty() => args.len(),
        ("", "") => 2,
        (_, "") => 3,
        _ => 4,
    });
    let reply = reader.store.eval(&script::CACHE_READ, reader.script_keys(), &args).await?;
    Lookup::parse(reply).ok_or(RedisError::Malformed(script::CACHE_READ.name))
}

impl Lookup {
    fn parse(reply: Vec<Reply>) -> Option<Self> {
        let mut parts = reply.into_iter();
        let info = parts.next()?;
        let mut words = info.text()?.split(' ');
        let decision = Decision::parse(words.next()?)?;
        let mut number = || words.next()?.parse::<i64>().ok();
        let (age_ms, ttl_ms, fresh_ms) = (number()?, number()?, number()?);
        let (exp, failure, written_etag) = (words.next()?, words.next()?, words.next()?);
        let (mut is_replaced, mut demands) = (false, Demands::default());
        for word in words {
            match word {
                "replaced" => is_replaced = true,
                text => demands = Demands::parse(text)?,
            }
        }
        let content = match parts.next() {
            Some(Reply::Bytes(etag)) if written_etag == "=" => {
                Some(Content::Unchanged { etag: String::from_utf8_lossy(&etag).into_owned() })
            }
            Some(Reply::Bytes(body)) => Some(Content::json(body)),
            _ => None,
        };
        // The hash also detects another service's `SET … KEEPTTL`, which leaves the expiry as it
        // was.
        let is_foreign =
            matches!(&content, Some(Content::Json { etag, .. }) if etag != written_etag);
        let previous = parts.next().and_then(|lines| {
            let (etag, last_modified) = lines.text()?.split_once('\n')?;
            let validators =
                Validators { etag: etag.to_owned(), last_modified: last_modified.to_owned() };
            Some(Previous { validators, demands })
        });
        Some(Self {
            decision,
            exp: exp.to_owned(),
            is_foreign,
            is_replaced,
            // The validators belong to the value that another service has overwritten.
            previous: previous.filter(|_| !is_foreign).unwrap_or_default(),
            content,
            failure: failure.to_owned(),
            age_ms,
            ttl_ms,
            fresh_ms,
            // And so do the demands.
            demands: if is_foreign { Demands::default() } else { demands },
        })
    }

    /// Whether the value must not be served: another service wrote it, and it is not JSON.
    pub(super) fn is_garbage(&self) -> bool {
        match &self.content {
            Some(Content::Json { body, .. }) => self.is_foreign && !is_json(body),
            _ => false,
        }
    }

    fn content(self) -> Content {
        let failed = || Content::Failed(FetchError::Failed("nothing to serve".to_owned()));
        self.content.unwrap_or_else(failed)
    }

    /// The answer with the value that was found.
    pub(super) fn serve(self) -> Answer {
        let (age_ms, ttl_ms, demands) = (self.age_ms, self.ttl_ms, self.demands);
        Answer { age_ms, ttl_ms, demands, ..Answer::fetched(self.content(), How::Hit) }
    }

    /// The answer with the value that was found and that its source has just confirmed.
    pub(super) fn renewed(self, times: Times) -> Answer {
        let Times { age_ms, fresh_ms: ttl_ms, stored, demands } = times;
        Answer { age_ms, ttl_ms, stored, demands, ..Answer::fetched(self.content(), How::Expired) }
    }

    /// The answer without a value: "not found" or the failure that the store remembers.
    pub(super) fn without_value(self) -> Answer {
        let content = match self.decision {
            Decision::Absent => Content::Absent,
            _ => Content::Failed(FetchError::from_word(&self.failure)),
        };
        let (age_ms, ttl_ms) = (self.age_ms, self.ttl_ms);
        Answer { age_ms, ttl_ms, ..Answer::fetched(content, How::Hit) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::etag_of;
    use super::*;

    #[test]
    fn replies_are_taken_apart() {
        let bytes = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        let reply = vec![
            bytes(&format!("stale-lead 1500 -500 1500 9000 - {}", etag_of(b"{}"))),
            bytes("{}"),
            bytes("\"x\"\nMon, 01 Jan"),
        ];
        let found = Lookup::parse(reply).unwrap();
        assert_eq!((found.decision, found.age_ms, found.ttl_ms), (Decision::StaleLead, 1500, -500));
        assert_eq!(found.previous.validators.etag, "\"x\"");
        assert!(!found.is_foreign && !found.is_replaced);
        assert_eq!(found.serve().content, Content::json("{}"));
        let reply = vec![bytes("stale-lead 0 0 1 2 - - replaced"), bytes("x"), bytes("\"x\"\n")];
        let found = Lookup::parse(reply).unwrap();
        assert!(found.is_foreign && found.is_replaced && found.is_garbage());
        assert!(found.previous.validators.is_empty());
        let found = Lookup::parse(vec![bytes("fresh 0 1 1 2 - ="), bytes("e")]).unwrap();
        assert!(!found.is_foreign);
        assert_eq!(found.serve().content, Content::Unchanged { etag: "e".to_owned() });
        let found = Lookup::parse(vec![bytes("cooldown 2 0 1 -2 timeout -")]).unwrap();
        assert_eq!(found.without_value().content, Content::Failed(FetchError::TimedOut));
        for bad in ["", "fresh", "fresh 1 2 3 4", "other 1 2 3 4 - -", "fresh x 2 3 4 - -"] {
            assert!(Lookup::parse(vec![bytes(bad)]).is_none(), "{bad}");
        }
    }
}
