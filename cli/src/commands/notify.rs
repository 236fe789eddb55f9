//! `bellwire notify`: creates a notification, under an idempotency key, so that a lost answer
//! creates no second one.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Context, random_key};
use crate::api::Call;
use crate::args::Notify;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::output::clean;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Draft<'a> {
    user_id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Push<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Push<'a> {
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse: Option<&'a str>,
}

pub async fn run(context: &Context, args: &Notify) -> Outcome {
    let draft = draft(args)?;
    let key = args.idempotency_key.clone().unwrap_or_else(random_key);
    let call = Call::post("/notifications").json(&draft)?.key(&key);
    let answer = context.functions()?.send(call).await.map_err(|failure| unknown(failure, &key))?;
    if context.output.json {
        return Ok(context.output.json_text(answer.text()?)?);
    }
    let made: Value = answer.json()?;
    let text = |name: &str| clean(made[name].as_str().unwrap_or_default());
    let state = match made["delivery"].as_str() {
        Some("pending") => "stored; it is delivered when Redis is back",
        _ => "sent",
    };
    Ok(context.output.line(format!(
        "{state}: #{} {} to {}",
        made["seq"],
        text("id"),
        text("userId")
    ))?)
}

fn draft(args: &Notify) -> Outcome<Draft<'_>> {
    if [&args.body, &args.data].into_iter().flatten().filter(|text| *text == "-").count() > 1 {
        return Err(Failure::usage("only one of --body and --data can be standard input"));
    }
    let body = args.body.as_deref();
    let body = body.map(|text| files::argument(text, PAYLOAD_BYTES_MAX, "--body")).transpose()?;
    let data = args.data.as_deref().map(|text| json(text, "--data")).transpose()?;
    let push = args.push.map(|when| Push {
        when: name(when),
        after_seconds: args.push_after,
        ttl_seconds: args.push_ttl,
        urgency: args.push_urgency.map(name),
        collapse: args.push_collapse.as_deref(),
    });
    let (user_id, title, kind) = (args.user.as_str(), args.title.as_str(), args.kind.as_deref());
    let expires_at = args.expires_at.as_deref();
    Ok(Draft { user_id, title, body, kind, data, expires_at, push })
}

/// The name of a value on the command line, which is the API's.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// JSON as it was written.
///
/// # Errors
/// It is none.
pub fn json(argument: &str, setting: &str) -> Outcome<Box<RawValue>> {
    let text = files::argument(argument, PAYLOAD_BYTES_MAX, setting)?;
    serde_json::from_str(text.trim())
        .map_err(|error| Failure::usage(format!("{setting} is not JSON: {error}")))
}

/// After no answer, or a 5xx, nobody knows whether it was created.
fn unknown(failure: Failure, key: &str) -> Failure {
    if !failure.may_be_done {
        return failure;
    }
    let again = format!("it may have been created: repeat it with --idempotency-key {key}");
    let hint = match &failure.hint {
        Some(hint) => format!("{again}; {hint}"),
        None => again,
    };
    Failure { hint: Some(hint), ..failure }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn draft_of(arguments: &[&str]) -> Outcome<String> {
        let all = ["bellwire", "notify", "alice", "Hi"].iter().chain(arguments);
        let Command::Notify(args) = Cli::parse_from(all).command else { panic!() };
        draft(&args).map(|draft| serde_json::to_string(&draft).unwrap())
    }

    #[test]
    fn data_is_sent_as_it_was_written() {
        assert_eq!(draft_of(&[]).unwrap(), r#"{"userId":"alice","title":"Hi"}"#);
        let json = r#"{"b":[1.0, 12345678901234567890123] ,"a":{}}"#;
        assert_eq!(
            draft_of(&["--data", json, "--kind", "k"]).unwrap(),
            format!(r#"{{"userId":"alice","title":"Hi","kind":"k","data":{json}}}"#)
        );
        let failure = draft_of(&["--data", "{"]).unwrap_err();
        assert!(failure.detail.starts_with("--data is not JSON"), "{failure}");
    }

    #[test]
    fn a_push_has_the_names_of_the_api() {
        let text =
            draft_of(&["--push", "unread", "--push-after", "60", "--push-urgency", "very-low"]);
        let push = r#""push":{"when":"unread","afterSeconds":60,"urgency":"very-low"}"#;
        assert!(text.unwrap().contains(push));
    }
}
