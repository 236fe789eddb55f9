//! Invalidation. It always wins over a refresh that began before it.

use futures_util::future::join_all;
use shared::limits::CACHE_TAG_KEEP_MS;
use shared::{keys, script};

use super::Cache;
use super::demands::Demands;
use super::host::Host;
use super::policy::Policy;
use super::read::CacheRead;
use crate::ports::redis::{Arg, Redis, RedisError};

/// Tags invalidated at the same time on a cluster: bounds the burst at a server.
const TAGS_AT_ONCE: usize = 32;

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
        let token = reader.token();
        let mut args =
            vec![Arg::Text(mode.as_str()), Arg::Int(keep), Arg::Text(&token), Arg::Int(tag_keep())];
        let tags = reader.tags(false).await?;
        args.extend(tags.iter().map(|tag| Arg::Text(tag)));
        self.store.eval(&script::CACHE_INVALIDATE, reader.script_keys(), &args).await?;
        self.copies.forget(read.key);
        Ok(())
    }

    /// Invalidates all values that have one of `tags`. Repeating it is harmless. On a cluster each tag
    /// takes a call of its own, and some may be invalidated if another one fails.
    ///
    /// # Errors
    /// If Redis cannot be reached or accepts no writes.
    pub async fn invalidate_tags(&self, tags: &[String], mode: Mode) -> Result<(), RedisError> {
        let keys: Vec<String> = tags.iter().map(|tag| keys::cache_tag(tag)).collect();
        let version = format!("{:016x}", self.host.random());
        let args = [Arg::Text(mode.as_str()), Arg::Text(&version), Arg::Int(tag_keep())];
        if !self.store.is_cluster() {
            self.store.eval(&script::CACHE_TAGS, &keys, &args).await?;
            self.copies.clear();
            return Ok(());
        }
        for some in keys.chunks(TAGS_AT_ONCE) {
            let calls = some.iter().map(std::slice::from_ref);
            let calls = calls.map(|tag| self.store.eval(&script::CACHE_TAGS, tag, &args));
            // Each to its end: a failed one must not keep the others from their effect.
            let ended = join_all(calls).await;
            self.copies.clear();
            ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        Ok(())
    }
}

fn tag_keep() -> i64 {
    i64::try_from(CACHE_TAG_KEEP_MS).unwrap_or(i64::MAX)
}
