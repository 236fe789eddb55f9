//! A small model of the functions: a record in memory, `feed_push.lua` to write feeds in Redis, and
//! the relay. The record never goes back in time, so a feed is always cold, behind, or right.

use std::collections::{BTreeSet, HashMap};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::live::Live;
use shared::notification::{Draft, Notification};
use shared::{UserId, keys, script};

use crate::store::Connection;

/// Rounds of one delivery; the relay delivers the rest.
const ROUNDS_MAX: usize = 8;

#[derive(Clone)]
pub struct Entry {
    pub seq: i64,
    pub id: String,
    json: String,
}

#[derive(Default)]
struct Feed {
    entries: Vec<Entry>,
    sent: i64,
    /// The newest seq that the script has confirmed.
    pushed: i64,
    /// When Redis lost the feed, and when it was restored: `None` until then.
    losses: Vec<(Instant, Option<Instant>)>,
}

pub struct Record {
    pub epoch: String,
    live: Live,
    redis_url: String,
    feeds: Mutex<HashMap<String, Feed>>,
    connection: tokio::sync::Mutex<Option<Connection>>,
    /// Of each master.
    run_ids: Mutex<BTreeSet<String>>,
    /// The relay runs once at a time.
    relaying: tokio::sync::Mutex<()>,
}

enum Pushed {
    Ok(i64),
    Cold,
    Gap(i64),
}

impl Record {
    pub fn new(redis_url: String, epoch: String, live: Live) -> Self {
        Self {
            live,
            epoch,
            redis_url,
            feeds: Mutex::default(),
            connection: tokio::sync::Mutex::default(),
            run_ids: Mutex::default(),
            relaying: tokio::sync::Mutex::default(),
        }
    }

    /// The seq of the user's newest entry; 0 without entries.
    pub fn head(&self, user: &str) -> i64 {
        self.feeds.lock().get(user).and_then(|feed| feed.entries.last()).map_or(0, |last| last.seq)
    }

    /// The newest seq known to be in Redis.
    pub fn pushed(&self, user: &str) -> i64 {
        self.feeds.lock().get(user).map_or(0, |feed| feed.pushed)
    }

    pub fn heads(&self) -> HashMap<String, i64> {
        let feeds = self.feeds.lock();
        feeds.iter().map(|(user, feed)| (user.clone(), feed.entries.len() as i64)).collect()
    }

    pub fn created(&self) -> usize {
        self.feeds.lock().values().map(|feed| feed.entries.len()).sum()
    }

    pub fn id(&self, user: &str, seq: i64) -> Option<String> {
        let feeds = self.feeds.lock();
        feeds.get(user)?.entries.iter().find(|entry| entry.seq == seq).map(|entry| entry.id.clone())
    }

    /// Notes that Redis has lost everything, or went back in time.
    pub fn lost(&self) {
        let now = Instant::now();
        self.feeds.lock().values_mut().for_each(|feed| feed.losses.push((now, None)));
    }

    /// Whether the feed was missing or incomplete in Redis at some time since `from`.
    pub fn was_lost_since(&self, user: &str, from: Instant) -> bool {
        let feeds = self.feeds.lock();
        let Some(feed) = feeds.get(user) else { return false };
        feed.losses.iter().any(|(_, until)| until.is_none_or(|until| until >= from))
    }

    /// Commits an entry, and delivers it if Redis is available.
    pub async fn create(&self, user: &str) -> Result<()> {
        let entry = self.commit(user)?;
        self.deliver(user, Pushed::Gap(entry.seq - 1), entry.seq).await.map(drop)
    }

