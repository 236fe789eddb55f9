//! `/push`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    PUSH_ADDRESSES_MAX, PUSH_AFTER_S_MAX, PUSH_COLLAPSE_CHARS_MAX, PUSH_DONE_MAX, PUSH_JOBS_MAX,
    PUSH_LEASE_MS_MAX, PUSH_LEASE_MS_MIN, PUSH_PRUNE_MAX, PUSH_TTL_S_MAX, REQUEST_ARRAY_BYTES_MAX,
    REQUEST_BYTES_MAX,
};
use shared::notification::{PushUrgency, PushWhen};

use super::{BOTH, REDIS};
use crate::operation::Operation;
use crate::schema::{
    NO_NUL, about, count, flag, integer, list, list_max, named, object, or_null, pattern, request,
    text, text_max, with_default, words,
};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let tested = object([("device", text()), ("kind", kind()), ("result", text())]);
    let next =
        about(or_null(count()), "Milliseconds until the next job is due; null without jobs.");
    let skipped = about(count(), "Due pushes that were dropped: they are no longer needed.");
    let claimed =
        object([("jobs", list(named("PushJob"))), ("skipped", skipped), ("nextDueMs", next)]);
    let lease = about(
        integer(PUSH_LEASE_MS_MIN, PUSH_LEASE_MS_MAX),
        "Time in which no other claim gets the jobs.",
    );
    let claim = request([("max", integer(1, PUSH_JOBS_MAX as i64)), ("leaseMs", lease)]);
    let settled = object([
        ("settled", about(count(), "The number of jobs.")),
        (
            "stale",
            about(count(), "The number of jobs that others have claimed since, or are gone."),
        ),
    ]);
    let users = list_max(named("UserIdInput"), PUSH_ADDRESSES_MAX);
    let kind = about(pattern(NO_NUL), "Of the notification, for preferences.");
    let query = request([("userIds", users), ("presence?", flag()), ("kind?", kind)]);
    let token = about(named("PushToken"), "Required for the device `default`.");
    let dead = request([
        ("userId", named("UserIdInput")),
        ("device", named("DeviceName")),
        ("rev", integer(0, i64::MAX)),
        ("token?", token),
    ]);
    vec![
        ("PushOptions", options()),
        ("PushKey", object([("key", about(text(), "In base64url."))])),
        ("PushTest", request([("userId", named("UserIdInput"))])),
        ("PushTestResult", tested),
        ("PushTestResults", object([("results", list(named("PushTestResult")))])),
        ("PushClaim", claim),
        ("PushJobs", claimed),
        ("PushJob", job()),
        ("PushDevice", device()),
        ("PushJobResult", result()),
        ("PushJobResults", request([("jobs", list_max(named("PushJobResult"), PUSH_JOBS_MAX))])),
        ("PushSettled", settled),
        ("PushAddressQuery", query),
        ("PushAddresses", object([("users", list(named("PushUser")))])),
        ("PushUser", user()),
        ("DeadDevice", dead),
        ("DeadDevices", request([("devices", list_max(named("DeadDevice"), PUSH_PRUNE_MAX))])),
        ("DevicesDeleted", object([("deleted", about(count(), "The number of devices."))])),
    ]
}

/// The member `push` of a create.
fn options() -> Value {
    let when = about(
        words(&PushWhen::ALL.map(PushWhen::as_str)),
        "`offline`: only if no hub holds the user then; `unread`: only if the notification is \
         unread then.",
    );
    let after = with_default(integer(0, PUSH_AFTER_S_MAX), 0);
    let ttl = with_default(integer(1, PUSH_TTL_S_MAX), PUSH_TTL_S_MAX);
    let collapse = about(
        text_max(PUSH_COLLAPSE_CHARS_MAX),
        "Pushes with the same text replace each other on the device.",
    );
    let options = request([
        ("when", when),
        ("afterSeconds?", about(after, "Time between the create and the push.")),
        ("ttlSeconds?", about(ttl, "Time from then on after which the push is worthless.")),
        ("urgency?", words(&PushUrgency::ALL.map(PushUrgency::as_str))),
        ("collapse?", collapse),
    ]);
    about(options, "Whether, when and how the notification also goes to the user's devices.")
}

fn kind() -> Value {
    words(&["apns", "fcm", "webpush"])
}

/// A device with its address.
fn device() -> Value {
    object([
        ("device", text()),
        ("kind", kind()),
        ("rev", about(count(), "0 for a token that another service stored in Redis.")),
        ("locale?", text()),
        ("timeZone?", text()),
        ("token?", text()),
        ("endpoint?", text()),
        ("p256dh?", text()),
        ("auth?", text()),
        ("topic?", text()),
        ("environment?", text()),
    ])
}

fn job() -> Value {
    object([
        ("userId", named("UserId")),
        ("seq", integer(1, i64::MAX)),
        ("rev", about(integer(1, i64::MAX), "Of this claim.")),
        ("attempts", about(count(), "Earlier attempts that count.")),
        ("id", named("NotificationId")),
        ("title", text()),
        ("body?", text()),
        ("kind?", text()),
        ("data?", about(named("Json"), "As it was sent.")),
        ("createdAtMs", integer(0, i64::MAX)),
        ("ttlSeconds", about(integer(1, PUSH_TTL_S_MAX), "Time left to deliver the push.")),
        ("urgency?", words(&PushUrgency::ALL.map(PushUrgency::as_str))),
        ("collapse?", text()),
        ("quietHours?", named("QuietHours")),
        ("done", about(list(text()), "Those of `devices` that need no further attempt.")),
        ("devices", list(named("PushDevice"))),
    ])
}

