//! Creates, as the component `notifications` makes them, and what must come of them.

use std::collections::{BTreeMap, BTreeSet};

use runtime::feed::delivery;
use runtime::record::{Idempotency, NewEntry, Outcome};
use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::{Draft, Notification, Quiet};
use shared::preferences::{KindPreference, Preferences};

use super::expected::{Expected, KeyKept};
use super::feed::Feed;
use super::seed::uuid_v7;
use super::world::{KEYS_MS, World, user};

/// The kind that users may not want in the feed; it needs escapes in JSON.
const QUIET: &str = "quiet \"ä\\";

impl World {
    pub async fn prefer(&mut self, at: usize, feed: bool) -> Result<(), String> {
        let of_kind = KindPreference { feed: Some(feed), push: None };
        let kinds = BTreeMap::from([("other".to_owned(), KindPreference::default())]);
        let mut preferences = Preferences { kinds, ..Preferences::default() };
        preferences.kinds.insert(QUIET.to_owned(), of_kind);
        self.expected.kept.users[at].mutes = !feed;
        let put = self.record.put_preferences(&user(at), &preferences, self.now_ms).await;
        put.map_err(|error| error.to_string())
    }

    pub fn item(&self, at: usize, expires: bool, key: Option<u8>, body: u8) -> NewEntry {
        let draft = Draft {
            user_id: user(at),
            title: format!("title {body}"),
            body: None,
            kind: (body > 1).then(|| QUIET.to_owned()),
            data: (body > 0).then(|| "{ \"a\":[] }".to_owned()),
            expires_at_ms: expires.then_some(self.now_ms + 20_000),
        };
        let idempotency = key.map(|key| Idempotency {
            key: format!("key {key}"),
            request_hash: format!("{at} {body}"),
        });
        NewEntry {
            draft,
            id: uuid_v7(self.now_ms),
            created_at_ms: self.now_ms,
            idempotency,
            push: None,
        }
    }

