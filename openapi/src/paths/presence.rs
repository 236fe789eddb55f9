//! `/presence`.

use serde_json::json;
use shared::Code;
use shared::auth::Scope;
use shared::limits::{PRESENCE_USERS_MAX, REQUEST_ARRAY_BYTES_MAX};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{count, flag, list_max, named, object};

pub fn operations() -> [Operation; 3] {
    let users = list_max(named("UserIdGiven"), PRESENCE_USERS_MAX);
    let online = json!({"type": "object", "additionalProperties": flag()});
    [
        new("isOnline", "get /presence/{user}", "Whether a user has a live socket.").answers(
            200,
            "Yes or no.",
            named("Online"),
        ),
        new("areOnline", "post /presence", "Whether users have live sockets.")
            .body(object([("userIds", users)]), REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "By user.", object([("online", online)])),
        new("countOnline", "get /presence", "How many users have a live socket.").answers(
            200,
            "The number.",
            object([("count", count())]),
        ),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("presence", id, head, summary)
        .scope(Scope::PresenceRead)
        .fails(&[Code::UnknownField, Code::InvalidField, Code::InvalidId])
        .fails(&REDIS)
}
