//! Health, administration, what Redis holds, and this document.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    KEYS_COUNT_DEFAULT, KEYS_COUNT_MAX, KEYS_PATTERN_BYTES_MAX, REQUEST_BYTES_MAX, STATS_QUEUES_MAX,
};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{
    about, anything, count, flag, integer, list, named, object, or_null, text, text_max,
};

pub fn operations() -> Vec<Operation> {
    let mut all = vec![
        new("alive", "get /healthz", "The component runs.").answers(200, "Alive.", named("Health")),
        new(
            "ready",
            "get /readyz",
            "Tokens can be verified, Redis answers and permits every command, the record takes writes.",
        )
        .answers(200, "Ready.", named("Health"))
        .fails(&[Code::AuthNotConfigured, Code::NotReady])
        .fails(&[Code::RedisUnavailable, Code::RecordUnavailable]),
        new("readApi", "get /openapi.json", "This document.")
            .header("If-None-Match", text(), "Entity tags that are known.")
            .answers(200, "The document, with ETag.", anything())
            .empty(304, "The entity tag is known."),
        new(
            "eraseUser",
            "delete /users/{user}",
            "Erases what is kept about a user: record, feed, push token, presence.",
        )
        .scope(Scope::OpsWrite)
        .empty(204, "Done.")
        .fails(&BOTH),
        stats(),
        keys(),
    ];
    all.extend(administration());
    all
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("ops", id, head, summary)
}

fn administration() -> [Operation; 3] {
    [
        new("migrate", "post /admin/migrate", "Upgrades the record's tables.")
            .scope(Scope::OpsWrite)
            .body_opt(object([("rotateEpoch?", flag())]), REQUEST_BYTES_MAX)
            .answers(200, "The record's epoch.", object([("epoch", text())]))
            .fails(&[Code::RecordUnavailable]),
        new("relay", "post /admin/relay", "Delivers what Redis missed.")
            .scope(Scope::OpsWrite)
            .answers(200, "Numbers of users.", object([("sent", count()), ("pending", count())]))
            .fails(&BOTH),
        new("prune", "post /admin/prune", "Drops what is older than the retention.")
            .scope(Scope::OpsWrite)
            .answers(
                200,
                "Call again while `done` is false.",
                object([("pruned", count()), ("done", flag())]),
            )
            .fails(&[Code::RecordUnavailable]),
    ]
}

fn stats() -> Operation {
    let names = format!("At most {STATS_QUEUES_MAX} names of queues, separated by commas.");
    let known = || or_null(count());
    new("readStats", "get /stats", "Redis' numbers, and depths of queues.")
        .scope(Scope::OpsRead)
        .query("queues", text(), &names)
        .answers(
            200,
            "Null is what Redis does not tell.",
            object([
                ("connectedClients", known()),
                ("usedMemory", about(known(), "Bytes.")),
                ("maxMemory", about(known(), "Bytes; 0 without a limit.")),
                ("totalKeys", about(known(), "In all databases.")),
                ("evictedKeys", known()),
                ("keyspaceHits", known()),
                ("keyspaceMisses", known()),
                ("hitRate", about(or_null(integer(0, 100)), "Hits per hundred look-ups.")),
                ("uptimeSeconds", known()),
                (
                    "queues",
                    json!({
                        "type": "object", "additionalProperties": named("QueueDepth"),
                    }),
                ),
            ]),
        )
        .fails(&[Code::InvalidId, Code::ReservedName, Code::LimitExceeded])
        .fails(&[Code::RedisUnavailable, Code::WrongType])
}

fn keys() -> Operation {
    let count = json!({
        "type": "integer", "minimum": 1, "maximum": KEYS_COUNT_MAX, "default": KEYS_COUNT_DEFAULT,
    });
    new("scanKeys", "get /keys", "One `SCAN` step: a page may be empty, or hold a key twice.")
        .scope(Scope::OpsRead)
        .query("pattern", text_max(KEYS_PATTERN_BYTES_MAX), "As `MATCH` takes it.")
        .query("cursor", text(), "The last page's; the first is `0`.")
        .query("count", count, "Keys to look at.")
        .answers(
            200,
            "The last cursor is `0`. Bytes that are no text are shown as `\\xff`.",
            object([("keys", list(text())), ("cursor", text())]),
        )
        .fails(&[Code::LimitExceeded, Code::RedisUnavailable])
}
