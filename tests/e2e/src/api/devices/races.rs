//! Devices while calls overtake each other, and while Redis is away.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::{apns, call, fcm, put, put_token, webpush};
use crate::api::records::each_database;

const BOUND: Duration = Duration::from_secs(9);

#[tokio::test]
async fn many_who_want_one_address_leave_it_with_one() {
    for on in each_database().await {
        let users: Vec<String> = (0..12).map(|at| format!("u{at}")).collect();
        for body in [webpush("x"), apns("ab"), fcm("t")] {
            let puts = users.iter().map(|user| put(&on.functions, user, "phone", body.clone()));
            for answer in join_all(puts).await {
                answer.expect(204);
            }
            let mut owners = 0;
            for user in &users {
                owners += on.names(user).await.len();
            }
            assert_eq!(owners, 1, "{}: {body}", on.name);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_put_as_a_push_token_and_as_a_device_has_one_owner() {
    for on in each_database().await {
        let functions = &on.functions;
        let users: Vec<String> = (0..12).map(|at| format!("u{at}")).collect();
        for _ in 0..4 {
            let puts = users.iter().enumerate().map(async |(at, user)| match at % 3 {
                0 => put_token(functions, user, "t").await,
                1 => put(functions, user, "default", fcm("t")).await,
                _ => put(functions, user, "phone", fcm("t")).await,
            });
            for answer in join_all(puts).await {
                answer.expect(204);
            }
            let mut owners = Vec::new();
            for user in &users {
                let names = on.names(user).await;
                // Redis says what the record says.
                let is_default = names.contains(&"default fcm".to_owned());
                assert_eq!(on.plain(user).await.is_some(), is_default, "{}: {user}", on.name);
                owners.extend(names);
            }
            assert_eq!(owners.len(), 1, "{}: {owners:?}", on.name);
        }
    }
}

#[tokio::test]
async fn of_twelve_devices_at_once_ten_are_registered() {
    for on in each_database().await {
        let functions = &on.functions;
        let puts = (0..12).map(async |at: usize| {
            let answer = match at {
                5 => put_token(functions, "alice", "t").await,
                at => put(functions, "alice", &format!("d{at}"), webpush(&at.to_string())).await,
            };
            match answer.status {
                204 => true,
                _ => {
                    answer.expect_problem(400, "limit_exceeded");
                    false
                }
            }
        });
        let registered = join_all(puts).await.into_iter().filter(|is_done| *is_done).count();
        assert_eq!(registered, 10, "{}", on.name);
        assert_eq!(on.devices("alice").await.len(), 10, "{}", on.name);
    }
}

#[tokio::test]
async fn while_redis_is_away_devices_are_listed_and_a_write_may_be_repeated() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        put_token(functions, "alice", "t").await.expect(204);
        redis.kill();
        assert_eq!(on.names("alice").await, ["default fcm"], "{}", on.name);
        // Only a token that was a push token concerns Redis.
        put(functions, "bob", "browser", webpush("x")).await.within(BOUND).expect(204);
        let answer = put(functions, "bob", "phone", fcm("t")).await.within(BOUND);
        answer.expect_problem(503, "redis_unavailable");
        assert_eq!(on.names("alice").await, [""; 0], "{}: the record knows", on.name);
        redis.restart().await;
        // Back with what it knew before.
        let _: () = redis.run("SET user:alice:token t EX 1000").await;
        put(functions, "bob", "phone", fcm("t")).await.expect(204);
        assert_eq!(on.plain("alice").await, None, "{}", on.name);
        let names = on.names("bob").await;
        assert_eq!(names, ["browser webpush", "phone fcm"], "{}", on.name);
        call(functions, "GET", "/users/alice/token", Value::Null).await.expect(404);
    }
}
