//! A feed written by the functions' own scripts.

use shared::live::Live;
use shared::notification::Quiet;
use shared::script::{FEED_DELETE, FEED_MARK, FEED_PUSH, Script};
use shared::time::rfc3339;
use shared::{UserId, keys};

use super::now_s;
use super::redis::{RedisServer, ours, ours_muted, ours_until, quiet};

/// A feed written by the functions' scripts.
pub struct Feed<'a> {
    redis: &'a RedisServer,
    user: UserId,
    pub entries: Vec<String>,
    rev: i64,
}

impl<'a> Feed<'a> {
    pub async fn with(redis: &'a RedisServer, user: &str, count: i64) -> Self {
        let user = UserId::parse(user).unwrap();
        let mut feed = Self { redis, user, entries: Vec::new(), rev: 0 };
        feed.push_all((1..=count).map(|seq| (ours(feed.user.as_str(), seq), 0)).collect()).await;
        feed
    }

    pub async fn push(&mut self) {
        let seq = self.entries.len() as i64 + 1;
        self.push_all(vec![(ours(self.user.as_str(), seq), 0)]).await;
    }

    pub async fn push_until(&mut self, at_ms: i64) {
        let seq = self.entries.len() as i64 + 1;
        self.push_all(vec![(ours_until(self.user.as_str(), seq, Some(at_ms)), at_ms)]).await;
    }

    pub async fn push_muted(&mut self) {
        let seq = self.entries.len() as i64 + 1;
        self.push_all(vec![(ours_muted(self.user.as_str(), seq), -1)]).await;
    }

    /// A muted entry whose event no hub hears.
    pub async fn push_muted_unheard(&mut self) {
        let seq = self.entries.len() as i64 + 1;
        let nobody = keys::live_channel(&UserId::parse("nobody").unwrap());
        self.push_on(nobody, vec![(ours_muted(self.user.as_str(), seq), -1)]).await;
    }

    /// Imported entries, as the functions load them: the newest hundred.
    pub async fn import(&mut self, count: usize) {
        let (before, user) = (self.entries.len(), self.user.as_str().to_owned());
        let seqs = before as i64 + 1..=(before + count) as i64;
        self.entries.extend(seqs.map(|seq| quiet(&user, seq, Quiet::Imported)));
        let head = self.entries.len();
        let after = head.saturating_sub(100);
        let (after_text, head_text, rev) =
            (after.to_string(), head.to_string(), self.rev.to_string());
        let mut args = words(&["load", "e", &after_text, "0", "100", "600", &head_text, &rev, ""]);
        args.push(self.channel(keys::NOTIFICATIONS_CHANNEL));
        for at in after..head {
            let first = if at == after { after.min(before) } else { at } + 1;
            let expires_ms = if at < before { 0 } else { -1 - first.max(before + 1) as i64 };
            args.extend([(at + 1).to_string(), self.entries[at].clone(), expires_ms.to_string()]);
        }
        self.eval(&FEED_PUSH, args).await;
    }

    async fn push_all(&mut self, new: Vec<(String, i64)>) {
        self.push_on(self.channel(keys::NOTIFICATIONS_CHANNEL), new).await;
    }

    async fn push_on(&mut self, channel: String, new: Vec<(String, i64)>) {
        let before = self.entries.len().to_string();
        let mode = if self.entries.is_empty() { "load" } else { "push" };
        let head = (self.entries.len() + new.len()).to_string();
        let mut args = words(&[mode, "e", &before, &before, "100", "600", &head, "0", ""]);
        args.push(channel);
        for (entry, expires_ms) in new {
            self.entries.push(entry.clone());
            args.extend([self.entries.len().to_string(), entry, expires_ms.to_string()]);
        }
        self.eval(&FEED_PUSH, args).await;
    }

    pub async fn mark(&mut self, up_to: usize) {
        self.rev += 1;
        let reads: String = (1..=up_to).map(|seq| format!("{seq}=5;")).collect();
        let event = format!(
            r#"{{"type":"read","userId":"{}","upTo":{up_to},"unread":"#,
            self.user.as_str()
        );
        let now = rfc3339((now_s() * 1000.0) as i64);
        let (rev, channel) = (self.rev.to_string(), self.channel(keys::EVENTS_CHANNEL));
        let args = words(&[&rev, &reads, "600", "100", &now, &channel, &event, "e"]);
        self.eval(&FEED_MARK, args).await;
    }

    pub async fn delete(&mut self, seq: usize) -> String {
        let id = self.entries[seq - 1][7..43].to_owned();
        self.remove(&id, seq, &format!(r#""ids":["{id}"]"#)).await;
        id
    }

    pub async fn erase(&mut self) {
        self.remove("", 0, r#""all":true"#).await;
    }

    async fn remove(&mut self, id: &str, seq: usize, which: &str) {
        self.rev += 1;
        let user = self.user.as_str();
        let event = format!(r#"{{"type":"removed","userId":"{user}",{which},"unread":"#);
        let (rev, seq, now) =
            (self.rev.to_string(), seq.to_string(), rfc3339((now_s() * 1000.0) as i64));
        let channel = self.channel(keys::EVENTS_CHANNEL);
        let args = words(&[&rev, "600", id, "e", &seq, "100", &now, &channel, &event]);
        self.eval(&FEED_DELETE, args).await;
    }

    /// The channel on which the hub hears the user.
    fn channel(&self, common: &str) -> String {
        match self.redis.live {
            Live::All => common.to_owned(),
            _ => keys::live_channel(&self.user),
        }
    }

    async fn eval(&self, script: &Script, args: Vec<String>) {
        let (list, companion) = (keys::feed(&self.user), keys::feed_companion(&self.user));
        let mut all = vec!["EVAL", script.source, "2", &list, &companion];
        all.extend(args.iter().map(String::as_str));
        self.redis.command(&all).await;
    }
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}
