//! Health, administration, statistics of Redis, and this document.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    KEYS_COUNT_DEFAULT, KEYS_COUNT_MAX, KEYS_PATTERN_BYTES_MAX, REQUEST_BYTES_MAX, STATS_QUEUES_MAX,
};

use super::BOTH;
use crate::operation::Operation;
use crate::schema;
use crate::schema::{
    about, count, decimal, flag, integer, list, map, named, object, or_null, pattern, request,
    text, text_max, with_default,
};
use crate::schemas::{NAME_ALPHABET, Named, identifier_pattern};

pub fn schemas() -> Vec<Named> {
    let words = "Whether the record gets a new epoch, as it must after a restore from a backup.";
    let rotate = about(with_default(flag(), false), words);
    let ok = || json!({"type": "string", "const": "ok"});
    let cursor = about(text(), "The cursor of the next page; `0` on the last page.");
    let keys = about(list(text()), "Bytes that are not UTF-8 are shown as `\\xff`.");
    let live = about(schema::words(&["all", "bridge", "own"]), "The functions' variable `live`.");
    let done = about(flag(), "Whether nothing is left to delete.");
    vec![
        (
            "Health",
            object([("status", ok()), ("auth?", ok()), ("redis?", ok()), ("record?", ok())]),
        ),
        ("MigrateRequest", request([("rotateEpoch?", rotate)])),
        ("RecordEpoch", object([("epoch", about(text(), "The record's epoch."))])),
        (
            "Relayed",
            object([
                ("sent", about(count(), "The number of users whose feeds are now up to date.")),
                ("pending", about(count(), "The number of users whose feeds are still behind.")),
                ("live", live),
            ]),
        ),
        (
            "Pruned",
            object([("pruned", about(count(), "The number of rows deleted.")), ("done", done)]),
        ),
        ("Stats", stats()),
        ("KeyPage", object([("keys", keys), ("cursor", cursor)])),
    ]
}

fn stats() -> Value {
    let known = || or_null(count());
    let stats = object([
        ("connectedClients", about(known(), "On a cluster all numbers are sums over its masters.")),
        ("usedMemory", about(known(), "Bytes.")),
        ("maxMemory", about(known(), "Bytes; 0 means no limit.")),
        ("totalKeys", about(known(), "The keys of all databases.")),
        ("evictedKeys", known()),
        ("keyspaceHits", known()),
        ("keyspaceMisses", known()),
        ("hitRate", about(or_null(integer(0, 100)), "Hits per hundred lookups.")),
        ("uptimeSeconds", about(known(), "Of a cluster's master that started last.")),
        ("queues", about(map(named("QueueDepth")), "The queues that were asked for, by name.")),
    ]);
    about(stats, "A number that Redis does not report is null.")
}

fn stats_example() -> serde_json::Value {
    json!({
        "connectedClients": 12, "usedMemory": 1_520_640, "maxMemory": 0, "totalKeys": 42,
        "evictedKeys": 0, "keyspaceHits": 900, "keyspaceMisses": 100, "hitRate": 90,
        "uptimeSeconds": 3600,
        "queues": {"mails": super::queues::depth_example()},
    })
}

pub fn operations() -> Vec<Operation> {
    let mut all = vec![
        new("alive", "get /healthz", "Reports that the functions run.").answers(
            200,
            "The functions run.",
            named("Health"),
        )
        .shows(200, json!({"status": "ok"})),
        new("ready", "get /readyz", "Reports whether the functions are ready.")
            .says(
                "A key to verify tokens is configured, Redis answers and permits every command that \
                 is needed, and the record accepts writes. Otherwise `detail` names the problem.",
            )
            .answers(200, "The functions are ready.", named("Health"))
            .shows(200, json!({"status": "ok", "auth": "ok", "redis": "ok", "record": "ok"}))
            .fails(&[Code::AuthNotConfigured, Code::AuthUnavailable, Code::NotReady])
            .fails(&[Code::RedisUnavailable, Code::RecordUnavailable]),
        new("readApi", "get /openapi.json", "Reads this document.")
            .answers(200, "The document.", map(crate::schema::anything()))
            .revalidates(),
        new("eraseUser", "delete /users/{user}", "Erases all data of a user.")
            .says("This includes the record's data, the feed, the push token and the presence.")
            .scope(Scope::OpsWrite)
            .empty(204, "The data is erased, if there was any.")
            .fails(&BOTH),
        read_stats(),
        read_metrics(),
        scan_keys(),
    ];
    all.extend(administration());
    all
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("ops", id, head, summary)
}

