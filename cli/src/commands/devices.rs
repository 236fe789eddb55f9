//! `bellwire devices`: where a user gets pushes.

use serde::Deserialize;

use super::Context;
use crate::api::{Call, join};
use crate::args::OneUser;
use crate::failure::Outcome;
use crate::output::time;

#[derive(Deserialize)]
struct Devices {
    items: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    device: String,
    kind: String,
    locale: Option<String>,
    time_zone: Option<String>,
    seen_at: Option<String>,
}

pub async fn run(context: &Context, args: &OneUser) -> Outcome {
    let answer =
        context.functions()?.send(Call::get(join(["users", &args.user, "devices"]))).await?;
    if context.output.json {
        return Ok(context.output.json_text(answer.text()?)?);
    }
    let devices: Devices = answer.json()?;
    let rows: Vec<[String; 5]> = devices
        .items
        .into_iter()
        .map(|device| {
            let seen = device.seen_at.as_deref().map(time);
            let optional = [device.locale, device.time_zone, seen].map(Option::unwrap_or_default);
            let [locale, time_zone, seen] = optional;
            [device.device, device.kind, locale, time_zone, seen]
        })
        .collect();
    let head = ["device", "kind", "locale", "time zone", "registered"];
    Ok(context.output.table(head, &rows, "no devices")?)
}
