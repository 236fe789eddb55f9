//! `/cache`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    CACHE_INVALIDATE_TAGS_MAX, CACHE_READ_BYTES_MAX, CACHE_READ_PATHS_MAX, CACHE_READ_WAIT_MS,
    CACHE_TAG_BYTES_MAX, REQUEST_ARRAY_BYTES_MAX,
};

use super::REDIS;
use crate::headers::{AGE, CACHE_CONTROL, CACHE_STATUS, ETAG, if_none_match};
use crate::operation::Operation;
use crate::schema::{
    about, anything, count, list, list_max, named, object, one_of, or_null, pattern, request, text,
    time, with_default, words,
};
use crate::schemas::{Named, id, name};

const MODES: [&str; 2] = ["soft", "hard"];

pub fn schemas() -> Vec<Named> {
    let mut tag = pattern("^[A-Za-z0-9._~@+|:-]+$");
    tag["minLength"] = 1.into();
    tag["maxLength"] = CACHE_TAG_BYTES_MAX.into();
    let mode = with_default(words(&MODES), "hard");
    let mode = about(mode, "`soft` marks values as stale; `hard` removes them.");
    let mut resource = name("The first segment of a resource's path.");
    resource["examples"] = json!(["all_blogs", "profile", "settings"]);
    let tags = list_max(named("CacheTag"), CACHE_INVALIDATE_TAGS_MAX);
    vec![
        ("ResourceName", resource),
        ("ResourcePart", id("A further segment of a resource's path, such as a parameter.")),
        ("CacheTag", about(tag, "A tag of cached values.")),
        ("InvalidationMode", mode),
        ("TagInvalidation", request([("tags", tags), ("mode?", named("InvalidationMode"))])),
        ("TagsInvalidated", object([("invalidated", about(count(), "The number of tags."))])),
        ("PageRead", request([("paths", list_max(path(), CACHE_READ_PATHS_MAX))])),
        ("PathRead", about(path_read(), "What a read of this path answers with 200.")),
        ("PathFailed", about(path_failed(), "What a read of this path answers with an error.")),
        (
            "PathResult",
            about(
                one_of(&[named("PathRead"), named("PathFailed")]),
                "`status` tells which of the two it is.",
            ),
        ),
        (
            "PageResults",
            object([("results", about(list(named("PathResult")), "In the order of the paths."))]),
        ),
        ("CachedResource", cached_resource()),
        (
            "CacheSummary",
            object([
                ("items", about(list(named("CachedResource")), "In the order of declaration.")),
                ("since", about(time(), "The beginning of the first hour that is counted.")),
            ]),
        ),
    ]
}

fn path() -> serde_json::Value {
    about(text(), "A path after `/cache/`, percent-encoded as there, without a query.")
}

fn path_read() -> serde_json::Value {
    object([
        ("path", about(text(), "As it was asked for.")),
        ("status", json!({"type": "integer", "const": 200})),
        ("value", about(anything(), "The value from its source, unchanged.")),
        ("etag", about(text(), "Its `ETag`, with quotes.")),
        ("age", about(count(), "Its `Age` in seconds.")),
        ("cacheStatus", about(text(), "Its `Cache-Status` (RFC 9211).")),
    ])
}

fn path_failed() -> serde_json::Value {
    object([
        ("path", about(text(), "As it was asked for.")),
        ("status", json!({"type": "integer", "enum": FAILED})),
        ("error", named("ItemError")),
    ])
}

/// The statuses of one path of a page read, other than 200.
const FAILED: [u16; 10] = [400, 401, 403, 404, 409, 413, 500, 502, 503, 504];

fn cached_resource() -> serde_json::Value {
    let ms = |words| about(count(), words);
    let windows = object([
        ("fresh", ms("Milliseconds for which a value is served without a fetch.")),
        ("stale", ms("Milliseconds after that in which it is served while it is refreshed.")),
        ("error", ms("Milliseconds after `fresh` in which it is served if that fails.")),
    ]);
    let fetch = object([
        ("mean", ms("Milliseconds of a fetch on average.")),
        ("worst", ms("Milliseconds of the longest fetch.")),
    ]);
    object([
        ("resource", about(text(), "The path as declared, such as `profile/{userId}`.")),
        ("key", about(text(), "The Redis key, with the parameters in braces.")),
        ("tags", list(text())),
        ("access", about(text(), "`public`, `subject:<parameter>` or `cache:read`.")),
        ("windowsMs", windows),
        ("hits", about(count(), "Reads answered from Redis while fresh. An estimate.")),
        ("stale", about(count(), "Reads answered from Redis past that. An estimate.")),
        ("misses", about(count(), "Reads that waited for the source, or failed.")),
        ("fetches", about(count(), "Requests to the source.")),
        ("failures", about(count(), "Requests to the source that failed.")),
        ("fetchMs", or_null(fetch)),
    ])
}

