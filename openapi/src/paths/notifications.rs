//! `/notifications`.

use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    BATCH_NOTIFICATIONS_MAX, IDEMPOTENCY_KEY_BYTES_MAX, REQUEST_ARRAY_BYTES_MAX, REQUEST_BYTES_MAX,
};

use crate::operation::Operation;
use crate::schema::{list, list_max, named, object, text_max};

pub fn operations() -> Vec<Operation> {
    let items = list_max(named("NotificationBatchItem"), BATCH_NOTIFICATIONS_MAX);
    vec![
        Operation::new(
            "notifications",
            "createNotification",
            "post /notifications",
            "Creates a notification. After a 503 or 504: retry with the same Idempotency-Key.",
        )
        .scope(Scope::NotificationsWrite)
        .header(
            "Idempotency-Key",
            text_max(IDEMPOTENCY_KEY_BYTES_MAX),
            "A repeat with the same body gets the same answer for 24 h.",
        )
        .body(named("NotificationDraft"), REQUEST_BYTES_MAX)
        .answers(201, "Committed; with Location.", named("Notification"))
        .fails(&[Code::InvalidId, Code::IdempotencyMismatch, Code::RecordUnavailable]),
        Operation::new(
            "notifications",
            "createNotifications",
            "post /notifications/batch",
            "Creates many; a result for each, in order.",
        )
        .scope(Scope::NotificationsWrite)
        .body(object([("notifications", items)]), REQUEST_ARRAY_BYTES_MAX)
        .answers(200, "The results.", object([("results", list(named("BatchResult")))]))
        .fails(&[Code::RecordUnavailable]),
    ]
}
