//! `bellwire read`: marks notifications as read. Marking twice changes nothing.

use serde_json::{Value, json};

use super::Context;
use crate::api::{Call, join};
use crate::args::Read;
use crate::failure::Outcome;
use crate::limits::READ_IDS_MAX;

pub async fn run(context: &Context, args: &Read) -> Outcome {
    let api = context.functions()?;
    let path = join(["users", &args.user, "notifications", "read"]);
    let bodies: Vec<Value> = match args.up_to {
        Some(seq) => vec![json!({ "upTo": seq })],
        None => args.ids.chunks(READ_IDS_MAX).map(|ids| json!({ "ids": ids })).collect(),
    };
    let mut last = None;
    for body in bodies {
        last = Some(api.send(Call::post(path.as_str()).json(&body)?.repeatable()).await?);
    }
    let Some(answer) = last else { return Ok(()) };
    if context.output.json {
        return Ok(context.output.json_text(answer.text()?)?);
    }
    let unread = answer.json::<Value>()?["unread"].clone();
    Ok(context.output.line(format!("marked; {unread} unread"))?)
}
