//! A campaign's push over HTTP: requests, progress, control. `models/campaign_push` has what workers
//! do with it.

use serde_json::{Value, json};
use shared::campaign_push::{Block, Claim, End, index};
use shared::{CampaignId, keys};
use support::{Answer, Functions, RedisServer, token};

use super::{call, next, users};

async fn push(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let path = format!("/campaigns/{path}");
    let call = functions.call(method, &path).token(&token("svc", "push:write"));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

fn template() -> Value {
    json!({"template": {"title": "Hello {{name}}"}, "rate": 10_000})
}

async fn started(functions: &Functions, count: usize) {
    call(functions, "PUT", "c1/users", users(0..count)).await.expect(200);
    push(functions, "PUT", "c1/push", template()).await.expect(202);
}

async fn progress(functions: &Functions) -> Value {
    push(functions, "GET", "c1/push", Value::Null).await.expect(200).json()
}

/// A worker's claim of one user.
async fn claim(redis: &RedisServer, nonce: &str) -> Block {
    let claim = Claim::new(CampaignId::parse("c1").unwrap(), nonce.to_owned(), 1, 0);
    let call = claim.call();
    let reply = eval(redis, &call).await;
    let claimed = claim.answered(&reply).unwrap();
    assert_eq!(claimed.options.unwrap().template, template()["template"].to_string());
    claimed.block.unwrap()
}

async fn eval(redis: &RedisServer, call: &shared::campaign_push::Call) -> Vec<Vec<u8>> {
    let mut command = redis::cmd("EVAL");
    command.arg(call.script.source).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
    command.query_async(&mut redis.connection().await).await.unwrap()
}

#[tokio::test]
async fn a_push_is_started_steered_and_watched() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    push(&functions, "PUT", "c1/push", template()).await.expect_problem(404, "not_found");
    push(&functions, "GET", "c1/push", Value::Null).await.expect_problem(404, "not_found");
    for action in ["pause", "resume", "cancel", "redrive"] {
        let answer = push(&functions, "POST", &format!("c1/push/{action}"), Value::Null).await;
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(redis.run::<i64>("DBSIZE").await, 0);

    call(&functions, "PUT", "c1/users", users(0..3)).await.expect(200);
    let progress_of = |state: &str, eta: Option<i64>| {
        let mut all = json!({
            "state": state, "total": 3, "remaining": 3, "sent": 0, "failed": 0, "invalid": 0,
            "skipped": 0, "retrying": 0, "perSecond": 0.0,
        });
        if let Some(eta) = eta {
            all["etaSeconds"] = eta.into();
        }
        all
    };
    for _ in 0..2 {
        let answer = push(&functions, "PUT", "c1/push", template()).await.expect(202);
        assert_eq!(answer.json(), progress_of("running", Some(1)));
    }
    assert_eq!(progress(&functions).await, progress_of("running", Some(1)));
    for (action, state, eta) in
        [("pause", "paused", None), ("resume", "running", Some(1)), ("cancel", "cancelled", None)]
    {
        for _ in 0..2 {
            push(&functions, "POST", &format!("c1/push/{action}"), Value::Null).await.expect(204);
        }
        assert_eq!(progress(&functions).await, progress_of(state, eta));
    }
    let answer = push(&functions, "POST", "c1/push/resume", Value::Null).await;
    let answer = answer.expect_problem(404, "not_found");
    assert!(answer.text().contains("cancelled"), "{}", answer.text());
    // The list is still there for others.
    assert_eq!(next(&functions, 2).await["remaining"], 1);
    assert_eq!(progress(&functions).await["total"], 1);
}

#[tokio::test]
async fn workers_find_it_and_what_they_tell_is_shown() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    started(&functions, 2).await;
    let words = index::list();
    let reply: Vec<Vec<u8>> = redis.run_words(&words).await;
    assert_eq!(index::listed(&reply)[0].campaign.to_string(), "c1");

    let mut block = claim(&redis, "one").await;
    block.settle(0, End::Dead { devices: Vec::new() });
    block.respond(json!({"userId": "u0", "error": "x"}).to_string());
    let settlement = block.settlement();
    eval(&redis, &settlement.respond.unwrap()).await;
    block.answered(&eval(&redis, &settlement.settle).await).unwrap();
    let shown = progress(&functions).await;
    assert_eq!((&shown["failed"], &shown["remaining"]), (&json!(1), &json!(1)));
    assert!(shown["perSecond"].as_f64().unwrap() > 0.0, "{shown}");
    let page = call(&functions, "GET", "c1/responses", Value::Null).await.expect(200).json();
    assert_eq!(page["items"], json!([{"userId": "u0", "error": "x"}]));
    let listed = call(&functions, "GET", "c1", Value::Null).await.expect(200).json();
    assert_eq!((&listed["processed"], &listed["total"]), (&json!(1), &json!(2)));

    for expected in [1, 0] {
        let answer = push(&functions, "POST", "c1/push/redrive", Value::Null).await.expect(200);
        assert_eq!(answer.json(), json!({ "redriven": expected }));
    }
    let shown = progress(&functions).await;
    assert_eq!((&shown["failed"], &shown["retrying"]), (&json!(0), &json!(1)));

    call(&functions, "DELETE", "c1", Value::Null).await.expect(204);
    push(&functions, "GET", "c1/push", Value::Null).await.expect_problem(404, "not_found");
    let left: Vec<String> = redis.run("KEYS *").await;
    let is_expected = |key: &String| key.starts_with("bw:once:") || key == keys::PUSHING;
    assert!(left.iter().all(is_expected), "{left:?}");
}

