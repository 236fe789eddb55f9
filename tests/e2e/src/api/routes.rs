//! Every operation of the document, and what all of them promise: the order of the checks, and what the
//! refusals say. A route that is added is tested here without a word.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::api::document;
use support::push_tester::PushTester;
use support::{Functions, RedisServer, token};

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];

/// An operation of the document, with a target that leads to it.
struct Operation {
    method: String,
    target: String,
    it: &'static Value,
}

impl Operation {
    fn needs_token(&self) -> bool {
        let security = self.it["security"].as_array().unwrap();
        // A resource may be public.
        !security.is_empty() && !security.contains(&json!({}))
    }

    fn is_open(&self) -> bool {
        self.it["security"] == json!([])
    }

    fn shown(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// A body that is accepted, if the operation takes one.
    fn example(&self) -> Option<&'static Value> {
        let body = self.it.get("requestBody")?;
        let example = body["content"]["application/json"].get("example");
        Some(example.unwrap_or_else(|| panic!("{} has no example", self.shown())))
    }

    fn bytes_max(&self) -> Option<usize> {
        let bytes = self.it.get("requestBody")?["x-bytes-max"].as_u64().unwrap();
        usize::try_from(bytes).ok()
    }
}

fn paths() -> impl Iterator<Item = (String, &'static serde_json::Map<String, Value>)> {
    let paths = document()["paths"].as_object().unwrap().iter();
    paths.map(|(path, item)| (target(path), item.as_object().unwrap()))
}

fn operations() -> Vec<Operation> {
    let of_path = |(target, item): (String, &'static serde_json::Map<String, Value>)| {
        item.iter().map(move |(method, it)| {
            let (method, target) = (method.to_uppercase(), target.clone());
            Operation { method, target, it }
        })
    };
    let operations: Vec<Operation> = paths().flat_map(of_path).collect();
    assert!(operations.len() > 40, "{} operations", operations.len());
    operations
}

/// A path of the document with values for its parameters; a resource must exist.
fn target(path: &str) -> String {
    path.replace("{resource}/{part}/{part2}/{part3}", "settings/a/b/c")
        .replace("{resource}/{part}/{part2}", "settings/a/b")
        .replace("{resource}/{part}", "profile/alice")
        .replace("{resource}", "settings")
        .replace(['{', '}'], "")
}

/// Resources for each of the document's paths under `/cache`.
pub const RESOURCES: &str = r#"
[[resource]]
path = "settings"
access = "public"
fresh = "1m"
sql = { query = "SELECT json_object('theme', 'dark')" }

[[resource]]
path = "profile/{userId}"
key = "profile:{userId}"
access = "subject:userId"
tags = ["user:{userId}"]
fresh = "1m"
sql = { query = "SELECT json_object('userId', {userId})" }

[[resource]]
path = "settings/{a}/{b}"
key = "settings:{a}:{b}"
fresh = "1m"
sql = { query = "SELECT json_array({a}, {b})" }

[[resource]]
path = "settings/{a}/{b}/{c}"
key = "settings:{a}:{b}:{c}"
fresh = "1m"
sql = { query = "SELECT json_array({a}, {b}, {c})" }
"#;

/// Every scope that the document names.
pub fn everything() -> String {
    let mut scopes = BTreeSet::new();
    for operation in operations() {
        for role in operation.it["security"].as_array().unwrap() {
            let roles = role["bearer"].as_array().into_iter().flatten();
            scopes.extend(roles.map(|scope| scope.as_str().unwrap()));
        }
    }
    assert!(scopes.len() >= 10, "{scopes:?}");
    token("somebody", &scopes.into_iter().collect::<Vec<_>>().join(" "))
}

async fn start(redis: &RedisServer) -> Functions {
    Functions::with(redis).resources(RESOURCES).start().await
}

#[tokio::test]
async fn every_path_takes_the_methods_that_are_listed_and_no_others() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    for (target, item) in paths() {
        let mut listed: BTreeSet<&str> = BTreeSet::new();
        let upper: Vec<String> = item.keys().map(|method| method.to_uppercase()).collect();
        listed.extend(upper.iter().map(String::as_str));
        if listed.contains("GET") {
            listed.insert("HEAD");
        }
        for method in METHODS {
            let answer = functions.call(method, &target).send().await;
            if listed.contains(method) {
                assert_ne!(answer.status, 405, "{method} {target}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {target}");
            let allowed: Vec<&str> = answer.header("allow").split(", ").collect();
            let set: BTreeSet<&str> = allowed.iter().copied().collect();
            assert_eq!(set, listed, "{method} {target}");
            assert_eq!(allowed.len(), set.len(), "{method} {target} names a method twice");
        }
    }
}

