//! `bellwire feed`: a user's notifications, newest first, page by page.

use serde::Deserialize;

use super::Context;
use crate::api::{Call, join, query};
use crate::args::Feed;
use crate::failure::Outcome;
use crate::limits::FEED_PAGE_MAX;
use crate::output::{DIM, note, paint, time};

/// A page of a feed, as far as people see it.
#[derive(Deserialize)]
struct FeedPage {
    notifications: Vec<Entry>,
    unread: u64,
    next: Option<String>,
}

/// Entries of other services may have anything, or nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    seq: Option<serde_json::Value>,
    #[serde(default)]
    id: serde_json::Value,
    #[serde(default)]
    title: serde_json::Value,
    #[serde(default)]
    kind: serde_json::Value,
    #[serde(default)]
    created_at: serde_json::Value,
    read_at: Option<serde_json::Value>,
    delivery: Option<String>,
}

pub async fn run(context: &Context, args: &Feed) -> Outcome {
    let api = context.functions()?;
    let path = join(["users", &args.user, "notifications"]);
    let mut left = if args.all { usize::MAX } else { args.limit };
    let (mut before, mut rows, mut unread) = (args.before.clone(), Vec::new(), 0);
    let mut next = None;
    while left > 0 {
        let pairs = [
            ("limit", Some(left.min(FEED_PAGE_MAX).to_string())),
            ("unread", args.unread.then(|| "true".to_owned())),
            ("before", before.take()),
        ];
        let answer = api.send(Call::get(format!("{path}{}", query(&pairs)))).await?;
        let page: FeedPage = answer.json()?;
        if context.output.json {
            context.output.json_text(answer.text()?)?;
        }
        left = left.saturating_sub(page.notifications.len());
        unread = page.unread;
        rows.extend(page.notifications.iter().map(row));
        next = page.next;
        let Some(cursor) = &next else { break };
        before = Some(cursor.clone());
    }
    if context.output.json {
        return Ok(());
    }
    let head = ["", "seq", "created", "kind", "title", "id"];
    context.output.table(head, &rows, "no notifications")?;
    let more = match next {
        Some(cursor) => format!("; older ones: --before {cursor}"),
        None => String::new(),
    };
    note(paint(DIM, format!("{unread} unread of the newest 100{more}")));
    Ok(())
}

fn row(entry: &Entry) -> [String; 6] {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let is_ours = entry.delivery.is_some();
    let mark = match (is_ours, entry.read_at.is_some(), entry.delivery.as_deref()) {
        (false, ..) => "",
        (true, _, Some("pending")) => "pending",
        (true, true, _) => "read",
        (true, false, _) => "new",
    };
    [
        mark.to_owned(),
        entry.seq.as_ref().filter(|_| is_ours).map(text).unwrap_or_default(),
        time(&text(&entry.created_at)),
        text(&entry.kind),
        text(&entry.title),
        text(&entry.id),
    ]
}
