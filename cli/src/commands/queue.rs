//! `bellwire queue`: one queue's messages.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::notify::json as parse_json;
use super::pages::{self, Page};
use super::{Context, random_key};
use crate::api::{Answer, Api, Call, Repeat, join};
use crate::args::{QueueCommand, QueueReceive, QueueSend};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::limits::{PAYLOAD_BYTES_MAX, QUEUE_MESSAGES_MAX};
use crate::output::{DIM, note, paint, time};

pub async fn run(context: &Context, command: &QueueCommand) -> Outcome {
    let api = context.functions()?;
    match command {
        QueueCommand::Send(args) => send(context, &api, args).await,
        QueueCommand::Receive(args) => receive(context, &api, args).await,
        QueueCommand::Ack(args) => {
            let body = json!({ "receipts": args.receipts });
            settle(context, &api, &args.queue, "ack", &body).await
        }
        QueueCommand::Nack(args) => {
            let mut body = json!({ "receipts": args.receipts });
            if let Some(delay) = args.delay {
                body["delaySeconds"] = delay.into();
            }
            if let Some(reason) = &args.reason {
                body["reason"] = reason.as_str().into();
            }
            settle(context, &api, &args.queue, "nack", &body).await
        }
        QueueCommand::Dead(args) => dead(context, &api, &args.queue, args.limit).await,
        QueueCommand::Redrive(args) => {
            let body = match (args.ids.as_slice(), args.max) {
                ([], None) => json!({}),
                ([], Some(max)) => json!({ "max": max }),
                (ids, _) => json!({ "ids": ids }),
            };
            let call = Call::post(join(["queues", &args.queue, "redrive"])).json(&body)?;
            let answer = api.send(call).await?;
            shown(context, &answer, |answer| format!("{} put back", answer["redriven"]))
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Messages {
    messages: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<u32>,
    dedup_id: String,
}

async fn send(context: &Context, api: &Api, args: &QueueSend) -> Outcome {
    let mut messages = Vec::new();
    for message in &args.messages {
        match message.as_str() {
            "-" => {
                let lines = files::stdin(PAYLOAD_BYTES_MAX, "the messages")?;
                for (at, line) in
                    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
                {
                    messages.push(parse_line(line, at + 1)?);
                }
            }
            text => messages.push(parse_json(text, "the message")?),
        }
    }
    if messages.len() > QUEUE_MESSAGES_MAX {
        let most = QUEUE_MESSAGES_MAX;
        return Err(Failure::usage(format!("{} messages; {most} at most", messages.len())));
    }
    let dedup_id = args.dedup_id.clone().unwrap_or_else(random_key);
    let body = Messages { messages, delay_seconds: args.delay, dedup_id };
    let call = Call::post(join(["queues", &args.queue, "messages"])).json(&body)?.repeatable();
    let answer = api.send(call).await?;
    shown(context, &answer, |answer| match answer["duplicate"].as_bool() {
        Some(true) => "nothing appended: this dedup id was used before".to_owned(),
        _ => format!("{} appended", answer["accepted"]),
    })
}

fn parse_line(line: &str, number: usize) -> Outcome<Box<RawValue>> {
    serde_json::from_str(line.trim())
        .map_err(|error| Failure::usage(format!("line {number} is not JSON: {error}")))
}

#[derive(Deserialize)]
struct Received {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    receipt: String,
    attempt: u64,
    payload: Box<RawValue>,
}

async fn receive(context: &Context, api: &Api, args: &QueueReceive) -> Outcome {
    let body = json!({"max": args.max, "visibilitySeconds": args.visibility});
    // Not repeated: messages of a lost answer come again after their visibility timeout.
    let call = Call::post(join(["queues", &args.queue, "receive"])).json(&body)?;
    let answer = api.send(call.repeat(Repeat::Never)).await?;
    let Received { messages } = answer.json()?;
    if context.output.json {
        context.output.json_text(answer.text()?)?;
    } else {
        for message in &messages {
            context.output.json_text(message.payload.get())?;
            note(paint(DIM, format!("attempt {}, receipt {}", message.attempt, message.receipt)));
        }
        if messages.is_empty() {
            note(paint(DIM, "no message is ready"));
        }
    }
    if !args.ack || messages.is_empty() {
        return Ok(());
    }
    let receipts: Vec<&str> = messages.iter().map(|message| &*message.receipt).collect();
    let call = Call::post(join(["queues", &args.queue, "ack"]));
    api.send(call.json(&json!({ "receipts": receipts }))?).await.map(drop)
}

async fn settle(context: &Context, api: &Api, queue: &str, verb: &str, body: &Value) -> Outcome {
    let answer = api.send(Call::post(join(["queues", queue, verb])).json(body)?).await?;
    shown(context, &answer, |answer| {
        let count = |name: &str| answer[name].as_array().map_or(0, Vec::len);
        let (done, stale) = (count("done"), count("stale"));
        match stale {
            0 => format!("{done} done"),
            _ => format!("{done} done, {stale} stale: others have received them since"),
        }
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetter {
    id: String,
    attempts: u64,
    reason: String,
    died_at: String,
    payload: Option<Box<RawValue>>,
    raw: Option<String>,
}

async fn dead(context: &Context, api: &Api, queue: &str, limit: usize) -> Outcome {
    let mut rows = Vec::new();
    pages::read(api, &join(["queues", queue, "dead"]), limit, |answer| {
        if context.output.json {
            return Ok(context.output.json_text(answer.text()?)?);
        }
        let page: Page<DeadLetter> = answer.json()?;
        rows.extend(page.items.into_iter().map(|letter| {
            let payload = letter.payload.map(|json| json.get().to_owned()).or(letter.raw);
            let (died, attempts) = (time(&letter.died_at), letter.attempts.to_string());
            [letter.id, died, attempts, letter.reason, payload.unwrap_or_default()]
        }));
        Ok(())
    })
    .await?;
    if context.output.json {
        return Ok(());
    }
    let head = ["id", "died", "attempts", "reason", "payload"];
    Ok(context.output.table(head, &rows, "no dead letters")?)
}

/// The answer as it is, or a line made of it.
fn shown(context: &Context, answer: &Answer, line: impl Fn(&Value) -> String) -> Outcome {
    if context.output.json {
        return Ok(context.output.json_text(answer.text()?)?);
    }
    Ok(context.output.line(line(&answer.json()?))?)
}
