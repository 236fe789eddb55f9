//! `GET /openapi.json`, and what checks answers by it: every answer of every test is held against it
//! (`support::api`). `routes` goes through all of its operations.

use std::collections::BTreeSet;

use serde_json::json;
use support::api::{document, find, fits_schema};
use support::{Functions, RedisServer};

#[tokio::test]
async fn the_document_is_served_and_revalidated() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let answer = functions.get("/openapi.json").send().await.expect(200);
    assert!(answer.json() == *document(), "another one than docs/openapi.json");
    let etag = answer.header("etag").to_owned();
    let again = functions.get("/openapi.json").header("if-none-match", &etag).send().await;
    assert_eq!(again.expect(304).header("etag"), etag);
    let other = functions.get("/openapi.json").header("if-none-match", "\"x\"").send().await;
    other.expect(200);
}

#[test]
fn every_segment_of_a_route_is_in_the_document() {
    let known: BTreeSet<&str> =
        document()["paths"].as_object().unwrap().keys().flat_map(|path| path.split('/')).collect();
    let mut count = 0;
    for component in [
        "cache",
        "campaigns",
        "feed",
        "notifications",
        "ops",
        "presence",
        "pushes",
        "queues",
        "tokens",
    ] {
        let path =
            format!("{}/../../functions/{component}/src/routes.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        // Literals that are segments: methods are upper case, words to read have spaces.
        let is_segment = |word: &&str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.')
        };
        for segment in text.split('"').skip(1).step_by(2).filter(is_segment) {
            assert!(known.contains(segment), "{component}: {segment} is not in the document");
            count += 1;
        }
    }
    assert!(count > 25, "{count} segments: the routes are written in another way");
}

#[test]
fn every_json_answer_has_an_example_that_its_schema_allows() {
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let content = &answer["content"]["application/json"];
                // The document itself is its own example.
                if !content.is_object() || path == "/openapi.json" {
                    continue;
                }
                let example = content.get("example");
                let example = example.unwrap_or_else(|| panic!("{method} {path}: {status}"));
                let fits = fits_schema(&content["schema"], example, "example");
                assert_eq!(fits, Ok(()), "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    assert_eq!(find("/cache/invalidate").unwrap().0, "/cache/invalidate");
    assert_eq!(find("/cache/a/b/c").unwrap().0, "/cache/{resource}/{part}/{part2}");
    assert_eq!(find("/cache/a/b/c/d/e").unwrap().0, "/cache/{resource}/{part}/{part2}/{part3}");
    assert!(find("/nothing").is_none());
    let schema = &document()["components"]["schemas"]["QueueDepth"];
    let depth =
        json!({"ready": 1, "delayed": 0, "inFlight": 0, "dead": 0, "oldestAgeSeconds": null});
    assert_eq!(fits_schema(schema, &depth, "body"), Ok(()));
    for (name, value) in [("ready", json!("1")), ("dead", json!(-1)), ("more", json!(1))] {
        let mut wrong = depth.clone();
        wrong[name] = value;
        assert!(fits_schema(schema, &wrong, "body").is_err(), "{name}");
    }
    let mut lacking = depth;
    lacking.as_object_mut().unwrap().remove("dead");
    assert!(fits_schema(schema, &lacking, "body").is_err());
}
