//! `/users/{user}/notifications`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{FEED_ENTRIES_MAX, FEED_PAGE_DEFAULT, MARK_IDS_MAX, REQUEST_BYTES_MAX};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{
    about, any_of, count, flag, integer, list, list_max, named, nothing, object, one_of,
    with_default,
};
use crate::schemas::{Named, id};

pub fn schemas() -> Vec<Named> {
    let ids = list_max(named("NotificationId"), MARK_IDS_MAX);
    let up_to = about(integer(0, i64::MAX), "Entries up to this `seq` are marked.");
    let unread = || about(count(), "The number of unread entries among the newest 100.");
    vec![
        ("NotificationId", id("The id of a notification.")),
        ("FeedCursor", id("The id of a notification, or the `next` of a page.")),
        ("ForeignEntry", foreign()),
        (
            "FeedEntry",
            about(
                one_of(&[named("Notification"), named("ForeignEntry")]),
                "Bellwire's own entries have both `seq` and `delivery`.",
            ),
        ),
        (
            "FeedPage",
            object([
                ("notifications", about(list(named("FeedEntry")), "Newest first.")),
                ("unread", unread()),
                ("next", named("NextCursor")),
            ]),
        ),
        ("MarkUpTo", object([("upTo", up_to), ("ids?", nothing())])),
        ("MarkIds", object([("ids", ids), ("upTo?", nothing())])),
        ("MarkRead", any_of(&[named("MarkUpTo"), named("MarkIds")])),
        ("Unread", object([("unread", unread())])),
    ]
}

pub fn operations() -> Vec<Operation> {
    vec![
        page(),
        Operation::new(
            "feed",
            "readNotification",
            "get /users/{user}/notifications/{id}",
            "Reads one notification.",
        )
        .self_or(Scope::FeedRead)
        .answers(200, "The notification.", named("FeedEntry"))
        .shows(200, entry_example())
        .fails(&[Code::NotFound])
        .fails(&BOTH),
        Operation::new(
            "feed",
            "deleteNotification",
            "delete /users/{user}/notifications/{id}",
            "Deletes one notification.",
        )
        .says("The hub tells the user's sockets.")
        .self_or(Scope::NotificationsWrite)
        .empty(204, "The notification is deleted.")
        .fails(&[Code::NotFound])
        .fails(&BOTH),
        Operation::new(
            "feed",
            "markRead",
            "post /users/{user}/notifications/read",
            "Marks notifications as read.",
        )
        .says("Either all up to a `seq`, or some by id. The hub tells the user's sockets.")
        .self_or(Scope::NotificationsWrite)
        .body(named("MarkRead"), REQUEST_BYTES_MAX)
        .example(json!({"upTo": 3}))
        .answers(200, "The notifications are marked.", named("Unread"))
        .shows(200, json!({"unread": 0}))
        .fails(&BOTH),
    ]
}

fn page() -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": FEED_ENTRIES_MAX,
    });
    let cursor = || named("FeedCursor");
    Operation::new(
        "feed",
        "readFeed",
        "get /users/{user}/notifications",
        "Reads a page of a user's feed.",
    )
    .says("The newest come first. `before` and `after` cannot be used together.")
    .self_or(Scope::FeedRead)
    .query("limit", with_default(limit, FEED_PAGE_DEFAULT), "The maximum number of entries.")
    .query("before", cursor(), "Reads entries that are older than this one.")
    .query("after", cursor(), "Reads the oldest of the entries that are newer than this one.")
    .query(
        "unread",
        with_default(flag(), false),
        "Shows only the unread entries; entries of other services have no read mark and are left out.",
    )
    .answers(200, "A page of the feed.", named("FeedPage"))
    .shows(200, json!({"notifications": [entry_example()], "unread": 0, "next": null}))
    .revalidates()
    .fails(&[Code::CursorGone])
    .fails(&BOTH)
}

fn entry_example() -> serde_json::Value {
    let mut entry = super::notifications::created_example();
    entry["readAt"] = "2026-11-29T12:05:00.000Z".into();
    entry
}

/// An entry of another service, shown unchanged.
fn foreign() -> serde_json::Value {
    json!({
        "type": "object",
        "additionalProperties": true,
        "not": {
            "type": "object",
            "properties": {"seq": {}, "delivery": {}},
            "required": ["seq", "delivery"],
        },
        "description": "An entry of another service, as that service wrote it.",
    })
}
