//! `GET /users/{u}/notifications`: one Lua call for a warm feed; the record for cold feeds, older
//! pages, and while Redis is unreachable.

use runtime::feed::delivery::load_cold;
use runtime::http::auth;
use runtime::http::conditional;
use runtime::ports::redis::{Arg, Redis, RedisError};
use runtime::record::{Entry, Shown, Window};
use runtime::spin::clock;
use runtime::{Code, Error, RecordApp, Request, Response, log};
use shared::auth::Scope;
use shared::limits::FEED_ENTRIES_MAX;
use shared::time::rfc3339;
use shared::{UserId, keys, script};

use crate::cursor::{From, PageRequest, position};
use crate::page::{Answer, Page};

/// Answers a page, newest first, with `ETag` and 304.
///
/// # Errors
/// Request errors; `cursor_gone`; `wrong_type`; `record_unavailable` if neither Redis nor
/// the record answers.
pub async fn read(app: &RecordApp, request: &Request, user: &UserId) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require_self_or(&claims, user, Scope::FeedRead)?;
    let wanted = PageRequest::parse(request)?;
    let if_none_match = request.header_list("if-none-match")?;
    let body = page(app, user, &wanted).await?.to_json();
    let response = conditional::json(&if_none_match, body);
    Ok(response.with("cache-control", "private, no-cache"))
}

async fn page(app: &RecordApp, user: &UserId, wanted: &PageRequest) -> Result<Page, Error> {
    let now_ms = clock::now_ms();
    match ask(&app.redis, user, wanted, now_ms).await {
        Ok(Answer::Cold) => {}
        Ok(answer) => return complete(app, user, wanted, now_ms, answer).await,
        Err(RedisError::WrongType) => return Err(RedisError::WrongType.into()),
        Err(error) => {
            log::warn("feed_from_record", &[("error", &error.to_string())]);
            let window = app.record.window(user, FEED_ENTRIES_MAX).await?;
            return from_record(app, user, wanted, now_ms, &window).await;
        }
    }
    let (window, loaded) = load_cold(&app.redis, &app.record, user).await?;
    if let Err(error) = loaded {
        log::warn("feed_load_failed", &[("error", &error.to_string())]);
    } else if let Ok(answer) = ask(&app.redis, user, wanted, now_ms).await
        && answer != Answer::Cold
    {
        return complete(app, user, wanted, now_ms, answer).await;
    }
    from_record(app, user, wanted, now_ms, &window).await
}

async fn ask(
    redis: &impl Redis,
    user: &UserId,
    wanted: &PageRequest,
    now_ms: i64,
) -> Result<Answer, RedisError> {
    let keys = [keys::feed(user), keys::feed_companion(user)];
    let now = rfc3339(now_ms);
    let (direction, cursor) = match &wanted.from {
        From::Newest => ("newest", ""),
        From::Before(cursor) => ("before", cursor.as_str()),
        From::After(cursor) => ("after", cursor.as_str()),
    };
    let args = [
        Arg::Int(wanted.limit as i64),
        Arg::Int(FEED_ENTRIES_MAX as i64),
        Arg::Text(&now),
        Arg::Text(direction),
        Arg::Text(cursor),
        Arg::Int(i64::from(wanted.shown == Shown::Unread)),
    ];
    let reply = redis.eval(&script::FEED_READ, &keys, &args).await?;
    Answer::parse(&reply).ok_or(RedisError::Malformed(script::FEED_READ.name))
}

/// Continues in the record after the end of the list, or if the cursor is older than the list.
async fn complete(
    app: &RecordApp,
    user: &UserId,
    wanted: &PageRequest,
    now_ms: i64,
    answer: Answer,
) -> Result<Page, Error> {
    match answer {
        Answer::Warm { page, lowest: 0, .. } => Ok(page),
        Answer::Warm { mut page, lowest, last } => {
            let room = wanted.limit.saturating_sub(page.len());
            let mut older =
                app.record.entries_before(user, lowest, room + 1, now_ms, wanted.shown).await?;
            let has_more = older.len() > room;
            older.truncate(room);
            match room {
                0 => page.next = last.filter(|_| has_more),
                _ => page.extend(&older, i64::MAX, has_more),
            }
            Ok(page)
        }
        // Entries older than the list were published before.
        Answer::Gone { unread } => {
            let page = Page::with_unread(unread);
            in_record(app, user, wanted, now_ms, page, i64::MAX).await
        }
        Answer::Cold => Err(Error::new(Code::RedisUnavailable, "the feed could not be loaded")),
    }
}

/// A page without Redis, which lacks foreign entries.
async fn from_record(
    app: &RecordApp,
    user: &UserId,
    wanted: &PageRequest,
    now_ms: i64,
    window: &Window,
) -> Result<Page, Error> {
    let is_unread = |entry: &&Entry| entry.is_live(now_ms) && entry.read_at_ms.is_none();
    let unread = window.entries.iter().filter(is_unread);
    let unread = i64::try_from(unread.count()).unwrap_or(i64::MAX);
    in_record(app, user, wanted, now_ms, Page::with_unread(unread), window.sent_seq).await
}

/// Fills a page from the record alone.
async fn in_record(
    app: &RecordApp,
    user: &UserId,
    wanted: &PageRequest,
    now_ms: i64,
    mut page: Page,
    sent_upto: i64,
) -> Result<Page, Error> {
    let limit = wanted.limit;
    match &wanted.from {
        From::After(cursor) => {
            let seq = seq_of(app, user, cursor).await?;
            let mut newer =
                app.record.entries_after(user, seq, limit + 1, Some(now_ms), wanted.shown).await?;
            let has_more = newer.len() > limit;
            newer.truncate(limit);
            newer.reverse();
            let newest = newer.first().map(|entry| entry.notification.id.clone());
            page.extend(&newer, sent_upto, false);
            page.next = newest.filter(|_| has_more);
        }
        From::Newest | From::Before(_) => {
            let before = match &wanted.from {
                From::Before(cursor) => seq_of(app, user, cursor).await?,
                _ => i64::MAX,
            };
            let mut older =
                app.record.entries_before(user, before, limit + 1, now_ms, wanted.shown).await?;
            let has_more = older.len() > limit;
            older.truncate(limit);
            page.extend(&older, sent_upto, has_more);
        }
    }
    Ok(page)
}

/// The seq of a cursor in the record.
async fn seq_of(app: &RecordApp, user: &UserId, cursor: &str) -> Result<i64, Error> {
    match app.record.entry(user, cursor).await? {
        Some(entry) => Ok(entry.notification.seq),
        // A foreign element is above Bellwire's with this seq, which comes next below it.
        None => match position(cursor) {
            Some(seq) if seq > 0 => Ok(seq + 1),
            _ => Err(Error::new(Code::CursorGone, "the entry of this cursor no longer exists")),
        },
    }
}
