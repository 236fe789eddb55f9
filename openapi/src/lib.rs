//! Generates the OpenAPI 3.1 document of the functions' HTTP API. Operations and schemas are tables;
//! limits, codes and scopes come from `shared`. Requests are parsed by hand, member by member, so
//! schemas cannot be derived from types: the tests check every answer against the document.
//!
//! `make docs-generated` writes `docs/openapi.json`, which the component `ops` embeds, and
//! `docs/http-api.md`.

mod headers;
mod hub_frames;
mod operation;
mod page;
mod paths;
mod problem;
mod schema;
mod schemas;
mod tags;

use serde_json::{Map, Value, json};

pub use crate::page::page;
use crate::problem::{problem, problem_name};

/// The whole document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut problems: Map<String, Value> = Map::new();
    for operation in paths::all() {
        for codes in operation.problems().values() {
            problems.insert(problem_name(codes), problem(codes));
        }
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_owned(), operation.to_json());
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bellwire",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [
            {"url": "/", "description": "The host that serves this document."},
            {"url": "http://127.0.0.1:3000", "description": "The functions of `make up`."},
        ],
        "tags": tags::to_json(),
        "paths": paths,
        "components": {
            "headers": headers::all(),
            "schemas": schemas::all(),
            "responses": problems,
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token signed with HS256, RS256, ES256 or EdDSA. The claim `sub` is \
                                the user; the claim `scope` lists scopes, separated by spaces. The \
                                roles of an operation are scopes.",
            }},
        },
    })
}

const DESCRIPTION: &str = "\
Cached reads, notification feeds, push tokens, campaigns and work queues over HTTP.

Every path that takes GET takes HEAD, too. Any other method that is not listed gets 405 with `Allow`, \
and any path that is not listed gets 404. The checks of a request come in this order: its path (400), \
404, 405, 401, 403, 413, the rest of it (400).

In a request, `null` stands for an absent optional member, and a number such as `7.0` for the integer. \
In an answer, absent optional members are left out.

An error is an `application/problem+json` with a stable `code`. A request with an invalid \
`X-Request-Id` gets an id of Bellwire's.";

/// The document in the form of the file in `docs`.
pub fn text() -> String {
    format!("{:#}\n", document())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(file == document(), "docs/openapi.json is out of date: run `make docs-generated`");
    }

    #[test]
    fn every_reference_resolves_and_names_are_unique() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in schemas.keys().filter(|name| **name != hub_frames::ANY) {
            let reference = format!("\"#/components/schemas/{name}\"");
            assert!(text.contains(&reference), "{name} is not used");
        }
        let mut ids: Vec<&str> = paths::all().iter().map(|operation| operation.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
