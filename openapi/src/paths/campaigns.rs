//! `/campaigns/{campaign}`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    CAMPAIGN_ADD_MAX, CAMPAIGN_FIELDS_BYTES_MAX, CAMPAIGN_FIELDS_MAX, CAMPAIGN_NEXT_MAX,
    CAMPAIGN_PAGE_DEFAULT, CAMPAIGN_PAGE_MAX, CAMPAIGN_RESPOND_MAX, CAMPAIGN_RESPONSE_BYTES_MAX,
    REQUEST_ARRAY_BYTES_MAX, TEMPLATE_NAME_BYTES_MAX,
};

use super::REDIS;
use super::notifications::header_key;
use crate::operation::Operation;
use crate::schema::{
    NO_NUL, about, any_of, anything, count, decimal, flag, integer, list, list_max, map, named,
    object, pattern, request, text, time, with_default,
};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let mut fields = map(pattern(NO_NUL));
    fields["maxProperties"] = CAMPAIGN_FIELDS_MAX.into();
    let name = format!("^[A-Za-z0-9_.-]{{1,{TEMPLATE_NAME_BYTES_MAX}}}$");
    fields["propertyNames"] = serde_json::json!({"pattern": name});
    let words = format!(
        "Texts for a push's template. Together with their names at most \
         {CAMPAIGN_FIELDS_BYTES_MAX} bytes."
    );
    let user = request([
        ("userId", named("UserIdInput")),
        ("fcmToken?", named("PushToken")),
        ("fields?", about(fields, &words)),
    ]);
    let users = list_max(named("CampaignUserInput"), CAMPAIGN_ADD_MAX);
    let ours =
        object([("userId", named("UserId")), ("fcmToken?", text()), ("fields?", map(text()))]);
    let words = format!(
        "Each is any JSON of at most {CAMPAIGN_RESPONSE_BYTES_MAX} bytes and is stored unchanged."
    );
    let responses = about(list_max(named("Json"), CAMPAIGN_RESPOND_MAX), &words);
    let remaining = || about(count(), "The number of users who have not been taken.");
    vec![
        ("CampaignUserInput", user),
        ("CampaignUsersInput", request([("users", users)])),
        ("CampaignUser", about(ours, "A user who was added through this API.")),
        (
            "ForeignCampaignUser",
            about(map(anything()), "An entry of another service, as that service wrote it."),
        ),
        ("TakenUser", any_of(&[named("CampaignUser"), named("ForeignCampaignUser")])),
        ("TakenUsers", object([("users", list(named("TakenUser"))), ("remaining", remaining())])),
        ("Remaining", object([("remaining", remaining())])),
        ("CampaignResponses", request([("responses", responses)])),
        ("Accepted", object([("accepted", about(count(), "The number of responses added."))])),
        (
            "CampaignResponsePage",
            object([("items", list(named("Json"))), ("next", named("NextCursor"))]),
        ),
        (
            "Campaign",
            object([
                ("remaining", remaining()),
                ("total", about(count(), "The number of users added so far.")),
                ("processed", about(count(), "The number of users taken so far.")),
                ("responses", about(count(), "The number of responses stored.")),
                ("expiresAt?", about(time(), "When Redis drops the campaign.")),
            ]),
        ),
    ]
}

const KEY: &str = "While the campaign exists, a repeat of the request with this key changes nothing, \
                   until the users are replaced.";

pub fn operations() -> Vec<Operation> {
    let users = || named("CampaignUsersInput");
    let take = with_default(integer(1, CAMPAIGN_NEXT_MAX), 1);
    let limit = with_default(integer(1, CAMPAIGN_PAGE_MAX), CAMPAIGN_PAGE_DEFAULT);
    vec![
        new("replaceCampaign", "put /campaigns/{campaign}/users", "Replaces a campaign's users.")
            .header("Idempotency-Key", header_key(), KEY)
            .fails(&[Code::IdempotencyMismatch])
            .body(users(), REQUEST_ARRAY_BYTES_MAX)
            .example(users_example())
            .answers(200, "The users are replaced.", named("Remaining"))
            .shows(200, json!({"remaining": 2})),
        new("appendToCampaign", "post /campaigns/{campaign}/users", "Adds users to a campaign.")
            .header("Idempotency-Key", header_key(), KEY)
            .fails(&[Code::IdempotencyMismatch])
            .body(users(), REQUEST_ARRAY_BYTES_MAX)
            .example(users_example())
            .answers(200, "The users are added.", named("Remaining"))
            .shows(200, json!({"remaining": 4})),
        new("takeFromCampaign", "post /campaigns/{campaign}/next", "Takes users from a campaign.")
            .says(
                "Users are returned in the order in which they were added, each at most once: if \
                 the answer is lost, so are its users.",
            )
            .no_body()
            .query("count", take, "The maximum number of users.")
            .query(
                "tokens",
                with_default(flag(), false),
                "Whether users without `fcmToken` get the push token that Redis has. One that only \
                 the record has stays missing; `POST /tokens/read` finds it.",
            )
            .answers(200, "The users, and the number remaining.", named("TakenUsers"))
            .shows(
                200,
                json!({"users": [{"userId": "alice", "fcmToken": "d1:token"}], "remaining": 3}),
            ),
        new("appendResponses", "post /campaigns/{campaign}/responses", "Adds responses.")
            .body(named("CampaignResponses"), REQUEST_ARRAY_BYTES_MAX)
            .example(json!({"responses": [{"userId": "alice", "delivered": true}]}))
            .answers(200, "The responses are added.", named("Accepted"))
            .shows(200, json!({"accepted": 1})),
        new("readResponses", "get /campaigns/{campaign}/responses", "Reads a page of responses.")
            .scope(Scope::CampaignsRead)
            .says("The oldest come first.")
            .query("limit", limit, "The maximum number of responses.")
            .query("cursor", decimal(u32::MAX.into()), "The `next` of the previous page.")
            .answers(200, "A page of responses.", named("CampaignResponsePage"))
            .shows(200, json!({"items": [{"userId": "alice", "delivered": true}], "next": null})),
        new("readCampaign", "get /campaigns/{campaign}", "Reads a campaign's progress.")
            .scope(Scope::CampaignsRead)
            .answers(200, "The campaign's progress.", named("Campaign"))
            .shows(200, progress_example())
            .fails(&[Code::NotFound]),
        new("deleteCampaign", "delete /campaigns/{campaign}", "Removes a campaign.")
            .says("Its responses are removed as well.")
            .empty(204, "The campaign is removed, if there was one."),
    ]
}

fn progress_example() -> Value {
    json!({
        "remaining": 3, "total": 4, "processed": 1, "responses": 1, "expiresAt": "2026-11-30T12:00:00.000Z",
    })
}

fn users_example() -> Value {
    json!({"users": [{"userId": "alice", "fcmToken": "d1:token"}, {"userId": 7}]})
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("campaigns", id, head, summary).scope(Scope::CampaignsWrite).fails(&REDIS)
}