/// What came of a job.
fn result() -> Value {
    let wait = with_default(integer(0, PUSH_TTL_S_MAX * 1000), 0);
    let counted = about(with_default(flag(), true), "Whether the attempt counts.");
    let done = list_max(named("DeviceName"), PUSH_DONE_MAX);
    let responses = about(
        list_max(named("Json"), PUSH_DONE_MAX),
        "Messages for the queue `notification:responses`.",
    );
    request([
        ("userId", named("UserIdInput")),
        ("seq", integer(1, i64::MAX)),
        ("rev", integer(1, i64::MAX)),
        ("result", words(&["done", "later"])),
        ("waitMs?", about(wait, "With `later`: the time until the next attempt.")),
        ("counted?", counted),
        ("done?", about(done, "With `later`: devices that need no further attempt.")),
        ("responses?", responses),
    ])
}

fn user() -> Value {
    object([
        ("userId", named("UserId")),
        ("push", about(flag(), "Whether the user wants pushes of this kind.")),
        ("online?", about(flag(), "If asked for and known.")),
        ("quietHours?", named("QuietHours")),
        ("devices", list(named("PushDevice"))),
    ])
}

pub fn operations() -> Vec<Operation> {
    let mut operations = for_everybody();
    operations.extend(for_workers());
    operations
}

fn for_everybody() -> Vec<Operation> {
    vec![
        Operation::new("push", "readPushKey", "get /push/key", "Reads the key of Web Push.")
            .says("A page subscribes with it. 404 if Web Push is not configured.")
            .answers(200, "The public key.", named("PushKey"))
            .shows(200, json!({"key": format!("B{}", "A".repeat(86))}))
            .fails(&[Code::NotFound, Code::UnknownField, Code::InvalidField]),
        Operation::new("push", "testPush", "post /push/test", "Sends a test push.")
            .says(
                "To all devices of a user. The answer waits for a push worker, for at most 15 \
                 seconds.",
            )
            .scope(Scope::PushWrite)
            .body(named("PushTest"), REQUEST_BYTES_MAX)
            .example(json!({"userId": "alice"}))
            .answers(200, "What came of it.", named("PushTestResults"))
            .shows(
                200,
                json!({"results": [{"device": "default", "kind": "fcm", "result": "sent"}]}),
            )
            .fails(&REDIS)
            .fails(&[Code::InvalidId, Code::NotReady]),
    ]
}

fn for_workers() -> Vec<Operation> {
    let devices = json!([{"device": "default", "kind": "fcm", "rev": 1, "token": "d1:token"}]);
    vec![
        new("claimPushes", "post /push/claim", "Claims due pushes.")
            .says(
                "For push workers, as the following calls. A job is claimed again when its lease \
                 has ended; then results of the earlier claim are stale.",
            )
            .body(named("PushClaim"), REQUEST_BYTES_MAX)
            .example(json!({"max": 100, "leaseMs": 60_000}))
            .answers(200, "The jobs, and when to ask again.", named("PushJobs"))
            .shows(
                200,
                json!({"jobs": [{
                    "userId": "alice", "seq": 3, "rev": 1, "attempts": 0,
                    "id": "01a2272d-2600-7c3a-9d1e-6f2a41c08b57",
                    "title": "Your order has shipped", "kind": "order", "data": {"order": 17},
                    "createdAtMs": 1_795_953_600_000_i64, "ttlSeconds": 3600, "done": [],
                    "devices": devices,
                }], "skipped": 0, "nextDueMs": 1500}),
            ),
        new("settlePushes", "post /push/settle", "Reports what came of claimed pushes.")
            .says(
                "Responses that Redis does not take are dropped: the jobs are settled without it.",
            )
            .body(named("PushJobResults"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"jobs": [
                {"userId": "alice", "seq": 3, "rev": 1, "result": "later", "waitMs": 10_000,
                 "done": ["default"]},
            ]}))
            .answers(200, "How many of them count.", named("PushSettled"))
            .shows(200, json!({"settled": 1, "stale": 0}))
            .fails(&[Code::InvalidId]),
        new("readAddresses", "post /push/addresses", "Reads the devices of several users.")
            .body(named("PushAddressQuery"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"userIds": ["alice"], "presence": true, "kind": "order"}))
            .answers(200, "The users, in the order of the request.", named("PushAddresses"))
            .shows(
                200,
                json!({"users": [
                    {"userId": "alice", "push": true, "online": false, "devices": devices},
                ]}),
            )
            .fails(&[Code::InvalidId]),
        new("pruneDevices", "post /push/prune", "Removes dead devices.")
            .says("A device that was registered again since keeps its new address.")
            .body(named("DeadDevices"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"devices": [{"userId": "alice", "device": "phone", "rev": 2}]}))
            .answers(200, "The devices are removed.", named("DevicesDeleted"))
            .shows(200, json!({"deleted": 1}))
            .fails(&BOTH)
            .fails(&[Code::InvalidId]),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("push", id, head, summary)
        .scope(Scope::PushSend)
        .fails(&[Code::RecordUnavailable])
}
