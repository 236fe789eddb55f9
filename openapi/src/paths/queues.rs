//! `/queues/{queue}`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    QUEUE_DEAD_PAGE_DEFAULT, QUEUE_DEAD_PAGE_MAX, QUEUE_DELAY_S_MAX, QUEUE_MESSAGES_MAX,
    QUEUE_PAYLOAD_BYTES_MAX, QUEUE_PAYLOAD_DEPTH_MAX, QUEUE_REASON_BYTES_MAX, QUEUE_RECEIPTS_MAX,
    QUEUE_RECEIVE_DEFAULT, QUEUE_RECEIVE_MAX, QUEUE_RECEIVES_DEFAULT, QUEUE_RECEIVES_MAX,
    QUEUE_VISIBILITY_S_DEFAULT, QUEUE_VISIBILITY_S_MAX, REQUEST_ARRAY_BYTES_MAX, REQUEST_BYTES_MAX,
};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{
    about, anything, count, flag, integer, list, list_max, named, object, text, time,
};

pub fn operations() -> Vec<Operation> {
    let mut all = vec![send(), receive(), stats(), dead(), redrive()];
    all.extend(settle());
    all
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("queues", id, head, summary)
        .scope(Scope::QueuesWrite)
        .fails(&[Code::ReservedName])
        .fails(&REDIS)
}

fn with_default(minimum: i64, maximum: i64, default: i64) -> Value {
    let mut schema = integer(minimum, maximum);
    schema["default"] = default.into();
    schema
}

fn send() -> Operation {
    let words = format!(
        "Any JSON, at most {QUEUE_PAYLOAD_BYTES_MAX} bytes and {QUEUE_PAYLOAD_DEPTH_MAX} deep."
    );
    let mut messages = list_max(about(anything(), &words), QUEUE_MESSAGES_MAX);
    messages["minItems"] = 1.into();
    new("sendMessages", "post /queues/{queue}/messages", "Appends messages.")
        .body(
            object([
                ("messages", messages),
                ("delaySeconds?", with_default(0, QUEUE_DELAY_S_MAX, 0)),
                ("dedupId?", about(named("Id"), "Covers the call.")),
            ]),
            REQUEST_ARRAY_BYTES_MAX,
        )
        .answers(
            200,
            "A repeat has `accepted` 0.",
            object([("accepted", count()), ("duplicate", flag())]),
        )
}

fn receive() -> Operation {
    let message = object([("receipt", text()), ("attempt", count()), ("payload", anything())]);
    let (max, receives) = (QUEUE_RECEIVE_MAX, QUEUE_RECEIVES_MAX);
    new("receiveMessages", "post /queues/{queue}/receive", "Takes messages, at least once each.")
        .body_opt(
            object([
                ("max?", with_default(1, max, QUEUE_RECEIVE_DEFAULT)),
                (
                    "visibilitySeconds?",
                    with_default(1, QUEUE_VISIBILITY_S_MAX, QUEUE_VISIBILITY_S_DEFAULT),
                ),
                ("maxReceives?", with_default(1, receives, QUEUE_RECEIVES_DEFAULT)),
            ]),
            REQUEST_BYTES_MAX,
        )
        .answers(200, "Hidden from others for so long.", object([("messages", list(message))]))
}

fn settle() -> [Operation; 3] {
    let stale = [Code::StaleReceipt];
    let answer = || named("Settled");
    [
        new("ackMessages", "post /queues/{queue}/ack", "They are done.")
            .body(object([("receipts", named("Receipts"))]), REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "What was done, and what did not hold any more.", answer())
            .fails(&stale),
        new("nackMessages", "post /queues/{queue}/nack", "Gives them back.")
            .body(
                object([
                    ("receipts", named("Receipts")),
                    ("delaySeconds?", with_default(0, QUEUE_DELAY_S_MAX, 0)),
                    ("reason?", json!({"type": "string", "maxLength": QUEUE_REASON_BYTES_MAX})),
                ]),
                REQUEST_ARRAY_BYTES_MAX,
            )
            .answers(200, "What was given back, and what did not hold any more.", answer())
            .fails(&stale),
        new("extendMessages", "post /queues/{queue}/extend", "Hides them for longer.")
            .body(
                object([
                    ("receipts", named("Receipts")),
                    ("visibilitySeconds", integer(1, QUEUE_VISIBILITY_S_MAX)),
                ]),
                REQUEST_ARRAY_BYTES_MAX,
            )
            .answers(200, "What was extended, and what did not hold any more.", answer())
            .fails(&stale),
    ]
}

fn stats() -> Operation {
    new("readQueue", "get /queues/{queue}", "What the queue holds.").answers(
        200,
        "Numbers of messages.",
        named("QueueDepth"),
    )
}

fn dead() -> Operation {
    let letter = object([
        ("id", text()),
        ("payload?", anything()),
        ("raw?", about(text(), "A payload that is no JSON, or nested too deep.")),
        ("attempts", count()),
        ("reason", text()),
        ("diedAt", time()),
    ]);
    let limit = with_default(1, QUEUE_DEAD_PAGE_MAX, QUEUE_DEAD_PAGE_DEFAULT);
    new("readDeadLetters", "get /queues/{queue}/dead", "A page of dead letters, oldest first.")
        .query("limit", limit, "Entries of the page.")
        .query("cursor", text(), "The last page's `next`.")
        .answers(200, "A page.", object([("items", list(letter)), ("next", named("Next"))]))
}

fn redrive() -> Operation {
    let max = QUEUE_RECEIPTS_MAX;
    let whole = i64::try_from(max).unwrap_or(i64::MAX);
    new("redriveMessages", "post /queues/{queue}/redrive", "Puts dead letters back.")
        .body_opt(
            object([("ids?", list_max(text(), max)), ("max?", with_default(1, whole, whole))]),
            REQUEST_ARRAY_BYTES_MAX,
        )
        .answers(200, "How many.", object([("redriven", count())]))
}
