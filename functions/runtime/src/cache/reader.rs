//! One reader of one value: its keys, its cache lease token, and its draw for an early refresh.

use std::rc::Rc;

use futures_util::future::try_join_all;
use shared::cluster::slot_of;
use shared::limits::CACHE_TAG_KEEP_MS;
use shared::{keys, script};

use super::counts::Counts;
use super::host::{Host, unit};
use super::policy::Policy;
use super::read::CacheRead;
use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// Value, companion, cache lease: the keys before the tags.
const OWN_KEYS: usize = 3;

/// One reader of one value.
#[derive(Clone)]
pub(super) struct Reader<S, H> {
    pub(super) store: S,
    pub(super) host: H,
    pub(super) policy: Policy,
    /// The keys of the scripts: value, companion, cache lease, tags.
    pub(super) keys: Rc<[String]>,
    /// The random word behind [`Reader::token`].
    token: u64,
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
        let token = host.random();
        let chance = (-unit(host.random()).ln() * 1000.0) as i64;
        Self { store, host, policy: policy.clone(), keys, token, chance, counts }
    }

    /// Token of the cache lease that this reader would take. Most readers need none.
    pub(super) fn token(&self) -> String {
        format!("{:016x}", self.token)
    }

    /// The key of the value.
    pub(super) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// The keys of value and companion, and those of the tags: what [`Reader::read_plainly`] reads.
    pub(super) fn plain_keys(&self) -> (&[String], &[String]) {
        let (own, tags) = self.own_and_tags();
        (own.get(..2).unwrap_or_default(), tags)
    }

    /// Whether one script can reach value, companion and cache lease.
    ///
    /// # Errors
    /// `Refused`, on a cluster, for a key whose companion would be in another slot.
    pub(super) fn check_reach(&self) -> Result<(), RedisError> {
        if self.store.is_cluster() { self.check_slot(self.own_and_tags().0) } else { Ok(()) }
    }

    /// The keys that are in one slot: value, companion, cache lease; and the tags.
    fn own_and_tags(&self) -> (&[String], &[String]) {
        self.keys.split_at(self.keys.len().min(OWN_KEYS))
    }

    /// The keys for a script: without the tags on a cluster, where they are in other slots and
    /// [`Reader::tags`] reads them.
    pub(super) fn script_keys(&self) -> &[String] {
        if self.store.is_cluster() { self.own_and_tags().0 } else { &self.keys }
    }

    /// On a cluster the texts of the tags, for the scripts; else nothing, since the scripts read
    /// them. Missing ones get a history; `is_renewed` says that a value will be written.
    ///
    /// # Errors
    /// [`RedisError`].
    pub(super) async fn tags(&self, is_renewed: bool) -> Result<Vec<String>, RedisError> {
        let (own, tags) = self.own_and_tags();
        if !self.store.is_cluster() {
            return Ok(Vec::new());
        }
        self.check_slot(own)?;
        let token = self.token();
        let keep = i64::try_from(CACHE_TAG_KEEP_MS).unwrap_or(i64::MAX);
        let args =
            [Arg::Text(&token), Arg::Int(keep), Arg::Text(if is_renewed { "1" } else { "" })];
        let reads = tags.iter().map(|tag| {
            let tag = std::slice::from_ref(tag);
            async { self.store.eval(&script::CACHE_VERSIONS, tag, &args).await }
        });
        let texts = try_join_all(reads).await?.concat();
        if texts.len() != tags.len() {
            return Err(RedisError::Malformed(script::CACHE_VERSIONS.name));
        }
        Ok(texts.iter().map(|text| text.text().unwrap_or_default().to_owned()).collect())
    }

    /// Value, companion and tags, read by plain commands at the same time: without the cache lease,
    /// which does not matter for a fresh value.
    ///
    /// # Errors
    /// [`RedisError`].
    pub(super) async fn read_plainly(&self) -> Result<Vec<Reply>, RedisError> {
        let (own, tags) = self.own_and_tags();
        let value_and_companion = own.iter().take(2);
        if !self.store.is_cluster() {
            let keys: Vec<Arg<'_>> =
                value_and_companion.chain(tags).map(|key| Arg::Text(key)).collect();
            return self.store.command("MGET", &keys).await;
        }
        self.check_slot(own)?;
        let own: Vec<Arg<'_>> = value_and_companion.map(|key| Arg::Text(key)).collect();
        let tags = tags.iter().map(|tag| vec![Arg::Text(tag)]);
        let reads = std::iter::once(own)
            .chain(tags)
            .map(|keys| async move { self.store.command("MGET", &keys).await });
        Ok(try_join_all(reads).await?.concat())
    }

    /// # Errors
    /// `Refused` for a key whose companion would be in another slot.
    fn check_slot(&self, own: &[String]) -> Result<(), RedisError> {
        let mut slots = own.iter().map(|key| slot_of(key));
        let first = slots.next();
        match slots.all(|slot| Some(slot) == first) {
            true => Ok(()),
            false => Err(RedisError::Refused(
                "the key contains braces: on a Redis Cluster its companion is in another slot"
                    .to_owned(),
            )),
        }
    }

    pub(super) fn warn(&self, event: &str, error: &str) {
        // Without the key, which may contain a user id.
        log::warn(event, &[("resource", self.policy.name()), ("error", error)]);
    }
}
