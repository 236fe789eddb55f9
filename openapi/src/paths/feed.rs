//! `/users/{user}/notifications`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{FEED_ENTRIES_MAX, FEED_PAGE_DEFAULT, MARK_IDS_MAX, REQUEST_BYTES_MAX};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{any_of, count, list, list_max, named, object, text};

pub fn operations() -> Vec<Operation> {
    vec![
        page(),
        Operation::new(
            "feed",
            "readNotification",
            "get /users/{user}/notifications/{id}",
            "One notification.",
        )
        .self_or(Scope::FeedRead)
        .answers(200, "It.", named("FeedEntry"))
        .fails(&[Code::NotFound, Code::UnknownField])
        .fails(&BOTH),
        Operation::new(
            "feed",
            "deleteNotification",
            "delete /users/{user}/notifications/{id}",
            "Deletes one, everywhere.",
        )
        .self_or(Scope::NotificationsWrite)
        .empty(204, "Done.")
        .fails(&[Code::NotFound])
        .fails(&BOTH),
        Operation::new(
            "feed",
            "markRead",
            "post /users/{user}/notifications/read",
            "Marks as read: all up to a seq, or some by id. The user's sockets are told.",
        )
        .self_or(Scope::NotificationsWrite)
        .body(
            any_of(&[
                object([("upTo", count())]),
                object([("ids", list_max(named("Id"), MARK_IDS_MAX))]),
            ]),
            REQUEST_BYTES_MAX,
        )
        .answers(200, "What is still unread.", named("Unread"))
        .fails(&BOTH),
    ]
}

fn page() -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": FEED_ENTRIES_MAX, "default": FEED_PAGE_DEFAULT,
    });
    Operation::new(
        "feed",
        "readFeed",
        "get /users/{user}/notifications",
        "A page of a user's feed, newest first.",
    )
    .self_or(Scope::FeedRead)
    .query("limit", limit, "Entries of the page.")
    .query("before", named("Id"), "An id or `next`: what is older. Not with `after`.")
    .query("after", named("Id"), "An id or `next`: the oldest of what is newer.")
    .header("If-None-Match", text(), "Entity tags that are known.")
    .answers(
        200,
        "With ETag.",
        object([
            ("notifications", list(named("FeedEntry"))),
            ("unread", count()),
            ("next", named("Next")),
        ]),
    )
    .empty(304, "The entity tag is known.")
    .fails(&[Code::CursorGone])
    .fails(&BOTH)
}
