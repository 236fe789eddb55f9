//! `/queues`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    QUEUE_DEAD_PAGE_DEFAULT, QUEUE_DEAD_PAGE_MAX, QUEUE_DELAY_S_MAX, QUEUE_MESSAGES_MAX,
    QUEUE_PAYLOAD_BYTES_MAX, QUEUE_PAYLOAD_DEPTH_MAX, QUEUE_REASON_BYTES_MAX,
    QUEUE_RECEIPT_CHARS_MAX, QUEUE_RECEIPTS_MAX, QUEUE_RECEIVE_DEFAULT, QUEUE_RECEIVE_MAX,
    QUEUE_RECEIVES_DEFAULT, QUEUE_RECEIVES_MAX, QUEUE_VISIBILITY_S_DEFAULT, QUEUE_VISIBILITY_S_MAX,
    QUEUE_WAIT_S_MAX, QUEUES_PAGE_DEFAULT, QUEUES_PAGE_MAX, REQUEST_ARRAY_BYTES_MAX,
    REQUEST_BYTES_MAX,
};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{
    about, bytes_max, count, flag, integer, list, named, object, or_null, pattern, request,
    some_max, text, time, with_default,
};
use crate::schemas::{Named, id, name};

pub fn schemas() -> Vec<Named> {
    let mut all = requests();
    all.extend(answers());
    all
}

fn requests() -> Vec<Named> {
    let mut queue = name("The name of a queue, which is its key in Redis.");
    queue["not"] = pattern("^(online_users$|bw:|user:|campaign:|notifications:)");
    let receipt = json!({"type": "string", "maxLength": QUEUE_RECEIPT_CHARS_MAX});
    let receipts = || some_max(named("Receipt"), QUEUE_RECEIPTS_MAX);
    let words = format!(
        "Any JSON, at most {QUEUE_PAYLOAD_BYTES_MAX} bytes and {QUEUE_PAYLOAD_DEPTH_MAX} levels each."
    );
    let messages = about(some_max(named("Json"), QUEUE_MESSAGES_MAX), &words);
    let delay = || {
        let seconds = with_default(integer(0, QUEUE_DELAY_S_MAX), 0);
        about(seconds, "Seconds until the messages can be received.")
    };
    let visibility = || {
        let words = "Seconds for which the messages are hidden from other receivers.";
        about(integer(1, QUEUE_VISIBILITY_S_MAX), words)
    };
    let ids = some_max(named("Receipt"), QUEUE_RECEIPTS_MAX);
    let most = i64::try_from(QUEUE_RECEIPTS_MAX).unwrap_or(i64::MAX);
    let dedup = id("Within five minutes, a second call with this id appends nothing.");
    vec![
        ("QueueName", queue),
        ("Receipt", about(receipt, "Identifies one receive of a message.")),
        ("DedupId", dedup),
        (
            "QueueMessages",
            request([
                ("messages", messages),
                ("delaySeconds?", delay()),
                ("dedupId?", named("DedupId")),
            ]),
        ),
        (
            "ReceiveRequest",
            request([
                ("max?", with_default(integer(1, QUEUE_RECEIVE_MAX), QUEUE_RECEIVE_DEFAULT)),
                ("visibilitySeconds?", with_default(visibility(), QUEUE_VISIBILITY_S_DEFAULT)),
                (
                    "waitSeconds?",
                    about(
                        with_default(integer(0, QUEUE_WAIT_S_MAX), 0),
                        "While the queue is empty, the answer waits for a message this long.",
                    ),
                ),
                (
                    "maxReceives?",
                    about(
                        with_default(integer(1, QUEUE_RECEIVES_MAX), QUEUE_RECEIVES_DEFAULT),
                        "A message that was received this often becomes a dead letter.",
                    ),
                ),
            ]),
        ),
        ("AckRequest", request([("receipts", receipts())])),
        (
            "NackRequest",
            request([
                ("receipts", receipts()),
                ("delaySeconds?", delay()),
                ("reason?", bytes_max(QUEUE_REASON_BYTES_MAX)),
            ]),
        ),
        ("ExtendRequest", request([("receipts", receipts()), ("visibilitySeconds", visibility())])),
        (
            "RedriveRequest",
            request([
                ("ids?", about(ids, "The ids of dead letters; without them, the oldest.")),
                ("max?", with_default(integer(1, most), most)),
            ]),
        ),
    ]
}

fn answers() -> Vec<Named> {
    let payload = || about(named("Json"), "The payload, unchanged.");
    let raw = about(text(), "Replaces `payload` if that is not JSON, or nested too deep.");
    let oldest = about(or_null(count()), "The age of the oldest message; null without messages.");
    vec![
        (
            "QueuePage",
            object([
                ("items", about(list(named("QueueName")), "In alphabetical order.")),
                ("next", named("NextCursor")),
            ]),
        ),
        (
            "QueueMessagesSent",
            object([
                ("accepted", about(count(), "The number of messages; 0 for a duplicate.")),
                ("duplicate", flag()),
            ]),
        ),
        (
            "QueueMessage",
            object([
                ("receipt", named("Receipt")),
                ("attempt", about(integer(1, i64::MAX), "The number of receives.")),
                ("payload", payload()),
            ]),
        ),
        ("ReceivedMessages", object([("messages", list(named("QueueMessage")))])),
        (
            "Settled",
            object([
                ("done", about(list(text()), "Receipts for which the call took effect.")),
                ("stale", about(list(text()), "Receipts that are no longer valid.")),
            ]),
        ),
        (
            "QueueDepth",
            object([
                ("ready", count()),
                ("delayed", count()),
                ("inFlight", about(count(), "Received, and not acknowledged yet.")),
                ("dead", count()),
                ("oldestAgeSeconds", oldest),
            ]),
        ),
        (
            "DeadLetter",
            object([
                ("id", text()),
                ("payload?", payload()),
                ("raw?", raw),
                ("attempts", about(count(), "The number of receives.")),
                ("reason", text()),
                ("diedAt", time()),
            ]),
        ),
        (
            "DeadLetterPage",
            object([("items", list(named("DeadLetter"))), ("next", named("NextCursor"))]),
        ),
        ("Redriven", object([("redriven", about(count(), "The number of messages."))])),
    ]
}

