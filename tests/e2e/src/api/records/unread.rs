//! `?unread=true`: the unread entries, page by page, wherever they lie.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{On, each_database, seqs};

const ENTRIES: i64 = 140;

/// All pages of a direction, each at most `limit` long; seqs in the order in which they came.
async fn pages(on: &On, limit: usize, direction: &str, from: Option<&str>) -> Vec<i64> {
    let (mut all, mut cursor) = (Vec::new(), from.map(str::to_owned));
    for _ in 0..=ENTRIES {
        let mut query = format!("unread=true&limit={limit}");
        if let Some(cursor) = &cursor {
            query.push_str(&format!("&{direction}={cursor}"));
        }
        let page = on.page("a", &query).await;
        assert_eq!(page["unread"], on.page("a", "limit=1").await["unread"], "{}", on.name);
        let mut found = seqs(&page);
        assert!(found.len() <= limit && found.is_sorted_by(|a, b| a > b), "{found:?}");
        if direction == "after" {
            found.reverse();
        }
        all.extend(found);
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
    panic!("{}: pages without end", on.name);
}

async fn agrees(on: &On, unread: &BTreeMap<i64, String>, oldest: &str, what: &str) {
    let expected: Vec<i64> = unread.keys().rev().copied().collect();
    for limit in [7, 100] {
        assert_eq!(pages(on, limit, "before", None).await, expected, "{}, {what}", on.name);
    }
    let upwards: Vec<i64> = unread.keys().copied().filter(|seq| *seq > 1).collect();
    assert_eq!(pages(on, 9, "after", Some(oldest)).await, upwards, "{}, {what}", on.name);
}

#[tokio::test]
async fn the_unread_ones_alone_are_found_in_redis_and_in_the_record() {
    for on in each_database().await {
        let entry = |at: i64| match at % 31 {
            30 => json!({"userId": "a", "title": "old", "expiresAt": "2020-01-01T00:00:00Z"}),
            _ => json!({"userId": "a", "title": at.to_string()}),
        };
        let created = on.batch((1..=ENTRIES).map(entry).collect()).await;
        let id = |seq: i64| created[seq as usize - 1]["notification"]["id"].as_str().unwrap();
        let theirs = r#"{"id":"theirs","title":"x"}"#;
        on.redis.run_words::<redis::Value>(&["LPUSH", "notifications:a", theirs]).await;
        let mut unread: BTreeMap<i64, String> = (1..=ENTRIES)
            .filter(|seq| seq % 31 != 30)
            .map(|seq| (seq, id(seq).to_owned()))
            .collect();
        agrees(&on, &unread, id(1), "nothing is read").await;
        // Marks in the feed window and below it; long stretches and single ones.
        for range in [5..=8, 20..=60, 90..=90, 101..=125, 140..=140] {
            let ids: Vec<&str> = range.clone().map(id).collect();
            let marks = json!({ "ids": ids });
            on.call("POST", "/users/a/notifications/read", marks).await.expect(200);
            unread.retain(|seq, _| !range.contains(seq));
        }
        for seq in [3, 70, 130] {
            let path = format!("/users/a/notifications/{}", id(seq));
            on.call("DELETE", &path, Value::Null).await.expect(204);
            unread.remove(&seq);
        }
        agrees(&on, &unread, id(1), "some are read").await;
        // A cursor may be an entry that was read since.
        let below: Vec<i64> = unread.range(..120).rev().map(|(seq, _)| *seq).collect();
        assert_eq!(pages(&on, 10, "before", Some(id(120))).await, below, "{}", on.name);
        on.redis.run_words::<redis::Value>(&["FLUSHALL"]).await;
        agrees(&on, &unread, id(1), "loaded from the record").await;
        on.redis.kill();
        agrees(&on, &unread, id(1), "without Redis").await;
    }
}