fn administration() -> [Operation; 3] {
    [
        new("migrate", "post /admin/migrate", "Creates or upgrades the record's tables.")
            .scope(Scope::OpsWrite)
            .body_opt(named("MigrateRequest"), REQUEST_BYTES_MAX)
            .example(json!({"rotateEpoch": false}))
            .answers(200, "The tables are up to date.", named("RecordEpoch"))
            .shows(200, json!({"epoch": "5d0c1f3a9be24c77"}))
            .fails(&[Code::RecordUnavailable]),
        new("relay", "post /admin/relay", "Delivers pending notifications.")
            .scope(Scope::OpsWrite)
            .no_body()
            .answers(200, "The numbers of users, and the channels.", named("Relayed"))
            .shows(200, json!({"sent": 2, "pending": 0, "live": "all"}))
            .fails(&BOTH),
        new(
            "prune",
            "post /admin/prune",
            "Deletes notifications that are older than the retention.",
        )
        .says("A call runs for at most ten seconds: repeat it while `done` is false.")
        .scope(Scope::OpsWrite)
        .no_body()
        .answers(200, "The number of rows deleted.", named("Pruned"))
        .shows(200, json!({"pruned": 1200, "done": true}))
        .fails(&[Code::RecordUnavailable]),
    ]
}

/// Queues whose depth is wanted: schema and description.
fn queue_names() -> (Value, String) {
    let names = format!("At most {STATS_QUEUES_MAX} names of queues, separated by commas.");
    let name = identifier_pattern(NAME_ALPHABET);
    (pattern(&format!("^{name}(,{name}){{0,{}}}$", STATS_QUEUES_MAX - 1)), names)
}

fn read_metrics() -> Operation {
    let (queues, names) = queue_names();
    let shown = "bellwire_functions_ready{part=\"redis\"} 1\n";
    new("readMetrics", "get /metrics", "Reads numbers of Redis, record and queues for Prometheus.")
        .says("It is answered even if Redis or the record is away.")
        .says("A number that is not known is left out.")
        .scope(Scope::OpsRead)
        .query("queues", queues, &names)
        .answers_text(200, "The page.", "text/plain; version=0.0.4; charset=utf-8", shown)
        .fails(&[Code::InvalidId, Code::ReservedName, Code::LimitExceeded])
}

fn read_stats() -> Operation {
    let (queues, names) = queue_names();
    new("readStats", "get /stats", "Reads statistics of Redis, and the depths of queues.")
        .scope(Scope::OpsRead)
        .query("queues", queues, &names)
        .answers(200, "The statistics.", named("Stats"))
        .shows(200, stats_example())
        .fails(&[Code::InvalidId, Code::ReservedName, Code::LimitExceeded])
        .fails(&[Code::RedisUnavailable, Code::WrongType])
}

/// The cursor of `SCAN`, on a cluster with the master that it is for.
fn key_cursor() -> Value {
    let inner = |number: Value| {
        let pattern = number["pattern"].as_str().unwrap_or_default();
        pattern.trim_start_matches('^').trim_end_matches('$').to_owned()
    };
    let (number, port) = (inner(decimal(u64::MAX)), inner(decimal(u64::from(u16::MAX))));
    pattern(&format!("^{number}(@[0-9A-Za-z._:\\[\\]-]{{1,255}}:{port})?$"))
}

fn scan_keys() -> Operation {
    let count = with_default(integer(1, KEYS_COUNT_MAX), KEYS_COUNT_DEFAULT);
    new("scanKeys", "get /keys", "Lists keys of Redis, one `SCAN` step at a time.")
        .says("A page may be empty although others follow, and may contain a key twice.")
        .says("On a cluster the masters follow one another; one that is replaced may be left out.")
        .scope(Scope::OpsRead)
        .query("pattern", text_max(KEYS_PATTERN_BYTES_MAX), "A pattern in the syntax of `MATCH`.")
        .query("cursor", key_cursor(), "The `cursor` of the previous page; `0` for the first.")
        .query("count", count, "The number of keys that Redis examines.")
        .answers(200, "A page of keys.", named("KeyPage"))
        .shows(200, json!({"keys": ["notifications:alice"], "cursor": "0"}))
        .fails(&[Code::LimitExceeded, Code::RedisUnavailable])
}
