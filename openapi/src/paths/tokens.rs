//! Push tokens.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    DEVICES_MAX, PUSH_TOKEN_BYTES_MAX, PUSH_TOKENS_MAX, PUSH_TOKENS_READ_MAX,
    REQUEST_ARRAY_BYTES_MAX, REQUEST_BYTES_MAX,
};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{about, count, list_max, map, named, object, or_null, pattern, request, text};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let mut token = pattern(r"^[^\x00-\x1f\x7f-\x9f]+$");
    token["minLength"] = 1.into();
    token["maxLength"] = PUSH_TOKEN_BYTES_MAX.into();
    let words =
        format!("A push token: at most {PUSH_TOKEN_BYTES_MAX} bytes, no control characters.");
    let pair = request([("userId", named("UserIdInput")), ("token", named("PushToken"))]);
    let pairs = list_max(named("UserTokenInput"), PUSH_TOKENS_MAX);
    let users = list_max(named("UserIdInput"), PUSH_TOKENS_READ_MAX);
    let tokens = about(map(or_null(text())), "By user; null for a user without a token.");
    vec![
        ("PushToken", about(token, &words)),
        ("TokenInput", request([("token", named("PushToken"))])),
        ("UserTokenInput", pair),
        ("UserTokensInput", request([("tokens", pairs)])),
        ("UserToken", object([("userId", named("UserId")), ("token", text())])),
        ("TokensRequest", request([("userIds", users)])),
        ("UserTokens", object([("tokens", tokens)])),
        ("TokensWritten", object([("written", about(count(), "The number of users."))])),
        ("TokensDeleted", object([("deleted", about(count(), "The number of users."))])),
    ]
}

pub fn operations() -> Vec<Operation> {
    vec![
        new("readToken", "get /users/{user}/token", "Reads a user's push token.")
            .self_or(Scope::TokensRead)
            .answers(200, "The user's push token.", named("UserToken"))
            .shows(200, json!({"userId": "alice", "token": "d1:token"}))
            .fails(&[Code::NotFound]),
        new("writeToken", "put /users/{user}/token", "Sets a user's push token.")
            .says(format!(
                "If another user or device has the token, it loses it. A user with {DEVICES_MAX} \
                 other devices cannot have one."
            ))
            .self_or(Scope::TokensWrite)
            .body(named("TokenInput"), REQUEST_BYTES_MAX)
            .example(json!({"token": "d1:token"}))
            .empty(204, "The user has the token."),
        new("deleteToken", "delete /users/{user}/token", "Removes a user's push token.")
            .self_or(Scope::TokensWrite)
            .empty(204, "The user has no token."),
        new("writeTokens", "put /tokens", "Sets the push tokens of several users.")
            .says(
                "Either all of them are set or none. If another user or device has one of the \
                 tokens, it loses it.",
            )
            .scope(Scope::TokensWrite)
            .body(named("UserTokensInput"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"tokens": [{"userId": "alice", "token": "d1:token"}]}))
            .answers(200, "The users have their tokens.", named("TokensWritten"))
            .shows(200, json!({"written": 1}))
            .fails(&[Code::InvalidId]),
        new("readTokens", "post /tokens/read", "Reads the push tokens of several users.")
            .scope(Scope::TokensRead)
            .body(named("TokensRequest"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"userIds": ["alice", 7]}))
            .answers(200, "The tokens.", named("UserTokens"))
            .shows(200, json!({"tokens": {"alice": "d1:token", "7": null}}))
            .fails(&[Code::InvalidId]),
        new("pruneTokens", "post /tokens/prune", "Removes dead push tokens.")
            .says("A user who has another token by now keeps that one.")
            .scope(Scope::TokensWrite)
            .body(named("UserTokensInput"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"tokens": [{"userId": "alice", "token": "d1:token"}]}))
            .answers(200, "The tokens are removed.", named("TokensDeleted"))
            .shows(200, json!({"deleted": 1}))
            .fails(&[Code::InvalidId]),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("tokens", id, head, summary).fails(&BOTH)
}