    fn commit(&self, user: &str) -> Result<Entry> {
        let mut feeds = self.feeds.lock();
        let feed = feeds.entry(user.to_owned()).or_default();
        let seq = feed.entries.len() as i64 + 1;
        let created_at_ms =
            i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let hex = format!("{created_at_ms:012x}");
        let (high, low) = hex.split_at(8);
        let id = format!("{high}-{low}-7000-8000-{:012x}", fastrand::u64(..1 << 48));
        let draft = Draft {
            user_id: UserId::parse(user).context("a user id")?,
            title: "Chaos".to_owned(),
            body: None,
            kind: None,
            data: Some(r#"{"empty":[ ],"large":12345678901234567890}"#.to_owned()),
            expires_at_ms: None,
        };
        let json = Notification { id: id.clone(), seq, draft, created_at_ms, quiet: None };
        let json = json.to_json();
        let entry = Entry { seq, id, json };
        feed.entries.push(entry.clone());
        Ok(entry)
    }

    /// The side effect of a `GET` of the feed: it loads a cold feed.
    pub async fn read(&self, user: &str) -> Result<()> {
        let head = self.head(user);
        self.deliver(user, Pushed::Ok(0), head).await.map(drop)
    }

    /// Continues from an answer of the script until the feed has everything up to `goal`.
    async fn deliver(&self, user: &str, first: Pushed, goal: i64) -> Result<i64> {
        let mut state = match first {
            Pushed::Gap(after) => self.push(user, after).await?,
            _ => self.run(user, "push", goal, 0, 0, &[]).await?,
        };
        for _ in 0..ROUNDS_MAX {
            state = match state {
                Pushed::Ok(head) if head >= goal => return Ok(head),
                Pushed::Ok(head) | Pushed::Gap(head) => self.push(user, head).await?,
                Pushed::Cold => self.load(user).await?,
            };
        }
        bail!("the feed of {user} kept changing")
    }

    async fn push(&self, user: &str, after: i64) -> Result<Pushed> {
        let entries: Vec<Entry> = {
            let feeds = self.feeds.lock();
            let feed = feeds.get(user).context("a feed")?;
            feed.entries.iter().skip(usize::try_from(after)?).cloned().collect()
        };
        if entries.len() > FEED_ENTRIES_MAX {
            return Ok(Pushed::Cold);
        }
        self.run(user, "push", after, 0, 0, &entries).await
    }

    async fn load(&self, user: &str) -> Result<Pushed> {
        let (entries, sent) = {
            let feeds = self.feeds.lock();
            let feed = feeds.get(user).context("a feed")?;
            let first = feed.entries.len().saturating_sub(FEED_ENTRIES_MAX);
            (feed.entries.iter().skip(first).cloned().collect::<Vec<_>>(), feed.sent)
        };
        let head = entries.last().map_or(0, |last| last.seq);
        let after = match entries.first() {
            Some(oldest) if entries.len() >= FEED_ENTRIES_MAX => oldest.seq - 1,
            _ => 0,
        };
        let pushed = self.run(user, "load", after, sent, head, &entries).await?;
        let now = Instant::now();
        if let Some(feed) = self.feeds.lock().get_mut(user) {
            feed.losses.iter_mut().for_each(|(_, until)| *until = until.or(Some(now)));
        }
        Ok(pushed)
    }

    async fn run(
        &self,
        user: &str,
        mode: &str,
        after: i64,
        publish_after: i64,
        head: i64,
        entries: &[Entry],
    ) -> Result<Pushed> {
        let user = UserId::parse(user).context("a user id")?;
        let mut call = redis::cmd("EVAL");
        call.arg(script::FEED_PUSH.source).arg(2);
        call.arg(keys::feed(&user)).arg(keys::feed_companion(&user));
        call.arg(mode).arg(&self.epoch).arg(after);
        call.arg(publish_after).arg(FEED_ENTRIES_MAX).arg(FEED_TTL_S).arg(head).arg(0).arg("");
        call.arg(self.live.channels(keys::NOTIFICATIONS_CHANNEL, &user));
        for entry in entries {
            call.arg(entry.seq).arg(&entry.json).arg(0);
        }
        let mut connection = self.connection().await?;
        let answer: redis::RedisResult<(String, i64)> = connection.run(&call).await;
        let (word, head) = self.answered(answer).await?;
        match word.as_str() {
            "ok" => {
                if let Some(feed) = self.feeds.lock().get_mut(user.as_str()) {
                    feed.pushed = head;
                }
                Ok(Pushed::Ok(head))
            }
            "cold" => Ok(Pushed::Cold),
            "gap" => Ok(Pushed::Gap(head)),
            // It fell out of the feed window while it waited; the feed is further ahead.
            "old" if mode == "push" => Ok(Pushed::Ok(head)),
            // Another load was first.
            "old" => Ok(Pushed::Cold),
            other => bail!("feed_push says {other} {head} to {mode} after {after}"),
        }
    }

    /// Sends unsent entries, as `POST /admin/relay` does; after a restart of Redis it checks every
    /// user.
    pub async fn relay(&self) -> Result<()> {
        let _one = self.relaying.lock().await;
        let run_ids = self.run_ids().await?;
        let is_new = *self.run_ids.lock() != run_ids;
        let pending: Vec<(String, i64)> = {
            let feeds = self.feeds.lock();
            let all = feeds.iter().map(|(user, feed)| (user, feed.entries.len() as i64, feed.sent));
            let wanted = all.filter(|(_, head, sent)| is_new || sent < head);
            wanted.map(|(user, head, _)| (user.clone(), head)).collect()
        };
        for (user, head) in pending {
            self.deliver(&user, Pushed::Ok(0), head).await?;
            if let Some(feed) = self.feeds.lock().get_mut(&user) {
                feed.sent = feed.sent.max(head);
                if is_new {
                    let now = Instant::now();
                    feed.losses.iter_mut().for_each(|(_, until)| *until = until.or(Some(now)));
                }
            }
        }
        *self.run_ids.lock() = run_ids;
        Ok(())
    }

    async fn run_ids(&self) -> Result<BTreeSet<String>> {
        let mut connection = self.connection().await?;
        let infos = self.answered(connection.infos().await).await?;
        let run_id = |info: &String| {
            let line = info.lines().find_map(|line| line.strip_prefix("run_id:"));
            line.map(str::to_owned)
        };
        infos.iter().map(|info| run_id(info).context("a run_id")).collect()
    }

    pub async fn connection(&self) -> Result<Connection> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        let connection = Connection::open(&self.redis_url).await?;
        Ok(slot.insert(connection).clone())
    }

    /// Discards the connection after an error of the connection.
    pub async fn answered<T>(&self, answer: redis::RedisResult<T>) -> Result<T> {
        if let Err(error) = &answer
            && (error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error())
        {
            *self.connection.lock().await = None;
        }
        Ok(answer?)
    }
}
