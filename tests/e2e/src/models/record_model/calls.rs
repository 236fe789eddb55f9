//! Reads, marks and deletes, as the component `feed` makes them, and what must come of them.

use runtime::feed::marks;
use runtime::feed::{delivery, removal};
use runtime::ports::redis::{Arg, Redis as _, RedisError, Reply};
use runtime::ports::sql::Sql as _;
use runtime::record::Marked;
use shared::feed::ScriptPage;
use shared::limits::{FEED_ENTRIES_MAX, FEED_MARKS_MAX};
use shared::notification::{expiry_of, our_id_and_seq};
use shared::time::rfc3339;
use shared::{keys, script};

use super::expected::{EntryKept, Expected};
use super::feed::Feed;
use super::world::{KEYS_MS, World, user};

/// The page of a warm answer.
pub fn page_of(reply: &[Reply]) -> Result<ScriptPage<'_>, String> {
    let text = reply.get(1).and_then(Reply::bytes);
    text.and_then(ScriptPage::parse).ok_or_else(|| format!("no page: {reply:?}"))
}

impl World {
    pub async fn read(&mut self, at: usize) -> Result<(), String> {
        let mut reply = self.ask(at, "newest", "").await;
        let was_cold = matches!(&reply, Ok(reply) if reply[0].text() == Some("cold"));
        if was_cold {
            let loaded = delivery::load_cold(&self.redis, &self.record, &user(at)).await;
            let (_, loaded) = loaded.map_err(|error| error.to_string())?;
            if loaded.is_ok() {
                reply = self.ask(at, "newest", "").await;
            }
        }
        if self.struck() {
            return Ok(());
        }
        if was_cold {
            let doubt = &mut self.expected.doubts[at];
            doubt.marks_are_stale = false;
            doubt.undead.clear();
            doubt.pruned.clear();
            self.expected.delivered(at);
        }
        let reply = reply.map_err(|error| format!("the read failed: {error}"))?;
        if reply[0].text() != Some("warm") {
            return Err(format!("the feed stays cold: {reply:?}"));
        }
        let feed = self.look(at).await;
        if feed.list_ttl_s == -1 {
            return Err(format!("a list without an expiry was read\n{feed:?}"));
        }
        self.check_answer(at, &feed, &reply)?;
        let is_known = feed.epoch.as_ref() == Some(&self.expected.kept.epoch)
            && !self.expected.doubts[at].is_tainted
            && self.expected.doubts[at].undead.is_empty();
        let page = page_of(&reply)?;
        if let (true, true, Some(cursor)) = (page.has_more, is_known, page.next) {
            let older = self.ask(at, "before", cursor).await;
            match older {
                Ok(older) => self.check_end(at, &feed, &older)?,
                Err(_) if self.struck() => {}
                Err(error) => return Err(format!("the second page failed: {error}")),
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        at: usize,
        direction: &str,
        cursor: &str,
    ) -> Result<Vec<Reply>, RedisError> {
        let (keys, now) = (feed_keys(at), rfc3339(self.now_ms));
        let max = Arg::Int(FEED_ENTRIES_MAX as i64);
        let args = [max, max, Arg::Text(&now), Arg::Text(direction), Arg::Text(cursor)];
        self.redis.eval(&script::FEED_READ, &keys, &args).await
    }

    fn check_answer(&self, at: usize, feed: &Feed, reply: &[Reply]) -> Result<(), String> {
        let now = rfc3339(self.now_ms);
        let window = feed.elements.iter().take(FEED_ENTRIES_MAX);
        let is_over = |element: &&String| {
            our_id_and_seq(element).is_some()
                && expiry_of(element).is_some_and(|expiry| expiry <= now.as_str())
        };
        let shown: Vec<&str> =
            window.filter(|element| !is_over(element)).map(String::as_str).collect();
        let page = page_of(reply)?;
        if !page.elements().eq(shown.iter().map(|element| element.as_bytes())) {
            return Err(format!("another page than the list: {reply:?}\n{feed:?}"));
        }
        let expected = &self.expected;
        let doubt = &expected.doubts[at];
        let is_known = feed.epoch.as_ref() == Some(&expected.kept.epoch) && !doubt.is_tainted;
        if !is_known || !doubt.undead.is_empty() {
            return Ok(());
        }
        let unread = page.unread;
        if !doubt.marks_are_stale && doubt.pruned.is_empty() {
            self.check_unread(at, feed, unread)?;
        }
        self.check_end(at, feed, reply)
    }

    /// The record goes on where the list ends, if it has more.
    fn check_end(&self, at: usize, feed: &Feed, reply: &[Reply]) -> Result<(), String> {
        let window = feed.elements.iter().take(FEED_ENTRIES_MAX).rev();
        let lowest = window.filter_map(|element| our_id_and_seq(element)).next();
        let lowest = lowest.map_or(feed.head + 1, |(_, seq)| seq);
        let has_more = self.expected.kept.users[at].undeleted().any(|(seq, _)| seq < lowest);
        let page = page_of(reply)?;
        if has_more && !page.has_more && page.lowest != lowest {
            let told = page.lowest;
            return Err(format!("the record has more below {lowest}, not {told}\n{feed:?}"));
        }
        Ok(())
    }

    fn check_unread(&self, at: usize, feed: &Feed, unread: i64) -> Result<(), String> {
        let kept = &self.expected.kept.users[at];
        let window = feed.elements.iter().take(FEED_ENTRIES_MAX);
        let is_unread = |entry: &&EntryKept| !entry.is_read && entry.is_live(self.now_ms);
        let count = window.filter_map(|element| kept.by_json(element)).filter(is_unread).count();
        match i64::try_from(count).unwrap() == unread {
            true => Ok(()),
            false => Err(format!("unread is {unread}, not {count}\n{feed:?}\n{kept:?}")),
        }
    }

    pub async fn mark_up_to(&mut self, at: usize, seq: i64) -> Result<(), String> {
        for (_, entry) in self.expected.kept.users[at].entries.range_mut(..=seq) {
            entry.is_read |= !entry.is_deleted;
        }
        self.mark(at, &Marked::UpTo(seq)).await
    }

    pub async fn mark_ids(&mut self, at: usize, picks: &[u8]) -> Result<(), String> {
        let mut ids = vec!["unknown".to_owned()];
        for pick in picks {
            let count = self.expected.kept.users[at].entries.len();
            let entries = self.expected.kept.users[at].entries.values_mut();
            if let Some(entry) = entries.rev().nth(usize::from(*pick) % count.max(1)) {
                entry.is_read |= !entry.is_deleted;
                ids.push(entry.id.clone());
            }
        }
        self.mark(at, &Marked::Ids(ids)).await
    }

    async fn mark(&mut self, at: usize, marked: &Marked) -> Result<(), String> {
        let marks = self.record.mark_read(&user(at), marked, self.now_ms, FEED_MARKS_MAX).await;
        let marks = marks.map_err(|error| error.to_string())?;
        let before = self.look(at).await;
        let was_cold = !before.is_warm || before.epoch.as_ref() != Some(&marks.at.epoch);
        let unread =
            marks::bring(&self.redis, &self.record, &user(at), &marks, &[], self.now_ms, "").await;
        if self.struck() {
            self.expected.doubts[at].marks_are_stale = true;
            return Ok(());
        }
        let unread = unread.map_err(|error| format!("the marks failed: {error}"))?;
        if was_cold {
            self.expected.doubts[at].undead.clear();
            self.expected.doubts[at].pruned.clear();
            self.expected.delivered(at);
        }
        self.expected.doubts[at].marks_are_stale = false;
        let (feed, doubt) = (self.look(at).await, &self.expected.doubts[at]);
        let is_of_record = feed.epoch.as_ref() == Some(&self.expected.kept.epoch);
        if !is_of_record && !doubt.is_tainted && !self.expected.kept.epoch.is_empty() {
            return Err(format!("marks were brought to a feed of another epoch\n{feed:?}"));
        }
        if is_of_record && !doubt.is_tainted && doubt.undead.is_empty() && doubt.pruned.is_empty() {
            self.check_unread(at, &feed, unread)?;
        }
        Ok(())
    }

    pub async fn delete(&mut self, at: usize, pick: u8) -> Result<(), String> {
        let kept = &mut self.expected.kept.users[at];
        let count = kept.entries.len();
        let Some(entry) = kept.entries.values_mut().rev().nth(usize::from(pick) % count.max(1))
        else {
            return Ok(());
        };
        entry.is_deleted = true;
        let (id, json) = (entry.id.clone(), entry.json.clone());
        let rev =
            self.record.delete(&user(at), &id, self.now_ms).await.map_err(|e| e.to_string())?;
        let rev = rev.ok_or("the record does not know an entry")?;
        let forgotten = removal::forget(&self.redis, &user(at), &id, &rev, self.now_ms).await;
        let struck = self.struck();
        let doubt = &mut self.expected.doubts[at];
        match forgotten {
            Err(_) if struck => {
                doubt.undead.insert(json);
                doubt.vacant += 1;
                return Ok(());
            }
            Err(error) => return Err(format!("the delete failed: {error}")),
            Ok(()) => {
                doubt.undead.remove(&json);
                doubt.vacant += 1;
            }
        }
        match self.look(at).await.elements.contains(&json) {
            true => Err("a deleted entry is in the feed".to_owned()),
            false => Ok(()),
        }
    }

    pub async fn erase(&mut self, at: usize) -> Result<(), String> {
        let kept = &mut self.expected.kept;
        let erased = std::mem::take(&mut kept.users[at].entries);
        let keys_since_ms = self.now_ms - KEYS_MS;
        kept.keys.retain(|_, key| key.user != at || key.created_at_ms >= keys_since_ms);
        for key in kept.keys.values_mut().filter(|key| key.user == at) {
            key.is_erased = true;
        }
        let rev =
            self.record.erase(&user(at), keys_since_ms).await.map_err(|error| error.to_string())?;
        self.check_nothing_is_left(at).await?;
        let forgotten = removal::forget_all(&self.redis, &user(at), &rev, self.now_ms).await;
        match forgotten {
            Err(_) if self.struck() => {
                let jsons = erased.into_values().map(|entry| entry.json);
                self.expected.doubts[at].undead.extend(jsons);
                Ok(())
            }
            Err(error) => Err(format!("the erase failed: {error}")),
            Ok(()) => {
                let doubt = &mut self.expected.doubts[at];
                *doubt = super::expected::Doubt { lost_data: true, ..Default::default() };
                match self.look(at).await.elements.is_empty() {
                    true => Ok(()),
                    false => Err("an erased feed is not empty".to_owned()),
                }
            }
        }
    }
}

impl World {
    /// No row of the record knows the user any more, but for the counter's.
    async fn check_nothing_is_left(&self, at: usize) -> Result<(), String> {
        let table = self.database.table("notifications");
        let statement = format!("SELECT id FROM {table} WHERE user_id = '{}'", user(at));
        let rows = self.record.sql().query(&statement, Vec::new()).await;
        match rows.map_err(|error| error.text)?.as_slice() {
            [] => Ok(()),
            rows => Err(format!("an erase left {rows:?}")),
        }
    }
}

fn feed_keys(at: usize) -> [String; 2] {
    [keys::feed(&user(at)), keys::feed_companion(&user(at))]
}

/// Compares a warm feed of the record's epoch with the record.
pub fn check_content(expected: &Expected, at: usize, feed: &Feed) -> Result<(), String> {
    let (kept, doubt) = (&expected.kept.users[at], &expected.doubts[at]);
    let ours = feed.ours();
    let ours = ours
        .iter()
        .filter(|(_, json)| !doubt.undead.contains(*json) && !doubt.pruned.contains(*json));
    let ours: Vec<&str> = ours.map(|(_, json)| *json).collect();
    let wanted: Vec<&str> = kept
        .undeleted()
        .filter(|(seq, _)| *seq <= feed.head)
        .map(|(_, entry)| entry.json.as_str())
        .collect();
    if !wanted.starts_with(&ours) {
        return Err("the feed is not what the record has".to_owned());
    }
    if ours.len() < wanted.len() && feed.elements.len() + doubt.vacant < FEED_ENTRIES_MAX {
        return Err("entries are missing at the end of a feed that is not full".to_owned());
    }
    if !doubt.is_behind && kept.undeleted().any(|(seq, _)| seq > feed.head) {
        return Err("the feed is behind the record".to_owned());
    }
    Ok(())
}
