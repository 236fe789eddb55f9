//! What a user wants to receive.

use serde_json::{Value, json};

use super::call;
use crate::api::records::each_database;

#[tokio::test]
async fn preferences_are_replaced_as_a_whole() {
    for on in each_database().await {
        let functions = &on.functions;
        let path = "/users/alice/preferences";
        let read = async || call(functions, "GET", path, Value::Null).await.expect(200).json();
        assert_eq!(read().await, json!({}), "{}", on.name);
        for wanted in [
            json!({
                "push": true,
                "kinds": {"comment": {"push": false}, "news": {"feed": false, "push": false}},
                "quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Europe/Berlin"},
            }),
            json!({"push": false}),
            json!({}),
        ] {
            call(functions, "PUT", path, wanted.clone()).await.expect(204);
            assert_eq!(read().await, wanted, "{}", on.name);
        }
        let other = call(functions, "GET", "/users/bob/preferences", Value::Null).await;
        assert_eq!(other.expect(200).json(), json!({}), "{}", on.name);
        for (body, code, named) in [
            (json!({"push": 1}), "invalid_field", "push"),
            (json!({"mail": true}), "unknown_field", "mail"),
            (json!({"quietHours": {"from": "22:00", "to": "7"}}), "invalid_field", "to"),
            (
                json!({"quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Mars/Phobos"}}),
                "invalid_field",
                "Mars/Phobos",
            ),
            (
                json!({"kinds": (0..51).map(|at| (at.to_string(), json!({}))).collect::<serde_json::Map<_, _>>()}),
                "limit_exceeded",
                "50",
            ),
        ] {
            let answer = call(functions, "PUT", path, body).await.expect_problem(400, code);
            assert!(answer.text().contains(named), "{}", answer.text());
        }
        assert_eq!(read().await, json!({}), "{}: nothing was stored", on.name);
    }
}
