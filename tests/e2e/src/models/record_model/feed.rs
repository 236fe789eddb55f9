//! A feed as it lies in Redis, and the rules that hold for any feed at any time.

use std::collections::{BTreeMap, BTreeSet};

use redis::aio::MultiplexedConnection;
use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::notification::our_id_and_seq;
use shared::{UserId, keys, script};

/// List and companion, at one moment.
#[derive(Clone, Default)]
pub struct Feed {
    /// Newest first.
    pub elements: Vec<String>,
    pub list_ttl_s: i64,
    pub companion_ttl_s: i64,
    pub epoch: Option<String>,
    pub head: i64,
    /// Whether a read trusts the list.
    pub is_warm: bool,
}

/// An element in a few characters: ours by its seq and the end of its id.
pub fn short(element: &str) -> String {
    match our_id_and_seq(element) {
        Some((id, seq)) => format!("{seq}:{}", id[24..].trim_start_matches('0')),
        None => element.to_owned(),
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let elements: Vec<String> = self.elements.iter().map(|element| short(element)).collect();
        write!(f, "{:?} {} warm: {}, ", self.epoch, self.head, self.is_warm)?;
        write!(f, "ttl {} {}, [{}]", self.list_ttl_s, self.companion_ttl_s, elements.join(" "))
    }
}

impl Feed {
    pub async fn look(connection: &mut MultiplexedConnection, user: &UserId) -> Self {
        type Fields = (Option<String>, Option<i64>);
        let (list, companion) = (keys::feed(user), keys::feed_companion(user));
        let (elements, list_ttl_s, companion_ttl_s, fields): (Vec<String>, i64, i64, Fields) =
            redis::pipe()
                .atomic()
                .cmd("LRANGE")
                .arg(&list)
                .arg(0)
                .arg(-1)
                .cmd("TTL")
                .arg(&list)
                .cmd("TTL")
                .arg(&companion)
                .cmd("HMGET")
                .arg(&companion)
                .arg(&["epoch", "head"])
                .query_async(connection)
                .await
                .unwrap();
        let (epoch, head) = (fields.0, fields.1.unwrap_or(0));
        let mut trusted = redis::cmd("EVAL");
        trusted.arg(script::FEED_HEADS.source).arg(2).arg(&list).arg(&companion);
        trusted.arg(epoch.as_deref().unwrap_or_default());
        let trusted: Vec<i64> = trusted.query_async(connection).await.unwrap();
        let is_warm = trusted[0] >= 0;
        Self { elements, list_ttl_s, companion_ttl_s, epoch, head, is_warm }
    }

    /// Our elements, newest first.
    pub fn ours(&self) -> Vec<(i64, &str)> {
        let seq = |element: &String| our_id_and_seq(element).map(|(_, seq)| seq);
        self.elements.iter().filter_map(|element| Some((seq(element)?, element.as_str()))).collect()
    }

    /// Rules for one moment.
    pub fn check(&self, is_foreign_list: bool) -> Result<(), String> {
        let ours = self.ours();
        if !ours.is_sorted_by(|newer, older| newer.0 > older.0) {
            return Err("ours are out of order or twice in the feed".to_owned());
        }
        let days = i64::try_from(FEED_TTL_S).unwrap();
        if self.companion_ttl_s == -1 || self.companion_ttl_s > days || self.list_ttl_s > days {
            return Err("a companion without an expiry, or with a long one".to_owned());
        }
        if self.list_ttl_s == -1 && !is_foreign_list {
            return Err("a list without an expiry".to_owned());
        }
        Ok(())
    }

    /// Rules for what a call of ours may do to a feed that was `before`.
    pub fn check_after(&self, before: &Feed) -> Result<(), String> {
        let (old, new) = (before.numbered(), self.numbered());
        let old_set: BTreeSet<_> = old.iter().collect();
        let new_set: BTreeSet<_> = new.iter().collect();
        let kept_before = old.iter().filter(|element| new_set.contains(element));
        let kept_after = new.iter().filter(|element| old_set.contains(element));
        if !kept_before.eq(kept_after) {
            return Err("elements changed places".to_owned());
        }
        let is_foreign = |element: &&(&str, usize)| our_id_and_seq(element.0).is_none();
        if new.iter().filter(is_foreign).any(|element| !old_set.contains(element)) {
            return Err("a foreign element from nowhere".to_owned());
        }
        let mut lost = false;
        // Newest first: whatever was moved out of a full list lay at its end.
        for element in old.iter().filter(is_foreign) {
            lost |= !new_set.contains(element);
            if lost && new_set.contains(element) {
                return Err("a foreign element was lost from the middle".to_owned());
            }
        }
        if lost && self.elements.len() != FEED_ENTRIES_MAX {
            return Err("a foreign element was lost although there is room".to_owned());
        }
        Ok(())
    }

    /// Elements, newest first, each with the number of equal ones above it.
    fn numbered(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let number = |element| {
            let count = counts.entry(element).or_default();
            *count += 1;
            (element, *count)
        };
        self.elements.iter().map(String::as_str).map(number).collect()
    }
}
