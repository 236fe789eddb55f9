//! Push tokens.

use shared::Code;
use shared::auth::Scope;
use shared::limits::{PUSH_TOKENS_MAX, REQUEST_ARRAY_BYTES_MAX, REQUEST_BYTES_MAX};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{count, list_max, named, object, text};

pub fn operations() -> Vec<Operation> {
    let token = object([("userId", named("UserIdGiven")), ("token", text())]);
    let tokens = object([("tokens", list_max(token, PUSH_TOKENS_MAX))]);
    vec![
        new("readToken", "get /users/{user}/token", "A user's push token.")
            .self_or(Scope::TokensRead)
            .answers(200, "It.", object([("userId", named("Id")), ("token", text())]))
            .fails(&[Code::NotFound]),
        new("writeToken", "put /users/{user}/token", "Sets a user's push token.")
            .self_or(Scope::TokensWrite)
            .body(object([("token", text())]), REQUEST_BYTES_MAX)
            .empty(204, "Done."),
        new("deleteToken", "delete /users/{user}/token", "Removes a user's push token.")
            .self_or(Scope::TokensWrite)
            .empty(204, "Done."),
        new("writeTokens", "put /tokens", "Sets many.")
            .scope(Scope::TokensWrite)
            .body(tokens.clone(), REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "How many.", object([("written", count())]))
            .fails(&[Code::InvalidId]),
        new("pruneTokens", "post /tokens/prune", "Deletes those that are still current.")
            .scope(Scope::TokensWrite)
            .body(tokens, REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "How many.", object([("deleted", count())]))
            .fails(&[Code::InvalidId]),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("tokens", id, head, summary)
        .fails(&[Code::UnknownField, Code::InvalidField, Code::InvalidId])
        .fails(&BOTH)
}
