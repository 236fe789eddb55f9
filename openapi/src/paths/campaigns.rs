//! `/campaigns/{campaign}`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    CAMPAIGN_ADD_MAX, CAMPAIGN_NEXT_MAX, CAMPAIGN_RESPOND_MAX, REQUEST_ARRAY_BYTES_MAX,
};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{anything, count, integer, list, list_max, named, object, or_null, text, time};

pub fn operations() -> Vec<Operation> {
    let users = list_max(user(named("UserIdGiven")), CAMPAIGN_ADD_MAX);
    let users = object([("users", users)]);
    let remaining = || object([("remaining", count())]);
    // Those that another service pushed are given out as they are.
    let taken = json!({"type": "object", "additionalProperties": true});
    let responses = list_max(anything(), CAMPAIGN_RESPOND_MAX);
    vec![
        new("replaceCampaign", "put /campaigns/{campaign}/users", "Replaces the users.")
            .body(users.clone(), REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "How many there are.", remaining()),
        new("appendToCampaign", "post /campaigns/{campaign}/users", "Appends users.")
            .body(users, REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "How many there are.", remaining()),
        new(
            "takeFromCampaign",
            "post /campaigns/{campaign}/next",
            "Takes users out, first in first out, at most once each.",
        )
        .query("count", integer(1, CAMPAIGN_NEXT_MAX), "How many.")
        .answers(
            200,
            "They, and how many are left.",
            object([("users", list(taken)), ("remaining", count())]),
        ),
        new("appendResponses", "post /campaigns/{campaign}/responses", "Appends responses.")
            .body(object([("responses", responses)]), REQUEST_ARRAY_BYTES_MAX)
            .answers(200, "How many.", object([("accepted", count())])),
        new("readResponses", "get /campaigns/{campaign}/responses", "A page of responses.")
            .query("limit", count(), "Entries of the page.")
            .query("cursor", text(), "The last page's `next`.")
            .answers(
                200,
                "A page.",
                object([("items", list(anything())), ("next", named("Next"))]),
            ),
        new("readCampaign", "get /campaigns/{campaign}", "How far it is.").answers(
            200,
            "Numbers of users.",
            object([
                ("remaining", count()),
                ("total", count()),
                ("processed", count()),
                ("responses", count()),
                ("expiresAt", or_null(time())),
            ]),
        ),
        new("deleteCampaign", "delete /campaigns/{campaign}", "Removes it with its responses.")
            .empty(204, "Done."),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("campaigns", id, head, summary)
        .scope(Scope::CampaignsWrite)
        .fails(&[Code::NotFound, Code::UnknownField, Code::InvalidField, Code::InvalidId])
        .fails(&REDIS)
}

fn user(id: Value) -> Value {
    object([("userId", id), ("fcmToken?", text())])
}
