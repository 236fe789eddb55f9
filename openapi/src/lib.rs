//! The OpenAPI 3.1 document of the functions' HTTP API. Operations and schemas are tables; limits,
//! codes and scopes are those of `shared`, so that they cannot differ. Requests are parsed by hand,
//! member by member, hence nothing can be derived: the tests hold every answer against the document.
//!
//! `docs/openapi.json` is what this crate writes (`make openapi`); the component `ops` embeds it.

mod operation;
mod paths;
mod schema;
mod schemas;

use serde_json::{Map, Value, json};

use crate::operation::{problem, problem_name};

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
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": problems,
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "HS256, RS256 or EdDSA; `sub` is the user, `scope` a list of words \
                                separated by spaces. Roles listed with an operation are scopes.",
            }},
        },
    })
}

const DESCRIPTION: &str = "\
Every path that takes GET takes HEAD too. Methods that are not listed are a 405 with `Allow`, paths that \
are not listed a 404. Checks come in this order: path 400, 404, 405, 401, 403, 413, 400. Every answer \
carries `X-Request-Id`; a 503 carries `Retry-After`.";

/// The document as the file in `docs` has it.
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn tags() -> Value {
    let tags = [
        ("cache", "Cached resources, stale-while-revalidate."),
        ("campaigns", "Users of a campaign, handed out once each."),
        ("feed", "A user's notifications."),
        ("notifications", "Creating notifications."),
        ("ops", "Health, administration, what Redis holds."),
        ("presence", "Who is online."),
        ("queues", "Work queues with visibility timeouts and dead letters."),
        ("tokens", "Push tokens."),
    ];
    let tag = |(name, description)| json!({"name": name, "description": description});
    tags.into_iter().map(tag).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_docs_is_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(file == document(), "docs/openapi.json is out of date: run `make openapi`");
    }

    #[test]
    fn every_reference_leads_somewhere_and_names_are_unique() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut ids: Vec<&str> = paths::all().iter().map(|operation| operation.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
