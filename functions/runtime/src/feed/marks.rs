//! Read marks: copies them from the record to the feed, and returns the unread count.

use shared::limits::{FEED_ENTRIES_MAX, FEED_TTL_S};
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::feed::delivery::{DeliveryError, load_cold};
use crate::log;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};
use crate::ports::sql::Sql;
use crate::record::{Entry, Marks, Record, Revision, Window};

/// Loads of a cold feed. The first may find that the record was restored and rotate the epoch; the
/// second then uses the new one.
const LOADS_MAX: usize = 2;

/// Copies the record's marks to a feed and returns the number of unread entries after that. `event`
/// is published for the user's sockets: JSON text up to the value of `unread`, which the script
/// appends. Elements of other services with an id in `theirs` are marked, too.
///
/// # Errors
/// [`DeliveryError`]; repeat the call with the marks of another
/// [`mark_read`](Record::mark_read).
pub async fn bring(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    marks: &Marks,
    theirs: &[String],
    now_ms: i64,
    event: &str,
) -> Result<i64, DeliveryError> {
    let mut told = tell(redis, user, marks, theirs, now_ms, event).await?;
    for _ in 0..LOADS_MAX {
        if told.is_some() {
            break;
        }
        let (window, loaded) = load_cold(redis, record, user).await?;
        if let Err(error) = loaded {
            log::warn("feed_load_failed", &[("error", &error.to_string())]);
        }
        // The marks of the load: its epoch may differ from that of the given marks.
        told = tell(redis, user, &Marks::of(&window), theirs, now_ms, event).await?;
    }
    told.ok_or(DeliveryError::Busy)
}

/// Tells the user's sockets how many entries are unread, after a change of the feed that no message
/// told them of. The feed has these marks already, or later ones.
///
/// # Errors
/// [`DeliveryError`].
pub async fn announce(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    marks: &Marks,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    let event = format!("{{\"type\":\"read\",\"userId\":\"{user}\",\"ids\":[],\"unread\":");
    bring(redis, record, user, marks, &[], now_ms, &event).await.map(drop)
}

/// The number of unread entries; `None` if the feed is cold or of another epoch.
async fn tell(
    redis: &impl Redis,
    user: &UserId,
    marks: &Marks,
    theirs: &[String],
    now_ms: i64,
    event: &str,
) -> Result<Option<i64>, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let (now, reads) = (rfc3339(now_ms), marks.to_text());
    let channels = redis.live().channels(keys::EVENTS_CHANNEL, user);
    let mut args = vec![
        Arg::Int(marks.at.rev),
        Arg::Text(&reads),
        Arg::Int(FEED_TTL_S as i64),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(&channels),
        Arg::Text(event),
        Arg::Text(&marks.at.epoch),
        Arg::Int(now_ms),
    ];
    args.extend(theirs.iter().map(|id| Arg::Text(id)));
    let reply = redis.eval(&script::FEED_MARK, &keys, &args).await?;
    let unread = reply.first().and_then(Reply::int);
    Ok(unread.filter(|unread| *unread >= 0))
}

impl Marks {
    /// The marks of the entries in a feed window.
    pub(super) fn of(window: &Window) -> Self {
        let read = |entry: &Entry| Some((entry.notification.seq, entry.read_at_ms?));
        Self {
            at: Revision { epoch: window.epoch.clone(), rev: window.rev },
            reads: window.entries.iter().filter_map(read).collect(),
        }
    }

    /// The marks as text for the companion key: `seq=ms;seq=ms;`.
    pub(super) fn to_text(&self) -> String {
        self.reads.iter().map(|(seq, ms)| format!("{seq}={ms};")).collect()
    }
}
