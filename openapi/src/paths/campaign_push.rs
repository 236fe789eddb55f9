//! `/campaigns/{campaign}/push`.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::limits::{
    BODY_BYTES_MAX, CAMPAIGN_PUSH_TTL_S_MAX, CAMPAIGN_RATE_DEFAULT, CAMPAIGN_RATE_MAX,
    REQUEST_BYTES_MAX, TEMPLATE_DATA_BYTES_MAX, TEMPLATE_LINK_BYTES_MAX, TEMPLATE_LOCALES_MAX,
    TEMPLATE_NAME_BYTES_MAX, TITLE_CHARS_MAX,
};

use super::REDIS;
use crate::operation::Operation;
use crate::schema::{
    about, any_of, count, flag, integer, map, named, object, pattern, request, text, time,
    with_default, words,
};
use crate::schemas::Named;

pub fn schemas() -> Vec<Named> {
    let mut all = templates();
    all.extend([("CampaignPushInput", input()), ("CampaignPush", progress())]);
    let redriven = about(count(), "The number of users who will be attempted again.");
    all.push(("CampaignRedriven", object([("redriven", redriven)])));
    all
}

fn templates() -> Vec<Named> {
    let name = format!("[A-Za-z0-9_.-]{{1,{TEMPLATE_NAME_BYTES_MAX}}}");
    let limited = |schema: Value, least: usize, most: usize| {
        let mut schema = schema;
        schema["minLength"] = least.into();
        schema["maxLength"] = most.into();
        schema
    };
    // A brace alone, or a name in two of them.
    let text = format!(r"^([^{{\x00]|\{{[^{{\x00]|\{{\{{ *{name} *\}}\}})*\{{?$");
    let title = limited(pattern(&text), 1, TITLE_CHARS_MAX);
    let body = limited(pattern(&text), 0, BODY_BYTES_MAX);
    let any = r"[!-\[\]-z|}~]";
    let field = format!(r"\{{\{{{name}\}}\}}");
    let rest = format!(r"({any}|\{{{any}|{field})*\{{?");
    let host = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?";
    let path = format!(r"/(([!-.0-\[\]-z|}}~]|\{{{any}|{field}){rest}|\{{)?");
    let link = format!(r"^(https?://{host}([/?#]{rest})?|{path})$");
    let link = limited(pattern(&link), 1, TEMPLATE_LINK_BYTES_MAX);
    let localised = |schema: &str| {
        let mut texts = map(named(schema));
        texts["properties"] = json!({"default": named(schema)});
        texts["required"] = json!(["default"]);
        texts["maxProperties"] = TEMPLATE_LOCALES_MAX.into();
        texts["propertyNames"] =
            json!({"maxLength": 35, "pattern": "^[A-Za-z0-9]+([-_][A-Za-z0-9]+)*$"});
        any_of(&[named(schema), about(texts, "By language, as in `pt-BR`; each only once.")])
    };
    let data = format!(
        "Any JSON of at most {TEMPLATE_DATA_BYTES_MAX} bytes, passed on with `{{{{name}}}}` filled \
         in its texts."
    );
    let template = request([
        ("title", named("TitleTemplate")),
        ("body?", named("BodyTemplate")),
        ("link?", named("LinkTemplate")),
        ("data?", about(named("Json"), &data)),
    ]);
    let filled = "`{{name}}` stands for the user's field of that name.";
    let bytes = format!("At most {BODY_BYTES_MAX} bytes. {filled}");
    let place = "A URL or a path in ASCII. Fields are encoded, and cannot be part of the host.";
    vec![
        ("TitleText", about(title, filled)),
        ("BodyText", about(body, &bytes)),
        ("LinkText", about(link, place)),
        ("TitleTemplate", localised("TitleText")),
        ("BodyTemplate", localised("BodyText")),
        ("LinkTemplate", localised("LinkText")),
        ("PushTemplate", template),
    ]
}

