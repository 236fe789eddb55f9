//! What docs/security.md says is left of a person after `DELETE /users/{user}`, and nothing else: all
//! tables, all keys of Redis and all logs are searched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Functions, Hub, RedisServer, eventually_within, token};

use super::erase;
use crate::api::records::{self, On};

const USER: &str = "person-7f3a41";
/// Begins every text about the person that is stored somewhere.
const SECRET: &str = "secret";
/// A user who left is out of presence by then.
const PRESENCE_LIMIT: Duration = Duration::from_secs(30);

/// Everything in Redis as text, by key.
async fn keys(redis: &RedisServer) -> BTreeMap<String, String> {
    let names: Vec<String> = redis.run("KEYS *").await;
    let mut all = BTreeMap::new();
    for name in names {
        let kind: String = redis.run_words(&["TYPE", &name]).await;
        let words: Vec<&str> = match kind.as_str() {
            "string" => vec!["GET", &name],
            "list" => vec!["LRANGE", &name, "0", "-1"],
            "hash" => vec!["HGETALL", &name],
            "set" => vec!["SMEMBERS", &name],
            "zset" => vec!["ZRANGE", &name, "0", "-1"],
            "none" => continue, // it has just expired
            other => panic!("{name} is a {other}"),
        };
        let value: redis::Value = redis.run_words(&words).await;
        all.insert(name, format!("{value:?}"));
    }
    all
}

fn has(text: &str) -> bool {
    text.contains(USER) || text.contains(SECRET)
}

/// Places whose name or content tells of the person.
fn places(all: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let found = all.iter().filter(|(name, content)| has(name) || has(content));
    found.map(|(name, _)| name.as_str()).collect()
}

async fn send(functions: &Functions, method: &str, path: &str, body: Value) -> u16 {
    let scopes = "notifications:write tokens:write campaigns:write queues:write feed:read";
    let call = functions.call(method, path).token(&token("svc", scopes));
    let call =
        if path == "/notifications" { call.header("idempotency-key", "secret-key") } else { call };
    call.body(body.to_string()).send().await.status
}

/// Stores something about the person in every way there is.
async fn store_everything(on: &On) {
    let functions = &on.functions;
    let of = |path: &str| format!("/users/{USER}{path}");
    let phone = json!({"kind": "fcm", "token": "secret-token-2", "locale": "de", "timeZone": "Europe/Vienna"});
    let apns = json!({"kind": "apns", "token": "5ec4e7".repeat(11), "topic": "secret.topic"});
    let wanted = json!({"kinds": {"secret-kind": {"push": false}},
        "quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Europe/Vienna"}});
    let notification = json!({"userId": USER, "title": "secret-title", "body": "secret-body",
        "kind": "secret-other", "data": {"secret-name": 1}, "push": {"when": "always"}});
    let batch = json!({"notifications": [{"userId": USER, "title": "secret-2", "idempotencyKey": "secret-key-2"}]});
    let users = json!({"users": [{"userId": USER, "fcmToken": "secret-token", "fields": {"name": "secret-name"}}]});
    for (method, path, body) in [
        ("PUT", of("/token"), json!({"token": "secret-token"})),
        ("PUT", of("/devices/phone"), phone),
        ("PUT", of("/devices/watch"), apns),
        ("PUT", of("/preferences"), wanted),
        ("POST", "/notifications".to_owned(), notification),
        ("POST", "/notifications/batch".to_owned(), batch),
        ("POST", of("/notifications/read"), json!({"upTo": 1})),
        ("PUT", "/campaigns/c1/users".to_owned(), users),
        ("POST", "/campaigns/c1/responses".to_owned(), json!({"responses": [{"userId": USER}]})),
        ("POST", "/queues/mails/messages".to_owned(), json!({"messages": [{"to": USER}]})),
    ] {
        let status = send(functions, method, &path, body).await;
        assert!((200..300).contains(&status), "{}: {method} {path}: {status}", on.name);
    }
    on.redis
        .command(&["SET", &format!("profile:{USER}"), r#"{"name":"secret-name"}"#, "EX", "600"])
        .await;
    functions.feed(USER).await.expect(200);
}

#[tokio::test]
async fn nothing_is_left_of_an_erased_person_but_what_the_documents_name() {
    for on in records::each_database().await {
        let functions = &on.functions;
        let hub = Hub::start_with_relay(&on.redis, functions).await;
        let socket = hub.connect(USER).await;
        store_everything(&on).await;
        let tables = on.database.tables();
        assert!(places(&tables).len() >= 5, "{}: {:?}", on.name, places(&tables));
        let presence = async || {
            let keys = keys(&on.redis).await;
            keys.get("online_users").is_some_and(|members| has(members))
        };
        eventually_within(PRESENCE_LIMIT, "the person is online", async || {
            presence().await.then_some(())
        })
        .await;

        // The operator ends what is open and erases.
        drop(socket);
        eventually_within(PRESENCE_LIMIT, "the person is offline", async || {
            (!presence().await).then_some(())
        })
        .await;
        erase(functions, USER).await;

        // Numbers by user id, so that a number is never given twice; no content.
        let tables = on.database.tables();
        assert_eq!(places(&tables), BTreeSet::from(["feed", "push_token"]), "{}", on.name);
        for table in ["feed", "push_token"] {
            assert!(!tables[table].contains(SECRET), "{}: {}", on.name, tables[table]);
            let rows = tables[table].lines().filter(|row| row.contains(USER)).count();
            assert_eq!(rows, 1, "{}: {}", on.name, tables[table]);
        }
        // Companions without content, and what belongs to whoever wrote it.
        let feed = format!("bw:feed:{{notifications:{USER}}}");
        let fence = format!("bw:token:{{user:{USER}:token}}");
        let profile = format!("profile:{USER}");
        let theirs = ["campaign:c1", "campaign:c1:responses", "mails", &profile];
        let redis = keys(&on.redis).await;
        let left: BTreeSet<&str> =
            places(&redis).into_iter().filter(|key| !theirs.contains(key)).collect();
        assert!(
            left.is_subset(&BTreeSet::from([feed.as_str(), fence.as_str()])),
            "{}: {left:?}",
            on.name
        );
        for key in &left {
            assert!(!redis[*key].contains(SECRET), "{}: {key}: {}", on.name, redis[*key]);
        }

        // What the documents tell the operator to do for the rest.
        let campaign = functions.call("DELETE", "/campaigns/c1");
        campaign.token(&token("svc", "campaigns:write")).send().await.expect(204);
        on.redis.command(&["DEL", &profile, "mails"]).await;
        let redis = keys(&on.redis).await;
        let left: BTreeSet<&str> = places(&redis).into_iter().collect();
        assert!(
            left.is_subset(&BTreeSet::from([feed.as_str(), fence.as_str()])),
            "{}: {left:?}",
            on.name
        );

        for (program, output) in [("functions", functions.output()), ("hub", hub.output())] {
            assert!(!has(&output), "{}: the log of the {program}: {output}", on.name);
        }
    }
}
