//! `/cache`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{CACHE_INVALIDATE_TAGS_MAX, CACHE_TAG_BYTES_MAX, REQUEST_ARRAY_BYTES_MAX};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{anything, count, list_max, object, text, text_max, words};

const MODES: [&str; 2] = ["soft", "hard"];

pub fn operations() -> Vec<Operation> {
    let tags = list_max(text_max(CACHE_TAG_BYTES_MAX), CACHE_INVALIDATE_TAGS_MAX);
    let body = object([("tags", tags), ("mode?", words(&MODES))]);
    vec![
        read("readResource", "get /cache/{resource}"),
        remove("invalidateResource", "delete /cache/{resource}"),
        read("readResourceOf", "get /cache/{resource}/{params}"),
        remove("invalidateResourceOf", "delete /cache/{resource}/{params}"),
        Operation::new(
            "cache",
            "invalidateTags",
            "post /cache/invalidate",
            "Invalidates everything that has one of the tags; `hard` where it is not said.",
        )
        .scope(Scope::CacheWrite)
        .body(body, REQUEST_ARRAY_BYTES_MAX)
        .answers(200, "The number of tags.", object([("invalidated", count())]))
        .fails(&REDIS),
    ]
}

fn read(id: &'static str, head: &'static str) -> Operation {
    Operation::new("cache", id, head, "The cached resource.")
        .per_resource()
        .header("If-None-Match", text(), "Entity tags that are known.")
        .answers(
            200,
            "With Cache-Control, Age, ETag and Cache-Status, and with `Vary: Authorization` where \
             the resource is not public.",
            anything(),
        )
        .empty(304, "The entity tag is known.")
        .fails(&[
            Code::NotFound,
            Code::UnknownField,
            Code::WrongType,
            Code::OriginFailed,
            Code::OriginTimeout,
            Code::RedisUnavailable,
        ])
}

fn remove(id: &'static str, head: &'static str) -> Operation {
    let mode = json!({"type": "string", "enum": MODES, "default": "hard"});
    Operation::new("cache", id, head, "Invalidates one value.")
        .scope(Scope::CacheWrite)
        .query("mode", mode, "`soft` marks it stale, `hard` removes it.")
        .empty(204, "Done.")
        .fails(&[Code::NotFound])
        .fails(&REDIS)
}
