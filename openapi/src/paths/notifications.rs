//! `/notifications`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    BATCH_NOTIFICATIONS_MAX, BODY_BYTES_MAX, DATA_BYTES_MAX, DATA_DEPTH_MAX,
    IDEMPOTENCY_KEY_BYTES_MAX, KIND_CHARS_MAX, REQUEST_ARRAY_BYTES_MAX, REQUEST_BYTES_MAX,
    TITLE_CHARS_MAX,
};

use crate::headers::LOCATION;
use crate::operation::Operation;
use crate::schema::{
    about, bytes_max, integer, list, list_max, named, object, one_of, or_null, pattern, request,
    text, text_max, time, words,
};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let items = list_max(named("NotificationBatchItem"), BATCH_NOTIFICATIONS_MAX);
    let mut item = draft();
    item["properties"]["idempotencyKey"] = or_null(named("IdempotencyKey"));
    let mut key = pattern("^[ -~]+$");
    key["minLength"] = 1.into();
    key["maxLength"] = IDEMPOTENCY_KEY_BYTES_MAX.into();
    let import = list_max(named("NotificationImportItem"), BATCH_NOTIFICATIONS_MAX);
    let created = object([
        ("status", json!({"type": "integer", "const": 201})),
        ("notification", named("Notification")),
    ]);
    let failed = object([
        ("status", json!({"type": "integer", "enum": FAILED})),
        ("error", named("ItemError")),
    ]);
    let error = object([
        ("code", named("ErrorCode")),
        ("detail", about(text(), "An explanation of this error for people.")),
        ("field?", about(text(), "The invalid member of the item.")),
    ]);
    vec![
        ("IdempotencyKey", about(key, "A text chosen by the client, unique per notification.")),
        ("NotificationDraft", draft()),
        ("NotificationBatchItem", item),
        ("NotificationBatch", request([("notifications", items)])),
        ("NotificationImportItem", import_item()),
        ("NotificationImport", request([("notifications", import)])),
        ("Notification", notification()),
        ("ItemCreated", about(created, "The record holds the notification.")),
        ("ItemFailed", about(failed, "The item created nothing.")),
        ("ItemError", error),
        (
            "BatchResult",
            about(
                one_of(&[named("ItemCreated"), named("ItemFailed")]),
                "`status` tells which of the two it is.",
            ),
        ),
        ("BatchResults", object([("results", list(named("BatchResult")))])),
    ]
}

/// The statuses of one item of a batch, other than 201.
const FAILED: [u16; 3] = [400, 422, 500];

pub fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            "notifications",
            "createNotification",
            "post /notifications",
            "Creates a notification.",
        )
        .says(
            "While Redis is unavailable the answer is still 201, with `delivery` `pending`. After \
             a 5xx or no answer, repeat the request with the same `Idempotency-Key`.",
        )
        .scope(Scope::NotificationsWrite)
        .header(
            "Idempotency-Key",
            header_key(),
            "For 24 hours, a repeat of the request with this key gets the same answer.",
        )
        .body(named("NotificationDraft"), REQUEST_BYTES_MAX)
        .example(example())
        .answers(201, "The record holds the notification.", named("Notification"))
        .shows(201, created_example())
        .sends(201, &[LOCATION])
        .fails(&[Code::InvalidId, Code::IdempotencyMismatch, Code::RecordUnavailable]),
        Operation::new(
            "notifications",
            "createNotifications",
            "post /notifications/batch",
            "Creates several notifications.",
        )
        .says(
            "Each item has a result, in the order of the request. An invalid item does not prevent \
             the others from being created.",
        )
        .scope(Scope::NotificationsWrite)
        .body(named("NotificationBatch"), REQUEST_ARRAY_BYTES_MAX)
        .example(json!({"notifications": [example()]}))
        .answers(200, "The result of each item.", named("BatchResults"))
        .shows(200, json!({"results": [{"status": 201, "notification": created_example()}]}))
        .fails(&[Code::RecordUnavailable]),
        Operation::new(
            "notifications",
            "importNotifications",
            "post /notifications/import",
            "Imports notifications of another system.",
        )
        .says(
            "They keep their times and read marks, and take the user's next `seq`s in the order of \
             the request: above what the user's feed has, below what is created later. So import \
             the oldest first, and before the user's first create. Nothing is published or pushed, \
             and preferences mute none. A repeat of an `idempotencyKey` has the answer of the first \
             for as long as entries are kept (`retention_days`). Entries older than that are \
             deleted by the next `POST /admin/prune`.",
        )
        .scope(Scope::NotificationsImport)
        .body(named("NotificationImport"), REQUEST_ARRAY_BYTES_MAX)
        .example(json!({"notifications": [import_example()]}))
        .answers(200, "The result of each item.", named("BatchResults"))
        .shows(200, json!({"results": [{"status": 201, "notification": imported_example()}]}))
        .fails(&[Code::RecordUnavailable]),
    ]
}

