//! Schemas with a name: what several operations share.

use serde_json::{Value, json};
use shared::Code;
use shared::limits::{
    BODY_BYTES_MAX, DATA_BYTES_MAX, DATA_DEPTH_MAX, ID_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX,
    KIND_BYTES_MAX, QUEUE_RECEIPT_BYTES_MAX, QUEUE_RECEIPTS_MAX, TITLE_CHARS_MAX,
};

use crate::schema::{
    about, any_of, anything, count, flag, integer, list, list_max, named, object, or_null, text,
    text_max, time, words,
};

pub fn all() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "Problem": about(object([
            ("type", text()), ("title", text()), ("status", integer(400, 599)), ("detail", text()),
            ("code", words(&codes)), ("field?", text()),
        ]), "RFC 9457. `field` names the member, parameter or header that is wrong."),
        "Id": id("A-Za-z0-9._~@+|-", "Not `.` or `..`."),
        "Name": id("A-Za-z0-9._~@+|:-", "Not the name of a key of another capability."),
        "UserIdGiven": about(any_of(&[named("Id"), json!({"type": "integer"})]),
            "An integer counts as its decimal text."),
        "NotificationDraft": draft(None),
        "NotificationBatchItem": draft(Some(text_max(IDEMPOTENCY_KEY_BYTES_MAX))),
        "Notification": notification(),
        "FeedEntry": any_of(&[named("Notification"), foreign()]),
        "BatchResult": any_of(&[
            object([("status", json!({"const": 201})), ("notification", named("Notification"))]),
            object([("status", integer(400, 599)), ("error", object([
                ("code", words(&codes)), ("detail", text()), ("field?", text()),
            ]))]),
        ]),
        "Unread": object([("unread", count())]),
        "Next": about(or_null(text()), "Cursor of the next page; null where there is none."),
        "QueueDepth": object([
            ("ready", count()), ("delayed", count()), ("inFlight", count()), ("dead", count()),
            ("oldestAgeSeconds", or_null(count())),
        ]),
        "Receipts": receipts(),
        "Settled": object([("done", list(text())), ("stale", list(text()))]),
        "Health": object([
            ("status", text()), ("auth?", text()), ("redis?", text()), ("record?", text()),
        ]),
        "Online": object([("userId", named("Id")), ("online", flag())]),
    })
}

pub fn receipts() -> Value {
    let mut receipts = list_max(text_max(QUEUE_RECEIPT_BYTES_MAX), QUEUE_RECEIPTS_MAX);
    receipts["minItems"] = 1.into();
    receipts
}

fn id(alphabet: &str, description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": format!("^[{alphabet}]{{1,{ID_BYTES_MAX}}}$"),
        "description": description,
    })
}

/// `data` in its limits.
fn data() -> Value {
    let words = format!("Any JSON, at most {DATA_BYTES_MAX} bytes and {DATA_DEPTH_MAX} deep.");
    about(anything(), &words)
}

/// A limit in bytes, which JSON Schema counts in characters.
fn bytes(bytes_max: usize) -> Value {
    let words = format!("At most {bytes_max} bytes.");
    about(json!({"type": "string", "maxLength": bytes_max}), &words)
}

fn draft(idempotency_key: Option<Value>) -> Value {
    let mut draft = object([
        ("userId", named("UserIdGiven")),
        ("title", text_max(TITLE_CHARS_MAX)),
        ("body?", bytes(BODY_BYTES_MAX)),
        ("kind?", bytes(KIND_BYTES_MAX)),
        ("data?", data()),
        ("expiresAt?", time()),
    ]);
    if let Some(schema) = idempotency_key {
        draft["properties"]["idempotencyKey"] = schema;
    }
    draft
}

fn notification() -> Value {
    object([
        ("id", text()),
        ("userId", named("Id")),
        ("seq", count()),
        ("title", text_max(TITLE_CHARS_MAX)),
        ("body?", bytes(BODY_BYTES_MAX)),
        ("kind?", bytes(KIND_BYTES_MAX)),
        ("data?", data()),
        ("createdAt", time()),
        ("expiresAt?", time()),
        ("readAt?", time()),
        ("delivery", words(&["sent", "pending"])),
    ])
}

/// What another service wrote, shown as it is.
fn foreign() -> Value {
    json!({
        "type": "object",
        "additionalProperties": true,
        "not": {"required": ["seq", "delivery"]},
        "description": "An entry of another service, as it wrote it.",
    })
}
