//! `bellwire import`: brings the history of another system into the record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use crate::api::{Api, Call, Repeat, join};
use crate::args::Import;
use crate::failure::{Failure, Kind, Outcome};
use crate::history::{Part, Parts, Row, parts};
use crate::limits::{FEED_PAGE_MAX, WRONG_ROWS_SHOWN};
use crate::output::{are, clean, counted, note, thousands};

#[derive(Deserialize)]
struct Results {
    results: Vec<ItemResult>,
}

#[derive(Deserialize)]
struct ItemResult {
    notification: Option<Value>,
    error: Option<Value>,
}

/// An import: what was done so far.
struct Importing<'a> {
    api: &'a Api,
    /// The file's name, for messages.
    file: String,
    replaces: bool,
    bar: ProgressBar,
    imported: u64,
    replaced: u64,
    wrong: u64,
}

pub async fn run(context: &Context, args: &Import) -> Outcome {
    // Before anything is sent: with a wrong name, no import has begun that could fail.
    let read = parts(&args.file)?;
    let api = context.functions()?;
    let mut importing = Importing {
        api: &api,
        file: args.file.display().to_string(),
        replaces: args.replace,
        bar: bar(&args.file),
        imported: 0,
        replaced: 0,
        wrong: 0,
    };
    let outcome = tokio::select! {
        outcome = importing.all(read) => outcome,
        interrupted = super::interrupted() => Err(interrupted),
    };
    importing.bar.finish_and_clear();
    outcome.map_err(|failure| importing.stopped(failure))?;
    let Importing { imported, replaced, wrong, file, .. } = importing;
    if context.output.json {
        let done = json!({"imported": imported, "replaced": replaced, "wrong": wrong});
        context.output.json(&done)?;
    } else {
        let copies = match args.replace {
            true => format!(", in place of {}", counted(replaced, "copy", "copies")),
            false => String::new(),
        };
        let (count, are) = (thousands(imported), are(imported));
        context.output.line(format!("{count} of {file} {are} in the record{copies}"))?;
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::failed(format!("{} not imported", counted(wrong, "row", "rows")))
            .hint("correct them and run the same command again: nothing is imported twice")),
    }
}

/// The place in the file; of standard input only the count is known. It draws on standard error, and not at all where
/// that is no terminal.
fn bar(path: &Path) -> ProgressBar {
    let size = std::fs::metadata(path).ok().filter(|_| path.as_os_str() != "-");
    let (bar, template) = match size.map(|file| file.len()).filter(|bytes| *bytes > 0) {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent}%, {msg} imported, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} imported"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Importing<'_> {
    async fn all(&mut self, mut parts: Parts) -> Outcome {
        while let Some(part) = parts.recv().await {
            let part = part?;
            self.part(&part).await?;
            self.bar.set_message(thousands(self.imported));
            self.bar.set_position(part.bytes);
        }
        Ok(())
    }

    async fn part(&mut self, part: &Part) -> Outcome {
        for wrong in &part.wrong {
            self.refuse(wrong.line, &wrong.problem);
        }
        if part.rows.is_empty() {
            return Ok(());
        }
        if self.replaces {
            self.remove_copies(&part.rows).await?;
        }
        let items: Vec<&str> = part.rows.iter().map(|row| row.json.as_str()).collect();
        let body = format!("{{\"notifications\":[{}]}}", items.join(","));
        // Every item has a key, so that a repeat changes nothing.
        let call = Call::post("/notifications/import").body(body).repeat(Repeat::Long);
        let answer: Results = self.api.send(call).await?.json()?;
        if answer.results.len() != part.rows.len() {
            return Err(Failure::failed("the functions answered another number of results"));
        }
        for (row, result) in part.rows.iter().zip(answer.results) {
            match (result.notification, result.error) {
                (Some(_), _) => self.imported += 1,
                (None, error) => {
                    let detail = error.as_ref().and_then(|error| error["detail"].as_str());
                    self.refuse(row.line, detail.unwrap_or("it was refused without a reason"));
                }
            }
        }
        Ok(())
    }

    /// Deletes the entries that the old service has pushed for these rows: they have the rows' ids.
    async fn remove_copies(&mut self, rows: &[Row]) -> Outcome {
        let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in rows {
            if let Some(id) = &row.id {
                ids.entry(&row.user).or_default().insert(id);
            }
        }
        for (user, ids) in ids {
            let path = join(["users", user, "notifications"]);
            let limit = format!("{path}?limit={FEED_PAGE_MAX}");
            let feed: Value = self.api.send(Call::get(limit)).await?.json()?;
            for entry in feed["notifications"].as_array().into_iter().flatten() {
                let id = match &entry["id"] {
                    Value::String(id) => id.clone(),
                    other => other.to_string(),
                };
                if ids.contains(id.as_str()) {
                    let path = join(["users", user, "notifications", &id]);
                    match self.api.send(Call::delete(path).repeat(Repeat::Long)).await {
                        Ok(_) => self.replaced += 1,
                        // Somebody else was first.
                        Err(failure) if failure.kind == Kind::NotFound => {}
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }
        Ok(())
    }

    /// Names a row that was not imported.
    fn refuse(&mut self, line: u64, problem: &str) {
        self.wrong += 1;
        let text = match self.wrong {
            count if count <= WRONG_ROWS_SHOWN as u64 => {
                format!("{}:{line}: {}", self.file, clean(problem))
            }
            count if count == WRONG_ROWS_SHOWN as u64 + 1 => "…".to_owned(),
            _ => return,
        };
        self.bar.suspend(|| note(text));
    }

    /// The failure, with what to do about the rest.
    fn stopped(&self, failure: Failure) -> Failure {
        let (rows, are) = (counted(self.imported, "row", "rows"), are(self.imported));
        let detail = format!("{failure}; {rows} {are} imported for certain");
        let again = "run the same command again: nothing is imported twice";
        let hint = match &failure.hint {
            Some(hint) => format!("{again}. {hint}"),
            None => again.to_owned(),
        };
        Failure { detail, hint: Some(hint), ..failure }
    }
}
