//! `bellwire presence`: who is online.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Context;
use crate::api::Call;
use crate::args::Presence;
use crate::failure::Outcome;
use crate::limits::PRESENCE_USERS_MAX;

#[derive(Default, Deserialize, Serialize)]
struct Online {
    online: BTreeMap<String, bool>,
}

pub async fn run(context: &Context, args: &Presence) -> Outcome {
    let api = context.functions()?;
    if args.users.is_empty() {
        let answer = api.send(Call::get("/presence")).await?;
        if context.output.json {
            return Ok(context.output.json_text(answer.text()?)?);
        }
        let count = answer.json::<Value>()?["count"].clone();
        return Ok(context.output.line(format!("{count} online"))?);
    }
    let mut all = Online::default();
    for users in args.users.chunks(PRESENCE_USERS_MAX) {
        let call = Call::post("/presence").json(&json!({ "userIds": users }))?.repeatable();
        all.online.extend(api.send(call).await?.json::<Online>()?.online);
    }
    if context.output.json {
        return Ok(context.output.json(&all)?);
    }
    // In the order of the command line.
    let rows: Vec<[String; 2]> = args
        .users
        .iter()
        .map(|user| {
            let is_online = all.online.get(user).copied().unwrap_or_default();
            [user.clone(), if is_online { "yes" } else { "no" }.to_owned()]
        })
        .collect();
    Ok(context.output.table(["user", "online"], &rows, "")?)
}
