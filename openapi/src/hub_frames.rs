//! The frames of the hub's protocol `bellwire.v1`, for clients that generate types: no operation uses
//! them. docs/hub-protocol.md explains them.

use serde_json::{Value, json};
use shared::limits::MARK_IDS_MAX;

use crate::schema::{
    about, any_of, anything, count, integer, list_max, map, named, object, one_of, or_null, text,
    time, words,
};
use crate::schemas::Named;

/// The schema that stands for all of them.
pub const ANY: &str = "HubFrame";

const NAMES: [&str; 10] = [
    "HubWelcome",
    "HubNotification",
    "HubGap",
    "HubReadUpTo",
    "HubReadIds",
    "HubRemovedIds",
    "HubRemovedAll",
    "HubReconnect",
    "HubPong",
    "HubAuth",
];

pub fn schemas() -> Vec<Named> {
    let kind = |name: &str| ("type", json!({"type": "string", "const": name}));
    let epoch = || ("epoch", about(or_null(text()), "Null where there is no feed."));
    let seq = || ("seq", integer(0, i64::MAX));
    let unread = || {
        let words = "The number of unread entries among the newest 100; null if not known.";
        ("unread", about(or_null(count()), words))
    };
    let ids = || ("ids", list_max(named("NotificationId"), MARK_IDS_MAX));
    let expires = || ("expiresInMs", about(count(), "Time until the hub closes the socket."));
    let any = NAMES.map(named);
    vec![
        ("PublishedNotification", published()),
        ("HubWelcome", object([kind("welcome"), epoch(), seq(), unread(), expires()])),
        (
            "HubNotification",
            object([
                kind("notification"),
                (
                    "notification",
                    about(
                        any_of(&[named("PublishedNotification"), map(anything())]),
                        "Messages of other services are passed on unchanged.",
                    ),
                ),
            ]),
        ),
        ("HubGap", object([kind("gap"), ("reason", words(&["missed", "epoch"])), epoch(), seq()])),
        ("HubReadUpTo", object([kind("read"), ("upTo", integer(0, i64::MAX)), unread()])),
        ("HubReadIds", object([kind("read"), ids(), unread()])),
        ("HubRemovedIds", object([kind("removed"), ids(), unread()])),
        (
            "HubRemovedAll",
            object([kind("removed"), ("all", json!({"type": "boolean", "const": true})), unread()]),
        ),
        ("HubReconnect", object([kind("reconnect"), ("afterMs", count())])),
        ("HubPong", object([kind("pong"), epoch(), seq(), unread()])),
        ("HubAuth", object([kind("auth"), expires()])),
        (ANY, about(one_of(&any), "A text frame of the hub's protocol `bellwire.v1`.")),
    ]
}

/// A notification as the hub sends it: without `readAt` and `delivery`, which only a feed has.
fn published() -> Value {
    object([
        ("id", named("NotificationId")),
        ("userId", named("UserId")),
        ("seq", integer(1, i64::MAX)),
        ("title", text()),
        ("body?", text()),
        ("kind?", text()),
        ("data?", about(named("Json"), "As it was sent.")),
        ("createdAt", time()),
        ("expiresAt?", time()),
    ])
}
