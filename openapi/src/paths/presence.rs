//! `/presence`.

use serde_json::json;
use shared::auth::Scope;
use shared::limits::{PRESENCE_USERS_MAX, REQUEST_ARRAY_BYTES_MAX};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{about, count, flag, list_max, map, named, object, request};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let users = list_max(named("UserIdInput"), PRESENCE_USERS_MAX);
    let online = about(map(flag()), "Whether each user is online, by id.");
    vec![
        ("Online", object([("userId", named("UserId")), ("online", flag())])),
        ("PresenceQuery", request([("userIds", users)])),
        ("OnlineByUser", object([("online", online)])),
        ("OnlineCount", object([("count", about(count(), "The number of users online."))])),
    ]
}

pub fn operations() -> [Operation; 3] {
    [
        new("isOnline", "get /presence/{user}", "Reads whether a user is online.")
            .says("A user is online while any hub holds a socket of theirs.")
            .answers(200, "Whether the user is online.", named("Online"))
            .shows(200, json!({"userId": "alice", "online": true})),
        new("areOnline", "post /presence", "Reads which of several users are online.")
            .body(named("PresenceQuery"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"userIds": ["alice", 7]}))
            .answers(200, "Whether each user is online.", named("OnlineByUser"))
            .shows(200, json!({"online": {"alice": true, "7": false}}))
            .fails(&[shared::Code::InvalidId]),
        new("countOnline", "get /presence", "Counts the users who are online.")
            .answers(200, "The number of users.", named("OnlineCount"))
            .shows(200, json!({"count": 1})),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("presence", id, head, summary).scope(Scope::PresenceRead).fails(&REDIS)
}
