//! `bellwire campaign`: loads and starts a campaign; [`steering`] shows and steers it.

mod steering;

use std::io::Read as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Context;
use crate::api::{Api, Call, Repeat, join};
use crate::args::{CampaignCommand, Load};
use crate::campaign::{Users, WrongRow, check_fields, read_template};
use crate::failure::{Failure, Kind, Outcome};
use crate::files;
use crate::limits::{CSV_BYTES_MAX, LOAD_BYTES, WRONG_ROWS_SHOWN};
use crate::output::{are, counted, note, thousands};

use steering::{push_table, status, steer};

pub async fn run(context: &Context, command: &CampaignCommand) -> Outcome {
    match command {
        CampaignCommand::Load(args) => load(context, args).await,
        CampaignCommand::Status(args) => status(context, &context.functions()?, args).await,
        CampaignCommand::Pause(args) => steer(context, args, "pause").await,
        CampaignCommand::Resume(args) => steer(context, args, "resume").await,
        CampaignCommand::Cancel(args) => steer(context, args, "cancel").await,
        CampaignCommand::Remove(args) => {
            context.functions()?.send(Call::delete(join(["campaigns", &args.id]))).await?;
            match context.output.json {
                true => Ok(context.output.json(&json!({ "removed": args.id }))?),
                false => Ok(context.output.line(format!("removed {}", args.id))?),
            }
        }
    }
}

/// A load: the file's parts, each added under a name of its own.
struct Loading<'a> {
    api: &'a Api,
    path: String,
    name: String,
    bar: ProgressBar,
    /// Users that are in the campaign, as far as the functions have answered.
    added: u64,
    total: u64,
}

async fn load(context: &Context, args: &Load) -> Outcome {
    let name = name(args)?;
    let push = args.push.as_deref().map(read_template).transpose()?;
    let users = read_users(&args.file, u64::from(args.batch))?;
    let warnings = match &push {
        Some(push) => check_fields(push, &users, &args.file.display().to_string())?,
        None => Vec::new(),
    };
    if !context.output.json {
        warnings.iter().for_each(|warning| note(format!("warning: {warning}")));
    }
    let api = context.functions()?;
    let path = join(["campaigns", &args.id, "users"]);
    let bar = bar(users.count);
    let mut loading = Loading { api: &api, path, name, bar, added: 0, total: users.count };
    let outcome = tokio::select! {
        outcome = loading.add(&users) => outcome,
        interrupted = super::interrupted() => Err(interrupted),
    };
    loading.bar.finish_and_clear();
    let remaining = outcome.map_err(|failure| loading.stopped(failure))?;
    let push = match push {
        Some(push) => Some(start(&api, &args.id, push.body).await?),
        None => None,
    };
    if context.output.json {
        let mut done = json!({"campaign": args.id, "users": users.count, "remaining": remaining});
        if let Some(push) = push {
            done["push"] = push;
        }
        if !warnings.is_empty() {
            done["warnings"] = warnings.into();
        }
        return Ok(context.output.json(&done)?);
    }
    let (count, are, id) = (counted(users.count, "user", "users"), are(users.count), &args.id);
    let file = &loading.name;
    let waiting = remaining.map_or_else(|| "nobody".to_owned(), thousands);
    context.output.line(format!("{count} of {file} {are} in {id}; {waiting} waiting"))?;
    match push {
        Some(push) => Ok(context.output.line(push_table(
            &serde_json::from_value(push).map_err(|error| Failure::failed(error.to_string()))?,
        ))?),
        None => Ok(()),
    }
}

/// The name of the load within its campaign.
fn name(args: &Load) -> Outcome<String> {
    let of_file = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match (&args.name, of_file) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) if name != "-" => name,
        _ => {
            let hint = "a repeat of the load is recognised by it";
            return Err(Failure::usage("standard input needs --name").hint(hint));
        }
    };
    let is_key =
        !name.is_empty() && name.len() <= 200 && name.bytes().all(|b| (0x20..0x7f).contains(&b));
    match is_key {
        true => Ok(name),
        false => Err(Failure::usage(format!(
            "{name:?} cannot be the load's name: give a --name of 1 to 200 printable ASCII characters"
        ))),
    }
}

fn read_users(path: &Path, users_max: u64) -> Outcome<Users> {
    let shown = path.display();
    let read = if path.as_os_str() == "-" {
        Users::read(std::io::stdin().lock().take(CSV_BYTES_MAX), users_max, LOAD_BYTES)
    } else {
        let file = files::open(path, &shown.to_string())?;
        let size = file.metadata().map_or(0, |file| file.len());
        if size > CSV_BYTES_MAX {
            return Err(Failure::usage(format!("{shown} is larger than {CSV_BYTES_MAX} bytes")));
        }
        Users::read(file, users_max, LOAD_BYTES)
    };
    match read {
        Ok(users) if users.count == 0 => Err(Failure::usage(format!("{shown} has no users"))),
        Ok(users) => Ok(users),
        Err(wrong) => Err(wrong_rows(&shown.to_string(), &wrong)),
    }
}

fn wrong_rows(file: &str, wrong: &[WrongRow]) -> Failure {
    let count = counted(wrong.len() as u64, "wrong row", "wrong rows");
    let mut text = format!("{count}; no user was added");
    for row in wrong.iter().take(WRONG_ROWS_SHOWN) {
        text += &format!("\n       {file}:{}: {}", row.line, crate::output::clean(&row.problem));
    }
    if wrong.len() > WRONG_ROWS_SHOWN {
        text += "\n       …";
    }
    Failure::failed(text)
}

fn bar(total: u64) -> ProgressBar {
    // It draws on standard error, and not at all where that is not a terminal.
    let bar = ProgressBar::new(total);
    let users = if total == 1 { "user" } else { "users" };
    let template = format!("{{bar:40}} {{human_pos}}/{{human_len}} {users}, {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Loading<'_> {
    /// Adds all parts, one after the other; returns the number of users who wait in the campaign.
    async fn add(&mut self, users: &Users) -> Outcome<Option<u64>> {
        let mut remaining = None;
        for part in &users.parts {
            let key = format!("load:{}:{}", self.name, part.first);
            let call = Call::post(self.path.as_str()).body(part.body.clone()).key(key);
            let answer = self.api.send(call.repeat(Repeat::Long)).await?;
            remaining = answer.json::<Value>()?["remaining"].as_u64();
            self.added += part.count;
            self.bar.set_position(self.added);
        }
        Ok(remaining)
    }

    /// The failure, with what to do about the rest.
    fn stopped(&self, failure: Failure) -> Failure {
        if failure.code.as_deref() == Some("idempotency_mismatch") {
            let name = &self.name;
            let text = format!(
                "{name} was loaded into this campaign before, with other rows or another --batch, \
                 from user {} on",
                thousands(self.added + 1)
            );
            return Failure { detail: text, ..failure }.hint(
                "no user was added twice. Give the new users a file, or a --name, of their own; or \
                 begin anew after `bellwire campaign remove`",
            );
        }
        let (added, total) = (thousands(self.added), counted(self.total, "user", "users"));
        let detail = format!("{failure}; added for certain: {added} of {total}");
        let again = "run the same command again to add the rest: nobody is added twice";
        let hint = match &failure.hint {
            Some(hint) if failure.kind != Kind::Interrupted => format!("{again}. {hint}"),
            _ => again.to_owned(),
        };
        Failure { detail, hint: Some(hint), ..failure }
    }
}

async fn start(api: &Api, id: &str, body: Vec<u8>) -> Outcome<Value> {
    api.send(Call::put(join(["campaigns", id, "push"])).body(body)).await?.json()
}
