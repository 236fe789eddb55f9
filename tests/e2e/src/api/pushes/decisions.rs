//! Which due pushes are given out: presence, read marks, preferences, what is gone or expired.

use serde_json::{Value, json};
use support::token;

use crate::api::records::{On, each_database};

/// Claims until nothing is due; returns the titles and the number skipped.
async fn all(on: &On) -> (Vec<String>, i64) {
    let claim = on.claim().await;
    (super::titles(&claim), claim["skipped"].as_i64().unwrap())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

async fn delete(on: &On, path: &str) {
    let service = token("svc", "notifications:write ops:write");
    on.functions.call("DELETE", path).token(&service).send().await.expect(204);
}

#[tokio::test]
async fn what_was_read_in_time_is_not_pushed() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        let push = json!({"when": "unread", "afterSeconds": 60});
        on.push("alice", "read", push.clone()).await;
        on.push("alice", "always", json!({"when": "always", "afterSeconds": 60})).await;
        on.push("alice", "unread", push).await;
        let claim = on.claim().await;
        let next = claim["nextDueMs"].as_i64().unwrap();
        assert!(claim["jobs"] == json!([]) && (50_000..=60_000).contains(&next), "{claim}");
        let read = on.functions.post("/users/alice/notifications/read", r#"{"upTo":2}"#);
        read.token(&token("alice", "")).send().await.expect(200);
        on.end_leases();
        assert_eq!(all(&on).await, (words(&["always", "unread"]), 1), "{}", on.name);
        assert_eq!(on.jobs(), 2, "{}: the other one is gone", on.name);
    }
}

#[tokio::test]
async fn who_is_online_gets_no_push_that_is_for_the_absent() {
    for on in each_database().await {
        on.give_tokens(&["here", "away"]).await;
        on.redis.command(&["SADD", "online_users", "here"]).await;
        for user in ["here", "away"] {
            for when in ["offline", "always", "unread", "never"] {
                on.push(user, &format!("{user} {when}"), json!({"when": when})).await;
            }
        }
        let expected =
            words(&["away always", "away offline", "away unread", "here always", "here unread"]);
        assert_eq!(all(&on).await, (expected, 1), "{}", on.name);
    }
}

#[tokio::test]
async fn without_redis_everybody_counts_as_absent() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.redis.command(&["SADD", "online_users", "alice", "bob"]).await;
        on.push("alice", "a", json!({"when": "offline"})).await;
        // Perhaps another service has stored a token for bob in Redis.
        on.push("bob", "b", json!({"when": "always"})).await;
        on.redis.kill();
        assert_eq!(all(&on).await, (words(&["a"]), 0), "{}", on.name);
        assert_eq!(on.jobs(), 2, "{}", on.name);
        on.redis.restart().await;
        on.redis.command(&["SET", "user:bob:token", "theirs", "EX", "100"]).await;
        on.redis.command(&["SADD", "online_users", "alice"]).await;
        on.end_leases();
        assert_eq!(all(&on).await, (words(&["b"]), 1), "{}", on.name);
    }
}

#[tokio::test]
async fn what_is_deleted_erased_pruned_or_expired_is_not_pushed() {
    for on in each_database().await {
        on.give_tokens(&["alice", "bob", "carol"]).await;
        let always = json!({"when": "always"});
        let deleted = on.push("alice", "deleted", always.clone()).await;
        let id = deleted["id"].as_str().unwrap();
        delete(&on, &format!("/users/alice/notifications/{id}")).await;
        assert_eq!(on.jobs(), 0, "{}: of a deleted entry", on.name);

        on.push("bob", "erased", always.clone()).await;
        on.push("alice", "kept", always.clone()).await;
        delete(&on, "/users/bob").await;
        assert_eq!(on.jobs(), 1, "{}: of an erased user", on.name);

        let expiring = json!({
            "userId": "alice", "title": "expired", "expiresAt": "2020-01-01T00:00:00Z",
            "push": {"when": "always"},
        });
        on.functions.create(&expiring).await.expect(201);
        let short = json!({"when": "always", "ttlSeconds": 30});
        on.push("carol", "late", short).await;
        on.database.execute(
            "UPDATE @push_job SET created_at_ms = created_at_ms - 31000 WHERE user_id = 'carol'",
        );
        assert_eq!(all(&on).await, (words(&["kept"]), 2), "{}", on.name);
        assert_eq!(on.jobs(), 1);

        on.database
            .execute("UPDATE @notifications SET created_at_ms = created_at_ms - 10000000000");
        let prune = on.functions.post("/admin/prune", "").token(&token("ops", "ops:write"));
        prune.send().await.expect(200);
        assert_eq!(on.jobs(), 0, "{}: of a pruned entry", on.name);
    }
}

#[tokio::test]
async fn preferences_and_missing_devices_end_a_job() {
    for on in each_database().await {
        on.give_tokens(&["alice", "bob", "carol"]).await;
        on.put_preferences("alice", json!({"push": false})).await;
        on.put_preferences("bob", json!({"kinds": {"advert": {"push": false}}})).await;
        let hours = json!({"from": "22:00", "to": "07:00", "timeZone": "Europe/Berlin"});
        on.put_preferences("carol", json!({ "quietHours": hours })).await;
        for user in ["alice", "bob", "carol", "nobody"] {
            for kind in ["advert", "order"] {
                let title = format!("{user} {kind}");
                let push = json!({"when": "always"});
                let body = json!({"userId": user, "title": title, "kind": kind, "push": push});
                on.functions.create(&body).await.expect(201);
            }
        }
        let claim = on.claim().await;
        let expected = words(&["bob order", "carol advert", "carol order"]);
        assert_eq!(
            (super::titles(&claim), &claim["skipped"]),
            (expected, &json!(5)),
            "{}",
            on.name
        );
        let jobs: Vec<&Value> = claim["jobs"].as_array().unwrap().iter().collect();
        for job in jobs {
            let is_carol = job["userId"] == "carol";
            let told = job.get("quietHours");
            assert_eq!(told, is_carol.then_some(&hours), "{}: {job}", on.name);
        }
        assert_eq!(on.jobs(), 3, "{}", on.name);
    }
}

/// What a user does not want in the feed may still be wanted as a push.
#[tokio::test]
async fn a_muted_notification_is_pushed_unless_it_is_for_the_unread() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        let kinds = json!({"like": {"feed": false}, "advert": {"feed": false, "push": false}});
        on.put_preferences("alice", json!({ "kinds": kinds })).await;
        for kind in ["like", "advert"] {
            for when in ["always", "offline", "unread"] {
                let title = format!("{kind} {when}");
                let push = json!({ "when": when });
                let body = json!({"userId": "alice", "title": title, "kind": kind, "push": push});
                let created = on.functions.create(&body).await.expect(201).json();
                assert_eq!(created["muted"], true, "{}", on.name);
            }
        }
        let expected = words(&["like always", "like offline"]);
        assert_eq!(all(&on).await, (expected, 4), "{}", on.name);
        assert_eq!(on.jobs(), 2, "{}: the others are gone", on.name);
    }
}