fn input() -> Value {
    let when = about(
        words(&["always", "offline", "never"]),
        "Who gets a push: everybody (the default), users without a live connection, nobody.",
    );
    let rate = about(
        with_default(integer(1, CAMPAIGN_RATE_MAX), CAMPAIGN_RATE_DEFAULT),
        "Users per second, at most; it rises to that within a minute.",
    );
    let ttl = about(
        with_default(integer(0, CAMPAIGN_PUSH_TTL_S_MAX), CAMPAIGN_PUSH_TTL_S_MAX),
        "The time for which a service tries to deliver a push.",
    );
    let responses = about(
        words(&["failures", "all", "none"]),
        "What is added to the campaign's responses; failures by default.",
    );
    let doubt = about(
        words(&["resend", "drop"]),
        "Users of a worker that was killed get the push, perhaps again (the default), or count as \
         failed.",
    );
    request([
        ("template", named("PushTemplate")),
        ("when?", when),
        ("rate?", rate),
        (
            "startAt?",
            about(time(), "The earliest start, at most 7 days ahead; at once by default."),
        ),
        ("ttlSeconds?", ttl),
        (
            "dryRun?",
            about(
                flag(),
                "FCM, and for other services the worker, check the pushes; none is delivered.",
            ),
        ),
        ("responses?", responses),
        ("doubt?", doubt),
        ("feed?", about(flag(), "Each user's feed gets the notification, too.")),
    ])
}

fn progress() -> Value {
    let states = ["scheduled", "running", "paused", "cancelled", "done"];
    let speed = json!({"type": "number", "minimum": 0});
    object([
        ("state", words(&states)),
        ("total", about(count(), "The sum of the other numbers of users.")),
        ("remaining", about(count(), "Those who have not ended: in the list, claimed, retrying.")),
        ("sent", about(count(), "Those of whom a device accepted the push.")),
        ("failed", about(count(), "Those whose push was refused, or given up.")),
        ("invalid", about(count(), "Those whose devices are gone.")),
        ("skipped", about(count(), "Those without a device, or who do not want it.")),
        ("retrying", about(count(), "Those who wait for another attempt.")),
        ("perSecond", about(speed, "Users who ended per second, in the last seconds.")),
        ("etaSeconds?", about(count(), "The estimated time left, while it goes on.")),
        (
            "reason?",
            about(
                text(),
                "Why a worker paused it: `credentials`, `many_invalid`, or its content: `refused` by \
                 FCM, `too_large` for a push service.",
            ),
        ),
    ])
}

pub fn operations() -> Vec<Operation> {
    vec![
        new("startCampaignPush", "put /campaigns/{campaign}/push", "Sends pushes to a campaign.")
            .says(
                "Add the users first: a push is done when the list is empty. While it is under \
                 way, another call changes its options, and one that is paused stays so. One that is \
                 done or cancelled starts again if users were added. Before the first push, a worker \
                 checks the content, without sending it: a push whose content no service takes is \
                 paused, and `reason` says why.",
            )
            .body(named("CampaignPushInput"), REQUEST_BYTES_MAX)
            .example(json!({
                "template": {
                    "title": {"default": "Hello {{name}}", "de": "Hallo {{name}}"},
                    "link": "https://example.com/sale?u={{name}}",
                },
                "rate": 500,
            }))
            .answers(202, "Workers send it.", named("CampaignPush"))
            .shows(202, example("running")),
        new("readCampaignPush", "get /campaigns/{campaign}/push", "Reads a push's progress.")
            .scope(Scope::PushRead)
            .answers(200, "The progress.", named("CampaignPush"))
            .shows(200, example("running")),
        action("pauseCampaignPush", "post /campaigns/{campaign}/push/pause", "Pauses a push.")
            .says("Workers stop within the users whom they have.")
            .empty(204, "The push is paused."),
        action("resumeCampaignPush", "post /campaigns/{campaign}/push/resume", "Resumes a push.")
            .empty(204, "The push goes on."),
        action("cancelCampaignPush", "post /campaigns/{campaign}/push/cancel", "Cancels a push.")
            .says("The users who were not claimed stay in the list.")
            .empty(204, "The push is cancelled."),
        action(
            "redriveCampaignPush",
            "post /campaigns/{campaign}/push/redrive",
            "Attempts the users again whose attempts were used up.",
        )
        .answers(200, "The number of users.", named("CampaignRedriven"))
        .shows(200, json!({"redriven": 12})),
    ]
}

fn example(state: &str) -> Value {
    json!({
        "state": state, "total": 1000, "remaining": 400, "sent": 580, "failed": 5, "invalid": 10,
        "skipped": 5, "retrying": 3, "perSecond": 480.5, "etaSeconds": 1,
    })
}

fn action(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    new(id, head, summary).no_body()
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    let operation = Operation::new("campaigns", id, head, summary).scope(Scope::PushWrite);
    operation.fails(&REDIS).fails(&[Code::NotFound])
}
