//! `POST /campaigns/{id}/next?tokens=true`: users without `fcmToken` get the push token that Redis
//! has. This component has no record: a token that only the record has stays missing, and
//! `POST /tokens/read` finds it.

use std::collections::BTreeMap;

use runtime::ports::redis::{Arg, Redis, RedisError};
use runtime::{App, log, push_tokens};
use serde_json::value::RawValue;
use shared::json::quoted;
use shared::notification::user_id_from_json;
use shared::{UserId, keys};

/// The elements, with tokens in those that have none. The users have left the list already, so they
/// are returned as they are if Redis does not answer.
pub async fn fill(app: &App, elements: Vec<&str>) -> Vec<String> {
    let users: Vec<Option<UserId>> = elements.iter().map(|element| lacking(element)).collect();
    let wanted: Vec<&UserId> = users.iter().flatten().collect();
    let mut tokens = Vec::new();
    if !wanted.is_empty() {
        tokens = read(&*app.redis, &wanted).await.unwrap_or_else(|error| {
            log::warn("campaign_without_tokens", &[("error", &error.to_string())]);
            Vec::new()
        });
    }
    let mut tokens = tokens.into_iter();
    let filled = elements.into_iter().zip(&users).map(|(element, user)| {
        match user.as_ref().and_then(|_| tokens.next().flatten()) {
            Some(token) => filled(element, &token),
            None => element.to_owned(),
        }
    });
    filled.collect()
}

/// The users' tokens, in their order.
async fn read(redis: &impl Redis, users: &[&UserId]) -> Result<Vec<Option<String>>, RedisError> {
    // The users' keys are in many slots there.
    if redis.is_cluster() {
        return push_tokens::in_redis_alone(redis, users).await;
    }
    let keys: Vec<String> = users.iter().map(|user| keys::push_token(user)).collect();
    let args: Vec<Arg<'_>> = keys.iter().map(|key| Arg::Text(key)).collect();
    let reply = redis.command("MGET", &args).await?;
    let tokens = reply.iter().map(|token| token.text().filter(|text| !text.is_empty()));
    Ok(tokens.map(|token| token.map(str::to_owned)).collect())
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The user of an element without a token. Other services write elements, too: `None` if this one
/// names no user.
fn lacking(element: &str) -> Option<UserId> {
    let members: Members<'_> = serde_json::from_str(element).ok()?;
    match members.get("fcmToken").map(|token| token.get()) {
        None | Some("null") => user_id_from_json(members.get("userId")?.get())?.ok(),
        Some(_) => None,
    }
}

/// The element, which names a user, with a token at its end.
fn filled(element: &str, token: &str) -> String {
    let mut members: Members<'_> = serde_json::from_str(element).unwrap_or_default();
    let mut text = element.trim_end().to_owned();
    // It was null.
    if members.remove("fcmToken").is_some() {
        text = serde_json::to_string(&members).unwrap_or(text);
    }
    text.pop();
    format!("{text},\"fcmToken\":{}}}", quoted(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_without_a_token_lacks_one() {
        for (element, user) in [
            (r#"{"userId":"a"}"#, Some("a")),
            (r#"{"userId":7,"fcmToken":null}"#, Some("7")),
            (r#"{"userId":"a","fcmToken":"t"}"#, None),
            (r#"{"userId":"a b"}"#, None),
            (r#"{"user":"a"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(lacking(element).as_ref().map(UserId::as_str), user, "{element}");
        }
    }

    #[test]
    fn the_rest_of_an_element_stays() {
        for (element, expected) in [
            (r#"{"userId":"a"}"#, r#"{"userId":"a","fcmToken":"t\""}"#),
            (r#"{ "x":[1.0], "userId":7 } "#, r#"{ "x":[1.0], "userId":7 ,"fcmToken":"t\""}"#),
            (
                r#"{"userId":"a","fcmToken":null,"b":1e2}"#,
                r#"{"b":1e2,"userId":"a","fcmToken":"t\""}"#,
            ),
        ] {
            assert_eq!(filled(element, "t\""), expected);
        }
    }
}
