//! What must be in its place when all is quiet.

use std::collections::BTreeSet;

use runtime::feed::{delivery, marks};
use runtime::ports::sql::{Sql as _, Value};
use runtime::record::Marked;
use shared::keys;
use shared::limits::{FEED_ENTRIES_MAX, FEED_MARKS_MAX};
use shared::notification::{Notification, our_id_and_seq};
use support::RedisServer;

use super::super::crowd::{Member, Server};
use super::super::feed::Feed;
use super::super::seed::unique;
use super::actions::{create, item, read};
use super::{Made, NOW_MS, user};

/// Compares the record, the feed and its unread count with what was answered.
pub(super) async fn check(
    quiet: &Member,
    redis: &RedisServer,
    made: &Made,
    at: usize,
) -> Result<(), String> {
    let statement = format!(
        "SELECT seq, CASE WHEN read_at_ms IS NULL THEN 1 ELSE 0 END FROM {} \
         WHERE user_id = '{}' ORDER BY seq",
        quiet.database.table("notifications"),
        user(at)
    );
    let rows = quiet.database.query(&statement, Vec::new()).await;
    let rows = rows.map_err(|error| error.text)?;
    let number = |value: &Value| match value {
        Value::Int(value) => *value,
        other => panic!("{other:?} is no number"),
    };
    let seqs: Vec<i64> = rows.iter().map(|row| number(&row[0])).collect();
    let entries = &made.by_user[at];
    if !seqs.iter().copied().eq(1..=entries.len() as i64) || !entries.keys().eq(&seqs) {
        return Err(format!("the record is not dense: {seqs:?}"));
    }
    // What every mark and delete left behind is brought to the feed once more, as by a client.
    let marked = Marked::Ids(Vec::new());
    let marks = quiet.record.mark_read(&user(at), &marked, NOW_MS, FEED_MARKS_MAX).await;
    let marks = marks.map_err(|error| error.to_string())?;
    let brought =
        marks::bring(&quiet.redis, &quiet.record, &user(at), &marks, &[], NOW_MS, "").await;
    brought.map_err(|error| error.to_string())?;
    let unread = read(quiet, at).await?.ok_or("the feed stays cold")?;

    let feed = Feed::look(&mut redis.connection().await, &user(at)).await;
    feed.check(false)?;
    let foreign: Vec<_> =
        feed.elements.iter().filter(|element| !element.contains("title")).collect();
    if foreign.iter().collect::<BTreeSet<_>>().len() < foreign.len() {
        return Err(format!("a foreign element is there twice: {feed:?}"));
    }
    let unread_seqs: BTreeSet<i64> =
        rows.iter().filter(|row| number(&row[1]) == 1).map(|row| number(&row[0])).collect();
    let wanted = entries.values().rev().filter(|entry| !made.deleted.contains(&entry.id));
    let wanted: Vec<String> = wanted.map(Notification::to_json).collect();
    let ours = feed.ours();
    let pairs = ours
        .iter()
        .map(|(_, json)| Some(*json))
        .zip(wanted.iter().map(|json| Some(json.as_str())).chain(std::iter::repeat(None)));
    if let Some((ours, wanted)) = pairs.into_iter().find(|(ours, wanted)| ours != wanted) {
        let deleted = made.deleted.iter().find(|id| ours.unwrap_or_default().contains(*id));
        let what = "the feed is not what the record has";
        return Err(format!("{at}: {what}: {ours:?} {wanted:?} {deleted:?} {feed:?}"));
    }
    // Deletes leave places that nothing takes.
    if ours.len() < wanted.len() && feed.elements.len() + made.deleted.len() < FEED_ENTRIES_MAX {
        return Err(format!("{at}: entries are missing: {feed:?}"));
    }
    // Other services' elements may have moved ours out of the feed window, in which unread counts.
    let window = feed.elements.iter().take(FEED_ENTRIES_MAX);
    let seqs = window.filter_map(|element| our_id_and_seq(element)).map(|(_, seq)| seq);
    let counted = seqs.filter(|seq| unread_seqs.contains(seq)).count() as i64;
    match counted == unread {
        true => Ok(()),
        false => Err(format!("{at}: unread is {unread}, not {counted}: {feed:?}")),
    }
}

#[tokio::test]
async fn entries_below_the_feed_window_do_not_count_as_unread() {
    let (server, redis) = (Server::sqlite(), RedisServer::start().await);
    let quiet = Member::join(&server, &redis, 1, 0).await;
    quiet.record.migrate().await.unwrap();
    let (epoch, groups, made) = {
        let made = std::cell::RefCell::new(Made::default());
        let items = (0..FEED_ENTRIES_MAX).map(|_| item(0, false)).collect();
        let (epoch, groups) = create(&quiet, items, &made).await.unwrap();
        (epoch, groups, made.into_inner())
    };
    delivery::deliver(&quiet.redis, &quiet.record, &groups[0], &epoch).await.unwrap();
    for _ in 0..2 {
        let element = format!(r#"{{"id":"{}"}}"#, unique());
        redis.run_words::<()>(&["LPUSH", &keys::feed(&user(0)), &element]).await;
    }
    check(&quiet, &redis, &made, 0).await.unwrap();
    assert_eq!(read(&quiet, 0).await, Ok(Some(FEED_ENTRIES_MAX as i64 - 2)));
}