fn summary() -> Operation {
    let profile = json!({
        "resource": "profile/{userId}", "key": "profile:{userId}", "tags": ["user:{userId}"],
        "access": "subject:userId",
        "windowsMs": {"fresh": 3_600_000, "stale": 600_000, "error": 86_400_000},
        "hits": 18204, "stale": 311, "misses": 97, "fetches": 402, "failures": 3,
        "fetchMs": {"mean": 14, "worst": 812},
    });
    Operation::new("cache", "readCacheSummary", "get /cache", "Reads the declared resources.")
        .says(
            "With what happened to them in the last day, everywhere together, at most five seconds \
             ago. Reads that are answered from Redis are counted after their answers, and in part \
             by samples, so that counting costs no read a call; instances that die lose what they \
             had not written.",
        )
        .scope(Scope::OpsRead)
        .answers(200, "The resources.", named("CacheSummary"))
        .shows(200, json!({"items": [profile], "since": "2026-11-28T13:00:00.000Z"}))
        .fails(&REDIS)
}

fn page() -> Operation {
    let alice = json!({
        "path": "profile/alice", "status": 200, "value": {"userId": "alice", "name": "Alice"},
        "etag": "\"2d06800538d394c2\"", "age": 12, "cacheStatus": "bellwire; hit; ttl=3412",
    });
    let missing = json!({
        "path": "nothing", "status": 404,
        "error": {"code": "not_found", "detail": "this resource does not exist"},
    });
    let (seconds, mib) = (CACHE_READ_WAIT_MS / 1000, CACHE_READ_BYTES_MAX / (1024 * 1024));
    Operation::new("cache", "readResources", "post /cache/read", "Reads many cached resources.")
        .says(format!(
            "Each result is what a `GET` of its path answers, with the same rules; fresh values cost \
             Redis one call together. A path that stands twice is read once. Sources are asked at the \
             same time, so that a slow one delays no other; what is not there after {seconds} s is a \
             504 of its path and is fetched to its end. Values have at most {mib} MiB together: one \
             that does not fit is a 413 of its path. The answer is `no-store`."
        ))
        .per_path()
        .body(named("PageRead"), REQUEST_ARRAY_BYTES_MAX)
        .example(json!({"paths": ["profile/alice", "nothing"]}))
        .answers(200, "The result of each path.", named("PageResults"))
        .shows(200, json!({"results": [alice, missing]}))
        .sends(200, &[CACHE_CONTROL])
}

pub fn operations() -> Vec<Operation> {
    // OpenAPI has no parameter for several segments, so there is one path per length.
    vec![
        summary(),
        page(),
        read("readResource", "get /cache/{resource}"),
        remove("invalidateResource", "delete /cache/{resource}"),
        read("readResourcePart", "get /cache/{resource}/{part}"),
        remove("invalidateResourcePart", "delete /cache/{resource}/{part}"),
        read("readResourcePart2", "get /cache/{resource}/{part}/{part2}"),
        remove("invalidateResourcePart2", "delete /cache/{resource}/{part}/{part2}"),
        read("readResourcePart3", "get /cache/{resource}/{part}/{part2}/{part3}"),
        remove("invalidateResourcePart3", "delete /cache/{resource}/{part}/{part2}/{part3}"),
        Operation::new(
            "cache",
            "invalidateTags",
            "post /cache/invalidate",
            "Invalidates every value that has one of the tags.",
        )
        .scope(Scope::CacheWrite)
        .body(named("TagInvalidation"), REQUEST_ARRAY_BYTES_MAX)
        .example(json!({"tags": ["user:alice"], "mode": "soft"}))
        .answers(200, "The tags are invalidated.", named("TagsInvalidated"))
        .shows(200, json!({"invalidated": 1}))
        .fails(&REDIS),
    ]
}

fn read(id: &'static str, head: &'static str) -> Operation {
    let sent = [AGE, CACHE_CONTROL, CACHE_STATUS, ETAG];
    Operation::new("cache", id, head, "Reads a cached resource.")
        .says(
            "The answer has `Vary: Authorization` unless the resource is public. Longer paths than \
             those listed here work the same way.",
        )
        .per_resource()
        .answers(200, "The value from its source, unchanged.", anything())
        .shows(200, json!({"userId": "alice", "name": "Alice"}))
        .sends(200, &sent)
        .empty(304, "The client has this value already.")
        .sends(304, &sent)
        .parameter(if_none_match())
        .fails(&[
            Code::NotFound,
            Code::WrongType,
            Code::OriginFailed,
            Code::OriginTimeout,
            Code::RedisUnavailable,
        ])
}

fn remove(id: &'static str, head: &'static str) -> Operation {
    Operation::new("cache", id, head, "Invalidates one cached value.")
        .scope(Scope::CacheWrite)
        .query("mode", named("InvalidationMode"), "Whether the value becomes stale or is removed.")
        .empty(204, "The value is invalidated, if there was one.")
        .fails(&[Code::NotFound])
        .fails(&REDIS)
}
