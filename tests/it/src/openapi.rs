//! `GET /openapi.json` against the routes that exist. That answers are as it says is checked with
//! every answer of every test (`support::api`).

use std::collections::BTreeSet;

use serde_json::json;
use support::api::{document, find, fits_schema};
use support::{Functions, RedisServer};

/// Paths of the document with the methods that it lists, as `Allow` would.
fn listed() -> Vec<(&'static str, BTreeSet<String>)> {
    let paths = document()["paths"].as_object().unwrap().iter();
    let listed = paths.map(|(path, item)| {
        let operations = item.as_object().unwrap();
        let mut methods: BTreeSet<String> =
            operations.keys().map(|name| name.to_uppercase()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        (path.as_str(), methods)
    });
    listed.collect()
}

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

#[tokio::test]
async fn every_path_takes_the_methods_that_are_listed_and_no_others() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let listed = listed();
    assert!(listed.len() > 20, "{listed:?}");
    for (path, methods) in listed {
        let target = path
            .replace("{resource}/{params}", "profile/alice")
            .replace("{resource}", "settings")
            .replace(['{', '}'], "");
        let answer = functions.call("PATCH", &target).send().await;
        let answer = answer.expect_problem(405, "method_not_allowed");
        let allowed = answer.header("allow").split(", ").map(str::to_owned).collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

#[test]
fn every_segment_of_a_route_is_in_the_document() {
    let known: BTreeSet<&str> =
        document()["paths"].as_object().unwrap().keys().flat_map(|path| path.split('/')).collect();
    let mut count = 0;
    for component in
        ["cache", "campaigns", "feed", "notifications", "ops", "presence", "queues", "tokens"]
    {
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
fn the_checker_finds_what_is_wrong() {
    assert_eq!(find("/cache/invalidate").unwrap().0, "/cache/invalidate");
    assert_eq!(find("/cache/a/b/c").unwrap().0, "/cache/{resource}/{params}");
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