    /// Commits and delivers, as the component `notifications` does.
    pub async fn create(&mut self, items: Vec<NewEntry>) -> Result<(), String> {
        let created = self.record.create(&items, self.now_ms - KEYS_MS).await;
        let created = created.map_err(|error| format!("create: {error}"))?;
        if self.expected.kept.epoch.is_empty() {
            self.expected.kept.epoch.clone_from(&created.epoch);
        }
        let mut groups: BTreeMap<usize, (Vec<Notification>, i64)> = BTreeMap::new();
        let counters = self.expected.kept.users.each_ref().map(|kept| kept.counter);
        for (item, outcome) in items.into_iter().zip(created.outcomes) {
            let at = (0..super::ops::USERS).find(|at| user(*at) == item.draft.user_id).unwrap();
            let (fresh, newest) = groups.entry(at).or_default();
            match self.expected.outcome(at, item, outcome, self.now_ms)? {
                Some(Committed::Fresh(notification)) => {
                    *newest = notification.seq.max(*newest);
                    fresh.push(notification);
                }
                Some(Committed::Replayed(seq)) => *newest = seq.max(*newest),
                None => {}
            }
        }
        for (at, (fresh, newest)) in groups {
            let seqs: BTreeSet<i64> = fresh.iter().map(|notification| notification.seq).collect();
            let count = i64::try_from(fresh.len()).unwrap();
            if !seqs.into_iter().eq(counters[at] + 1..=counters[at] + count) {
                return Err("seqs are not dense".to_owned());
            }
            if newest > 0 {
                self.deliver(at, &created.epoch, &fresh, newest).await?;
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        at: usize,
        epoch: &str,
        fresh: &[Notification],
        newest: i64,
    ) -> Result<(), String> {
        let before = self.look(at).await;
        let delivered = match fresh {
            [] => delivery::ensure(&self.redis, &self.record, &user(at), epoch, newest).await,
            // Half of them as those of a batch for many users are delivered.
            [one] if one.seq % 2 == 0 => {
                let all =
                    delivery::deliver_many(&self.redis, &self.record, fresh, epoch, None).await;
                all.into_iter().collect()
            }
            fresh => delivery::deliver(&self.redis, &self.record, fresh, epoch).await,
        };
        match delivered {
            Err(_) if self.struck() => return self.fell_behind(at).await,
            Err(error) => return Err(format!("the delivery failed: {error}")),
            Ok(()) => {}
        }
        if fresh.is_empty() && newest < self.expected.kept.users[at].counter {
            return Ok(());
        }
        if !fresh.is_empty() {
            let was_tainted = std::mem::take(&mut self.expected.doubts[at].is_tainted);
            self.check_on_top(at, fresh, &before, was_tainted).await?;
        }
        self.expected.delivered(at);
        Ok(())
    }

    /// New entries lie above everything that was there.
    async fn check_on_top(
        &mut self,
        at: usize,
        fresh: &[Notification],
        before: &Feed,
        was_tainted: bool,
    ) -> Result<(), String> {
        let feed = self.look(at).await;
        let kept = &self.expected.kept.users[at];
        let is_stranger = |(_, json): &(i64, &str)| kept.by_json(json).is_none();
        if feed.elements.len() > FEED_ENTRIES_MAX {
            return Err(format!("a feed longer than the feed window\n{feed:?}"));
        }
        if before.epoch.is_none() && before.ours().iter().any(is_stranger) {
            return Ok(()); // nothing tells that the list belonged to another record
        }
        if was_tainted {
            // Nothing tells how far the list had come in this one.
            let newest = fresh.iter().max_by_key(|notification| notification.seq).unwrap();
            return match feed.elements.contains(&newest.to_json()) {
                true => Ok(()),
                false => Err(format!("the new entry is not in the feed\n{before:?}\n{feed:?}")),
            };
        }
        let mut fresh: Vec<_> = fresh.iter().collect();
        fresh.sort_by_key(|notification| -notification.seq);
        fresh.truncate(FEED_ENTRIES_MAX);
        let on_top = feed.elements.iter().take(fresh.len());
        if !on_top.eq(fresh
            .iter()
            .map(|notification| notification.to_json())
            .collect::<Vec<_>>()
            .iter())
        {
            return Err(format!("the new entries are not on top\n{before:?}\n{feed:?}"));
        }
        let fresh_s = i64::try_from(FEED_TTL_S).unwrap() - 60;
        if feed.list_ttl_s < fresh_s || feed.companion_ttl_s < fresh_s {
            return Err("the expiry was not renewed".to_owned());
        }
        Ok(())
    }
}

enum Committed {
    Fresh(Notification),
    Replayed(i64),
}

impl Expected {
    /// Takes over what became of an item, if it is what must become of it.
    fn outcome(
        &mut self,
        at: usize,
        item: NewEntry,
        outcome: Outcome,
        now_ms: i64,
    ) -> Result<Option<Committed>, String> {
        let known = item.idempotency.as_ref().and_then(|given| self.kept.keys.get(&given.key));
        let known = known.filter(|known| known.created_at_ms >= now_ms - KEYS_MS);
        let is_gone = |known: &KeyKept| {
            known.is_erased || self.kept.users[known.user].entries[&known.seq].is_deleted
        };
        match (known, outcome) {
            (None, Outcome::Created { seq, quiet })
                if (quiet == Some(Quiet::Muted))
                    == (self.kept.users[at].mutes && item.draft.kind.as_deref() == Some(QUIET)) =>
            {
                let NewEntry { draft, id, created_at_ms, idempotency, .. } = item;
                let notification = Notification { id, seq, draft, created_at_ms, quiet };
                self.kept.commit(at, &notification, idempotency);
                Ok(Some(Committed::Fresh(notification)))
            }
            (Some(known), Outcome::Mismatch)
                if item.idempotency.as_ref().unwrap().request_hash != known.request_hash =>
            {
                Ok(None)
            }
            (Some(known), Outcome::Replayed { id, seq, is_deleted, quiet, .. })
                if item.idempotency.as_ref().unwrap().request_hash == known.request_hash
                    && (&id, seq, quiet) == (&known.id, known.seq, known.quiet)
                    && is_deleted == is_gone(known) =>
            {
                Ok((!is_deleted).then_some(Committed::Replayed(seq)))
            }
            (known, outcome) => Err(format!("{item:?} became {outcome:?}, known was {known:?}")),
        }
    }
}
