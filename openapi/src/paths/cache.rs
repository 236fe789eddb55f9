//! `/cache`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{CACHE_INVALIDATE_TAGS_MAX, CACHE_TAG_BYTES_MAX, REQUEST_ARRAY_BYTES_MAX};

use super::REDIS;
use crate::headers::{AGE, CACHE_CONTROL, CACHE_STATUS, ETAG, if_none_match};
use crate::operation::Operation;
use crate::schema::{
    about, anything, count, list_max, named, object, pattern, request, with_default, words,
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
    ]
}

pub fn operations() -> Vec<Operation> {
    // OpenAPI has no parameter for several segments, so there is one path per length.
    vec![
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
