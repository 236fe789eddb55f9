//! Headers of answers: `components/headers`.

use serde_json::{Value, json};

use crate::schema::{about, count, pattern, text};

pub const AGE: &str = "Age";
pub const CACHE_CONTROL: &str = "Cache-Control";
pub const CACHE_STATUS: &str = "Cache-Status";
pub const ETAG: &str = "ETag";
pub const LOCATION: &str = "Location";
pub const REQUEST_ID: &str = "X-Request-Id";
pub const RETRY_AFTER: &str = "Retry-After";
pub const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

pub fn all() -> Value {
    let header = |description: &str, schema: Value| {
        json!({
            "required": true, "description": description, "schema": schema,
        })
    };
    json!({
        AGE: header("Seconds since the value was fetched.", count()),
        CACHE_CONTROL: header("The caching rules for the answer.", text()),
        CACHE_STATUS: header("How the cache handled the request (RFC 9211).", text()),
        ETAG: header("The entity tag of this answer, for `If-None-Match`.", pattern("^\"[^\"]+\"$")),
        LOCATION: header("The path of the new notification.", text()),
        REQUEST_ID: header("The id of the request in the logs.", text()),
        RETRY_AFTER: header("Seconds to wait before the next try.", count()),
        WWW_AUTHENTICATE: header("The scheme that a token is sent with.", text()),
    })
}

/// References for the `headers` of an answer.
pub fn refer(names: &[&str]) -> Value {
    let reference =
        |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(reference).collect::<serde_json::Map<String, Value>>().into()
}

/// The parameter `If-None-Match` of the operations that answer with an entity tag.
pub fn if_none_match() -> Value {
    // An invalid entity tag matches none.
    let schema = pattern(r"^[\t -~]*$");
    about(
        json!({"name": "If-None-Match", "in": "header", "schema": schema}),
        "Entity tags of answers that the client has. The answer is 304 if its tag is among them.",
    )
}
