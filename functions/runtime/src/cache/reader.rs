//! One reader of one value: its keys, its lease token, and its draw for an early refresh.

use std::rc::Rc;

use shared::keys;

use super::entry::Entry;
use super::host::{Host, unit};
use super::policy::Policy;
use crate::log;
use crate::ports::redis::Redis;

/// One reader of one value.
#[derive(Clone)]
pub(super) struct Reader<S, H> {
    pub(super) store: S,
    pub(super) host: H,
    pub(super) policy: Policy,
    /// Value, companion, lease, tags, as the scripts take them.
    pub(super) keys: Rc<[String]>,
    /// Of the lease that this reader would take.
    pub(super) token: String,
    /// XFetch: an exponentially distributed part of the cost, in thousandths. Drawn once per reader, or
    /// whoever is asked twice would refresh early less often.
    pub(super) chance: i64,
}

impl<S: Redis + Clone + 'static, H: Host> Reader<S, H> {
    pub(super) fn new(store: S, host: H, entry: Entry<'_>, policy: &Policy) -> Self {
        let own =
            [entry.key.to_owned(), keys::cache_companion(entry.key), keys::cache_lease(entry.key)];
        let tags = entry.tags.iter().map(|tag| keys::cache_tag(tag));
        let keys = own.into_iter().chain(tags).collect();
        let token = format!("{:016x}", host.random());
        let chance = (-unit(host.random()).ln() * 1000.0) as i64;
        Self { store, host, policy: policy.clone(), keys, token, chance }
    }

    /// The keys but for the lease, which says nothing about a value that is fresh.
    pub(super) fn keys_less_lease(&self) -> impl Iterator<Item = &String> {
        let (own, tags) = self.keys.split_at(self.keys.len().min(3));
        own.iter().take(2).chain(tags)
    }

    pub(super) fn warn(&self, event: &str, error: &str) {
        // Not the key: it may hold a user's id.
        log::warn(event, &[("resource", self.policy.name()), ("error", error)]);
    }
}