#[tokio::test]
async fn users_have_fields() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let user = json!({"userId": "a", "fields": {"n.1": "\"2\"", "name": "Zoë"}});
    call(&functions, "PUT", "c1/users", json!({"users": [user]})).await.expect(200);
    assert_eq!(
        redis.list("campaign:c1").await,
        [r#"{"userId":"a","fields":{"n.1":"\"2\"","name":"Zoë"}}"#]
    );
    assert_eq!(next(&functions, 1).await["users"], json!([user]));
    for (fields, code) in [
        (json!({"a b": "x"}), "invalid_field"),
        (json!({"a": 1}), "invalid_field"),
        (json!({"a": null}), "unknown_field"),
        (json!({"a": "x".repeat(1024)}), "limit_exceeded"),
        (json!([]), "invalid_field"),
    ] {
        let body = json!({"users": [{"userId": "a", "fields": fields}]});
        call(&functions, "POST", "c1/users", body).await.expect_problem(400, code);
    }
}

#[tokio::test]
async fn invalid_requests_are_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    call(&functions, "PUT", "c1/users", users(0..1)).await.expect(200);
    let with = |name: &str, value: Value| {
        let mut body = template();
        body[name] = value;
        body
    };
    for (body, code, named) in [
        (json!({}), "missing_field", "template"),
        (with("template", json!({"title": {"de": "x"}})), "missing_field", "title.default"),
        (with("template", json!({"title": "{{x"})), "invalid_field", "template.title"),
        (with("template", json!({"title": "x", "link": "x"})), "invalid_field", "template.link"),
        (with("rate", json!(10_001)), "limit_exceeded", "rate"),
        (with("when", json!("unread")), "invalid_field", "always, offline, never"),
        (with("startAt", json!("2100-01-01T00:00:00Z")), "limit_exceeded", "7 days"),
        (with("kind", json!("x")), "unknown_field", "kind"),
    ] {
        let answer = push(&functions, "PUT", "c1/push", body).await.expect_problem(400, code);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
    for action in ["pause", "redrive"] {
        let answer = push(&functions, "POST", &format!("c1/push/{action}"), json!({"x": 1})).await;
        assert_eq!(answer.status, 400);
    }
    for path in ["c1/push/stop", "c1/push/pause/x"] {
        push(&functions, "POST", path, Value::Null).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn readers_read_and_do_nothing_else() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    started(&functions, 1).await;
    for (scope, method, path, status) in [
        ("push:read", "GET", "push", 200),
        ("push:write", "GET", "push", 200),
        ("push:read", "PUT", "push", 403),
        ("push:read", "POST", "push/pause", 403),
        ("push:read", "POST", "push/redrive", 403),
        ("campaigns:write", "GET", "push", 403),
        ("campaigns:write", "POST", "push/cancel", 403),
        ("push:send", "GET", "push", 403),
    ] {
        let call = functions.call(method, &format!("/campaigns/c1/{path}"));
        let answer = call.token(&token("svc", scope)).send().await;
        assert_eq!(answer.status, status, "{scope}: {method} {path}");
    }
}
