//! Where a campaign and its push stand, and what changes it: pause, resume, cancel.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::api::{Answer, Api, Call, join};
use crate::args::Campaign;
use crate::commands::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{table, thousands, time};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    remaining: u64,
    total: u64,
    processed: u64,
    responses: u64,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    state: String,
    total: u64,
    remaining: u64,
    sent: u64,
    failed: u64,
    invalid: u64,
    skipped: u64,
    retrying: u64,
    per_second: f64,
    eta_seconds: Option<u64>,
    reason: Option<String>,
}

/// Pauses, resumes or cancels a push, and shows it.
///
/// # Errors
/// A push that does not exist, or has ended.
pub async fn steer(context: &Context, args: &Campaign, action: &str) -> Outcome {
    let api = context.functions()?;
    let path = join(["campaigns", &args.id, "push", action]);
    // Pausing what is paused changes nothing.
    match api.send(Call::post(path).repeatable()).await {
        Ok(_) => status(context, &api, args).await,
        Err(failure) if failure.kind == Kind::NotFound => {
            Err(nothing_to(action, &args.id, &api, failure).await)
        }
        Err(failure) => Err(failure),
    }
}

/// Why no push was found to steer: it has ended, or there never was one.
async fn nothing_to(action: &str, id: &str, api: &Api, failure: Failure) -> Failure {
    let push = found(api.send(Call::get(join(["campaigns", id, "push"]))).await);
    let push = push.and_then(|answer| answer.map(|answer| answer.json::<Push>()).transpose());
    let why = match push {
        Ok(Some(Push { state, .. })) => format!("the push of campaign {id} is {state}"),
        Ok(None) => format!("campaign {id} has no push"),
        Err(_) => return failure,
    };
    Failure { detail: format!("{why}: there is nothing to {action}"), ..failure }
}

/// Shows users and push of a campaign.
///
/// # Errors
/// There is neither.
pub async fn status(context: &Context, api: &Api, args: &Campaign) -> Outcome {
    let path = join(["campaigns", &args.id]);
    let users = found(api.send(Call::get(path.as_str())).await)?;
    let push = found(api.send(Call::get(path + "/push")).await)?;
    if users.is_none() && push.is_none() {
        let text = format!("there is no campaign {}", args.id);
        return Err(Failure::new(Kind::NotFound, text).hint("it lives 24 hours after its last use"));
    }
    if context.output.json {
        let raw = |answer: &Option<Answer>| {
            answer.as_ref().map(Answer::json::<Box<RawValue>>).transpose()
        };
        let all = json!({"campaign": args.id, "users": raw(&users)?, "push": raw(&push)?});
        return Ok(context.output.json(&all)?);
    }
    if let Some(users) = users {
        let users: Progress = users.json()?;
        let expires = users.expires_at.as_deref().map(time).unwrap_or_default();
        let numbers = [users.total, users.remaining, users.processed, users.responses];
        let [total, waiting, taken, responses] = numbers.map(thousands);
        let row = [args.id.clone(), total, waiting, taken, responses, expires];
        let head = ["campaign", "users", "waiting", "taken", "responses", "expires"];
        context.output.table(head, &[row], "")?;
    }
    match push {
        Some(push) => Ok(context.output.line(push_table(&push.json()?))?),
        None => Ok(context.output.line("no push")?),
    }
}

/// A push as a table of one row.
pub fn push_table(push: &Push) -> String {
    let numbers = [
        push.total,
        push.remaining,
        push.sent,
        push.failed,
        push.invalid,
        push.skipped,
        push.retrying,
    ];
    let [total, remaining, sent, failed, invalid, skipped, retrying] = numbers.map(thousands);
    let state = match &push.reason {
        Some(reason) => format!("{} ({reason})", push.state),
        None => push.state.clone(),
    };
    let eta = push.eta_seconds.map(|seconds| format!("{seconds} s")).unwrap_or_default();
    let speed = format!("{:.0}/s", push.per_second);
    let row = [state, total, remaining, sent, failed, invalid, skipped, retrying, speed, eta];
    let head = [
        "push",
        "users",
        "left",
        "sent",
        "failed",
        "invalid",
        "skipped",
        "retrying",
        "speed",
        "time left",
    ];
    table(head, &[row])
}

/// `None` if it does not exist.
fn found<T>(result: Outcome<T>) -> Outcome<Option<T>> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.kind == Kind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
