//! Invalidation. It always wins over a refresh that began before it.

use shared::limits::CACHE_TAG_KEEP_MS;
use shared::{keys, script};

use super::Cache;
use super::demands::Demands;
use super::host::Host;
use super::policy::Policy;
use super::read::CacheRead;
use crate::ports::redis::{Arg, Redis, RedisError};

/// Whether an invalidated value may still be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The value may be served while one reader refreshes it.
    Soft,
    /// The value is removed.
    Hard,
}

impl Mode {
    /// Parses `soft` or `hard`; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "soft" => Some(Mode::Soft),
            "hard" => Some(Mode::Hard),
            _ => None,
        }
    }

    /// `soft` or `hard`.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Soft => "soft",
            Mode::Hard => "hard",
        }
    }
}

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    /// Invalidates one value. Repeating it is harmless.
    ///
    /// # Errors
    /// If Redis cannot be reached or accepts no writes; the value may still be served then.
    pub async fn invalidate(
        &self,
        read: CacheRead<'_>,
        policy: &Policy,
        mode: Mode,
    ) -> Result<(), RedisError> {
        let reader = self.reader(read, policy);
        let keep = i64::try_from(policy.keep_ms(policy.windows().fresh, &Demands::default()))
            .unwrap_or(i64::MAX);
        let args = [
            Arg::Text(mode.as_str()),
            Arg::Int(keep),
            Arg::Text(&reader.token),
            Arg::Int(tag_keep()),
        ];
        self.store.eval(&script::CACHE_INVALIDATE, &reader.keys, &args).await?;
        Ok(())
    }

    /// Invalidates all values that have one of `tags`. Repeating it is harmless.
    ///
    /// # Errors
    /// If Redis cannot be reached or accepts no writes.
    pub async fn invalidate_tags(&self, tags: &[String], mode: Mode) -> Result<(), RedisError> {
        let keys: Vec<String> = tags.iter().map(|tag| keys::cache_tag(tag)).collect();
        let version = format!("{:016x}", self.host.random());
        let args = [Arg::Text(mode.as_str()), Arg::Text(&version), Arg::Int(tag_keep())];
        self.store.eval(&script::CACHE_TAGS, &keys, &args).await?;
        Ok(())
    }
}

fn tag_keep() -> i64 {
    i64::try_from(CACHE_TAG_KEEP_MS).unwrap_or(i64::MAX)
}