fn import_example() -> Value {
    json!({
        "userId": "alice", "title": "Your order has shipped", "kind": "order", "data": {"order": 16},
        "createdAt": "2026-11-02T09:30:00Z", "readAt": "2026-11-02T11:05:00Z",
        "idempotencyKey": "old-notification-4711",
    })
}

fn imported_example() -> Value {
    json!({
        "id": "019a4392-5f40-7b21-8c5d-0e9a7f6b3c12", "userId": "alice", "seq": 1, "imported": true,
        "title": "Your order has shipped", "kind": "order", "data": {"order": 16},
        "createdAt": "2026-11-02T09:30:00.000Z", "readAt": "2026-11-02T11:05:00.000Z",
        "delivery": "sent",
    })
}

/// A draft without `push`, with the times of its history.
fn import_item() -> Value {
    let mut item = draft();
    if let Some(properties) = item["properties"].as_object_mut() {
        properties.remove("push");
    }
    let created = about(time(), "Between 1970 and now.");
    let read = about(time(), "When it was read; absent or null if it is unread.");
    let times = request([("createdAt", created), ("readAt?", read)]);
    for name in ["createdAt", "readAt"] {
        item["properties"][name] = times["properties"][name].clone();
    }
    item["properties"]["idempotencyKey"] = or_null(named("IdempotencyKey"));
    if let Some(required) = item["required"].as_array_mut() {
        required.push("createdAt".into());
    }
    item
}

fn example() -> Value {
    json!({
        "userId": "alice", "title": "Your order has shipped", "kind": "order",
        "data": {"order": 17}, "expiresAt": "2099-12-31T00:00:00Z",
    })
}

/// What a create is answered with.
pub fn created_example() -> Value {
    let mut created = example();
    created["id"] = "01a2272d-2600-7c3a-9d1e-6f2a41c08b57".into();
    created["seq"] = 3.into();
    created["createdAt"] = "2026-11-29T12:00:00.000Z".into();
    created["delivery"] = "sent".into();
    created
}

/// The spaces around a header's value are not part of it.
pub(super) fn header_key() -> Value {
    let mut key = pattern("^[!-~]([ -~]*[!-~])?$");
    key["minLength"] = 1.into();
    key["maxLength"] = IDEMPOTENCY_KEY_BYTES_MAX.into();
    key
}

fn draft() -> Value {
    let words = format!("At most {DATA_BYTES_MAX} bytes, nested at most {DATA_DEPTH_MAX} deep.");
    let data = json!({"$ref": "#/components/schemas/Json", "description": words});
    let kind = about(text_up_to(KIND_CHARS_MAX), "A label for clients, such as `comment`.");
    let mut draft = request([
        ("userId", named("UserIdInput")),
        ("title", text_max(TITLE_CHARS_MAX)),
        ("body?", bytes_max(BODY_BYTES_MAX)),
        ("kind?", kind),
        ("expiresAt?", about(time(), "When the entry vanishes from the feed.")),
        ("push?", named("PushOptions")),
    ]);
    // Like any JSON member, it accepts null for an absent value.
    draft["properties"]["data"] = data;
    draft
}

/// Text that may be empty.
fn text_up_to(chars_max: usize) -> Value {
    let mut text = text_max(chars_max);
    if let Some(words) = text.as_object_mut() {
        words.remove("minLength");
    }
    text
}

fn notification() -> Value {
    let seq = about(integer(1, i64::MAX), "Counts the user's notifications.");
    let muted = json!({"type": "boolean", "const": true});
    let muted = about(
        muted,
        "The user does not want this kind in the feed: read from the start, and not delivered live.",
    );
    let imported = json!({"type": "boolean", "const": true});
    let imported = about(imported, "It is history of another system: not delivered live.");
    let delivery = words(&["sent", "pending"]);
    let delivery = about(delivery, "`pending` until the notification is in the user's feed.");
    object([
        ("id", named("NotificationId")),
        ("userId", named("UserId")),
        ("seq", seq),
        ("title", text()),
        ("body?", text()),
        ("kind?", text()),
        ("data?", about(named("Json"), "As it was sent.")),
        ("createdAt", time()),
        ("expiresAt?", time()),
        ("readAt?", time()),
        ("muted?", muted),
        ("imported?", imported),
        ("delivery", delivery),
    ])
}