#[tokio::test]
async fn a_wrong_path_goes_before_everything_else() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    for operation in operations() {
        let Operation { method, target, .. } = &operation;
        for bad in [format!("{target}/"), format!("/{target}"), format!("{target}/%zz")] {
            let answer = functions.call(method, &bad).body("x").send().await;
            let is_empty = method == "HEAD";
            assert_eq!(answer.status, 400, "{method} {bad}");
            assert!(is_empty || answer.json()["code"] == "invalid_path", "{method} {bad}");
        }
        // What is not there is not there for anybody.
        let nothing = format!("{target}/x/y/z/x/y/z");
        let answer = functions.call(method, &nothing).body("x").send().await;
        answer.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_a_400_whatever_else_is_wrong() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let names = ["user", "campaign", "queue", "id"];
    for (path, item) in document()["paths"].as_object().unwrap() {
        for name in names.iter().filter(|name| path.contains(&format!("{{{name}}}"))) {
            let bad = target(&path.replace(&format!("{{{name}}}"), "a%20b"));
            for method in item.as_object().unwrap().keys() {
                let answer = functions.call(&method.to_uppercase(), &bad).body("x").send().await;
                answer.expect_problem(400, "invalid_id");
            }
        }
    }
}

#[tokio::test]
async fn without_a_token_or_its_scope_nobody_gets_in() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let nobody = token("nobody", "scopes:none");
    for operation in operations() {
        let Operation { method, target, .. } = &operation;
        // The body is wrong and the query unknown, too: that is told later.
        let target = format!("{target}?surprise=1");
        let call = || functions.call(method, &target).body("x");
        let answer = call().send().await;
        if operation.is_open() {
            assert!(![401, 403].contains(&answer.status), "{method} {target}: {}", answer.status);
        }
        if !operation.needs_token() {
            continue;
        }
        let answer = answer.expect_problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{method} {target}");
        let wrong = call().header("authorization", "Basic YTpi").send().await;
        assert_eq!(wrong.expect(401).header("www-authenticate"), "Bearer", "{method} {target}");
        call().token(&nobody).send().await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_a_413_before_it_is_looked_at() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let everything = everything();
    for operation in operations() {
        let (Some(bytes_max), shown) = (operation.bytes_max(), operation.shown()) else { continue };
        let head = format!(
            "{shown}?surprise=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {everything}\r\n"
        );
        let request = format!("{head}content-length: {}\r\n\r\n", bytes_max + 1);
        let is_whole = |answer: &str| answer.contains("payload_too_large");
        let answer = functions.raw(request.as_bytes(), is_whole).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{shown}: {answer}");
    }
}

#[tokio::test]
async fn an_unknown_member_or_parameter_is_named() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let _worker = PushTester::start(&redis).await;
    let everything = everything();
    for operation in operations() {
        let (Operation { method, target, .. }, shown) = (&operation, operation.shown());
        let example = operation.example();
        let body = |body: Option<Value>| body.map(|body| body.to_string()).unwrap_or_default();
        if let Some(example) = example {
            let mut more = example.clone();
            more["surprise"] = json!(1);
            let call = functions.call(method, target).token(&everything).body(body(Some(more)));
            let problem = call.send().await.expect_problem(400, "unknown_field").json();
            assert_eq!(problem["field"], "surprise", "{shown}");
            assert!(problem["detail"].as_str().unwrap().contains("surprise"), "{shown}");
        }
        let call = |target: &str| {
            let call = functions.call(method, target).token(&everything);
            call.body(body(example.cloned()))
        };
        if !operation.is_open() {
            let answer = call(&format!("{target}?surprise=1")).send().await;
            let problem = answer.expect_problem(400, "unknown_field").json();
            assert_eq!(problem["field"], "surprise", "{shown}");
        }
        // Without it the request is fine.
        let answer = call(target).send().await;
        assert!([200, 201, 204, 404, 409].contains(&answer.status), "{shown}: {answer:#?}");
    }
}

#[tokio::test]
async fn a_post_without_a_body_takes_none_that_says_anything() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let everything = everything();
    let mut count = 0;
    for Operation { method, target, it } in operations() {
        if method != "POST" || it.get("requestBody").is_some() {
            continue;
        }
        count += 1;
        let call = |body: &str| functions.post(&target, body.to_owned()).token(&everything).send();
        for body in ["", "{}", " { } "] {
            let answer = call(body).await;
            // 404: what it acts on does not exist here.
            assert!([200, 204, 404].contains(&answer.status), "{target}: {answer:#?}");
        }
        let problem = call(r#"{"surprise":1}"#).await.expect_problem(400, "unknown_field").json();
        assert_eq!(problem["field"], "surprise", "{target}");
        for bad in ["x", "[]", "null"] {
            call(bad).await.expect_problem(400, "bad_json");
        }
        call(&" ".repeat(100_000)).await.expect_problem(413, "payload_too_large");
    }
    assert!(count >= 3, "{count} operations");
}

#[tokio::test]
async fn what_is_no_object_is_no_body() {
    let redis = RedisServer::start().await;
    let functions = start(&redis).await;
    let everything = everything();
    for operation in operations().iter().filter(|operation| operation.example().is_some()) {
        for bad in ["null", "[]", "7", "\"text\"", "{", "{\"a\":1,\"a\":1}"] {
            let call = functions.call(&operation.method, &operation.target).token(&everything);
            call.body(bad).send().await.expect_problem(400, "bad_json");
        }
    }
}
