//! One reader of one value: its keys, its cache lease token, and its draw for an early refresh.

use std::rc::Rc;

use shared::keys;

use super::counts::Counts;
use super::host::{Host, unit};
use super::policy::Policy;
use super::read::CacheRead;
use crate::log;
use crate::ports::redis::Redis;

/// One reader of one value.
#[derive(Clone)]
pub(super) struct Reader<S, H> {
    pub(super) store: S,
    pub(super) host: H,
    pub(super) policy: Policy,
    /// The keys of the scripts: value, companion, cache lease, tags.
    pub(super) keys: Rc<[String]>,
    /// Token of the cache lease that this reader would take.
    pub(super) token: String,
    /// XFetch: the draw for an early refresh, exponentially distributed, in thousandths of the cost
    /// of a fetch. Drawn once per reader: a read that looks twice must not get two draws.
    pub(super) chance: i64,
    /// Where fetches are counted.
    pub(super) counts: Option<Rc<Counts>>,
}

impl<S: Redis + Clone + 'static, H: Host> Reader<S, H> {
    pub(super) fn new(
        store: S,
        host: H,
        read: CacheRead<'_>,
        policy: &Policy,
        counts: Option<Rc<Counts>>,
    ) -> Self {
        let own =
            [read.key.to_owned(), keys::cache_companion(read.key), keys::cache_lease(read.key)];
        let tags = read.tags.iter().map(|tag| keys::cache_tag(tag));
        let keys = own.into_iter().chain(tags).collect();
        let token = format!("{:016x}", host.random());
        let chance = (-unit(host.random()).ln() * 1000.0) as i64;
        Self { store, host, policy: policy.clone(), keys, token, chance, counts }
    }

    /// The keys without the cache lease, which does not matter for a fresh value.
    pub(super) fn keys_less_lease(&self) -> impl Iterator<Item = &String> {
        let (own, tags) = self.keys.split_at(self.keys.len().min(3));
        own.iter().take(2).chain(tags)
    }

    pub(super) fn warn(&self, event: &str, error: &str) {
        // Without the key, which may contain a user id.
        log::warn(event, &[("resource", self.policy.name()), ("error", error)]);
    }
}
