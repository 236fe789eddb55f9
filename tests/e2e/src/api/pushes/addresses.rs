//! `POST /push/addresses` and `POST /push/prune`.

use serde_json::{Value, json};

use crate::api::records::{On, each_database};

async fn addresses(on: &On, query: Value) -> Vec<Value> {
    let answer = on.work("/push/addresses", query).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()["users"].as_array().unwrap().clone()
}

async fn prune(on: &On, devices: Value) -> i64 {
    let answer = on.work("/push/prune", json!({ "devices": devices })).await.expect(200);
    answer.json()["deleted"].as_i64().unwrap()
}

#[tokio::test]
async fn addresses_come_in_the_order_of_the_request() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        let apns = json!({
            "kind": "apns", "token": "00ff", "topic": "org.example.app", "locale": "de",
            "timeZone": "Europe/Berlin",
        });
        on.put_device("alice", "phone", apns).await;
        let hours = json!({"from": "22:00", "to": "07:00", "timeZone": "UTC"});
        let wanted = json!({"kinds": {"advert": {"push": false}}, "quietHours": hours});
        on.put_preferences("alice", wanted).await;
        on.redis.command(&["SADD", "online_users", "alice"]).await;
        on.redis.command(&["SET", "user:bob:token", "theirs", "EX", "100"]).await;

        let query =
            json!({"userIds": ["bob", "alice", 7, "bob"], "presence": true, "kind": "advert"});
        let users = addresses(&on, query).await;
        let theirs = json!({"device": "default", "kind": "fcm", "rev": 0, "token": "theirs"});
        let bob = json!({"userId": "bob", "push": true, "online": false, "devices": [theirs]});
        assert_eq!((&users[0], &users[3], users.len()), (&bob, &bob, 4), "{}", on.name);
        let nobody = json!({"userId": "7", "push": true, "online": false, "devices": []});
        assert_eq!(users[2], nobody, "{}", on.name);
        let alice = &users[1];
        assert_eq!((&alice["push"], &alice["online"]), (&json!(false), &json!(true)));
        assert_eq!(alice["quietHours"], hours, "{}", on.name);
        let devices = alice["devices"].as_array().unwrap();
        assert_eq!((&devices[0]["token"], devices.len()), (&json!("token of alice"), 2));
        let mut phone = devices[1].clone();
        let rev = phone["rev"].take().as_i64().unwrap();
        let expected = json!({
            "device": "phone", "kind": "apns", "rev": null, "locale": "de",
            "timeZone": "Europe/Berlin", "token": "00ff", "topic": "org.example.app",
            "environment": "production",
        });
        assert_eq!(phone, expected, "{}", on.name);
        assert!(rev > 0);

        // Without presence, and of another kind.
        let users = addresses(&on, json!({"userIds": ["alice"], "kind": "order"})).await;
        assert_eq!((&users[0]["push"], users[0].get("online")), (&json!(true), None));

        on.redis.kill();
        let users = addresses(&on, json!({"userIds": ["alice", "bob"], "presence": true})).await;
        assert_eq!((users[0].get("online"), &users[1]["devices"]), (None, &json!([])));
        assert_eq!(users[0]["devices"][0]["token"], "token of alice", "{}", on.name);
        on.redis.restart().await;
    }
}

#[tokio::test]
async fn a_token_of_another_service_counts_more_than_the_records() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.redis.command(&["SET", "user:alice:token", "theirs"]).await;
        let users = addresses(&on, json!({"userIds": ["alice"]})).await;
        let theirs = json!([{"device": "default", "kind": "fcm", "rev": 0, "token": "theirs"}]);
        assert_eq!(users[0]["devices"], theirs, "{}", on.name);
        // Of a device that has this token, there is one.
        on.put_device("alice", "phone", json!({"kind": "fcm", "token": "theirs"})).await;
        let users = addresses(&on, json!({"userIds": ["alice"]})).await;
        let devices = users[0]["devices"].as_array().unwrap();
        assert_eq!((&devices[0]["device"], devices.len()), (&json!("phone"), 1), "{}", on.name);
        // Its expiry, as after any read of the token.
        assert!(on.redis.run_words::<i64>(&["TTL", "user:alice:token"]).await > 0);
        on.redis.command(&["DEL", "user:alice:token"]).await;
        on.redis.command(&["LPUSH", "user:alice:token", "no token"]).await;
        on.redis.command(&["EXPIRE", "user:alice:token", "100"]).await;
        let users = addresses(&on, json!({"userIds": ["alice"]})).await;
        assert_eq!(users[0]["devices"][0]["token"], "token of alice", "{}", on.name);
    }
}

#[tokio::test]
async fn only_an_address_that_was_found_dead_is_removed() {
    for on in each_database().await {
        on.give_tokens(&["alice", "bob"]).await;
        let phone = |token: &str| json!({"kind": "fcm", "token": token});
        on.put_device("alice", "phone", phone("one")).await;
        let devices = async || {
            let users = addresses(&on, json!({"userIds": ["alice"]})).await;
            users[0]["devices"].as_array().unwrap().clone()
        };
        let before = devices().await;
        let dead = |device: &Value| {
            let mut dead = device.clone();
            dead.as_object_mut().unwrap().remove("kind");
            dead["userId"] = "alice".into();
            dead
        };
        // Registered again since.
        on.put_device("alice", "phone", phone("two")).await;
        let other = json!({"userId": "bob", "device": "default", "rev": 1, "token": "another"});
        assert_eq!(prune(&on, json!([dead(&before[1]), other])).await, 0, "{}", on.name);
        assert_eq!(devices().await.len(), 2, "{}", on.name);

        let now = devices().await;
        let all = json!([dead(&now[0]), dead(&now[1])]);
        assert_eq!(prune(&on, all.clone()).await, 2, "{}", on.name);
        assert_eq!(devices().await, [0i64; 0], "{}", on.name);
        assert_eq!(on.redis.run_words::<i64>(&["EXISTS", "user:alice:token"]).await, 0);
        assert_eq!(prune(&on, all).await, 0, "{}", on.name);

        // A token that only Redis has.
        on.redis.command(&["SET", "user:carol:token", "theirs", "EX", "100"]).await;
        let theirs = json!([{"userId": "carol", "device": "default", "rev": 0, "token": "theirs"}]);
        assert_eq!(prune(&on, theirs).await, 1, "{}", on.name);
        assert_eq!(on.redis.run_words::<i64>(&["EXISTS", "user:carol:token"]).await, 0);
    }
}