pub fn operations() -> Vec<Operation> {
    let mut all =
        vec![
        new("sendMessages", "post /queues/{queue}/messages", "Appends messages to a queue.")
            .body(named("QueueMessages"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"messages": [{"order": 17}], "delaySeconds": 5, "dedupId": "order-17"}))
            .answers(200, "The messages are in the queue.", named("QueueMessagesSent"))
            .shows(200, json!({"accepted": 1, "duplicate": false})),
        new("receiveMessages", "post /queues/{queue}/receive", "Receives messages.")
            .says(
                "A message is delivered at least once: until it is acknowledged, it is received \
                 again after its visibility timeout.",
            )
            .body_opt(named("ReceiveRequest"), REQUEST_BYTES_MAX)
            .example(json!({"max": 10, "visibilitySeconds": 30}))
            .answers(200, "The messages, if there are any.", named("ReceivedMessages"))
            .shows(200, received_example()),
        queues(),
        new("readQueue", "get /queues/{queue}", "Counts the messages of a queue.")
            .scope(Scope::QueuesRead)
            .answers(200, "The numbers of messages.", named("QueueDepth"))
            .shows(200, depth_example()),
        dead(),
        new("redriveMessages", "post /queues/{queue}/redrive", "Returns dead letters to the queue.")
            .body_opt(named("RedriveRequest"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"max": 100}))
            .answers(200, "The dead letters are in the queue again.", named("Redriven"))
            .shows(200, json!({"redriven": 1})),
    ];
    all.extend(settle());
    all
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("queues", id, head, summary)
        .scope(Scope::QueuesWrite)
        .fails(&[Code::ReservedName])
        .fails(&REDIS)
}

const RECEIPT: &str = "3f0c9a5be1d24c77a1:1";

fn received_example() -> serde_json::Value {
    json!({"messages": [{"receipt": RECEIPT, "attempt": 1, "payload": {"order": 17}}]})
}

/// What a queue holds.
pub fn depth_example() -> serde_json::Value {
    json!({"ready": 3, "delayed": 1, "inFlight": 2, "dead": 0, "oldestAgeSeconds": 12})
}

fn dead_example() -> serde_json::Value {
    let letter = json!({
        "id": "3f0c9a5be1d24c77a1", "payload": {"order": 17}, "attempts": 5, "reason": "timeout",
        "diedAt": "2026-11-29T12:00:00.000Z",
    });
    json!({"items": [letter], "next": null})
}

fn settle() -> [Operation; 3] {
    let stale = [Code::StaleReceipt];
    let receipts = json!([RECEIPT]);
    let ack = json!({"receipts": receipts});
    let nack = json!({"receipts": receipts, "delaySeconds": 60, "reason": "timeout"});
    let extend = json!({"receipts": receipts, "visibilitySeconds": 120});
    let settle = |id, head, summary, schema, example| {
        new(id, head, summary)
            .says("If none of the receipts is valid, the answer is 409.")
            .body(named(schema), REQUEST_ARRAY_BYTES_MAX)
            .example(example)
            .answers(200, "The receipts by result.", named("Settled"))
            .shows(200, json!({"done": [RECEIPT], "stale": []}))
            .fails(&stale)
    };
    [
        settle(
            "ackMessages",
            "post /queues/{queue}/ack",
            "Acknowledges messages.",
            "AckRequest",
            ack,
        ),
        settle(
            "nackMessages",
            "post /queues/{queue}/nack",
            "Returns messages to the queue.",
            "NackRequest",
            nack,
        ),
        settle(
            "extendMessages",
            "post /queues/{queue}/extend",
            "Extends the visibility timeout of messages.",
            "ExtendRequest",
            extend,
        ),
    ]
}

fn queues() -> Operation {
    let limit = with_default(integer(1, QUEUES_PAGE_MAX), QUEUES_PAGE_DEFAULT);
    Operation::new("queues", "listQueues", "get /queues", "Lists the queues that are in use.")
        .says(
            "A queue is listed for 14 days after its last use through this API, unless nothing is \
             left of it. A list that only other services have used is not. A page may have fewer \
             names than `limit`, even none: the last page is the one whose `next` is null.",
        )
        .scope(Scope::QueuesRead)
        .query("limit", limit, "The maximum number of names.")
        .query("cursor", named("QueueName"), "The `next` of the previous page.")
        .answers(200, "A page of names.", named("QueuePage"))
        .shows(200, json!({"items": ["mails", "notification:responses"], "next": null}))
        .fails(&REDIS)
}

fn dead() -> Operation {
    let limit = with_default(integer(1, QUEUE_DEAD_PAGE_MAX), QUEUE_DEAD_PAGE_DEFAULT);
    let cursor = format!("^[0-9]{{1,15}}:[A-Za-z0-9]{{1,{QUEUE_RECEIPT_CHARS_MAX}}}$");
    new("readDeadLetters", "get /queues/{queue}/dead", "Reads a page of dead letters.")
        .scope(Scope::QueuesRead)
        .says("The oldest come first.")
        .query("limit", limit, "The maximum number of dead letters.")
        .query("cursor", pattern(&cursor), "The `next` of the previous page.")
        .answers(200, "A page of dead letters.", named("DeadLetterPage"))
        .shows(200, dead_example())
}
