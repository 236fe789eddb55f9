//! `bellwire queues`: the queues in use and their depths.

use std::io::Write as _;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::Context;
use super::pages::{self, Page};
use crate::api::{Api, Call, join};
use crate::args::Queues;
use crate::failure::{Kind, Outcome};
use crate::limits::{QUEUES_AT_ONCE, QUEUES_MAX};
use crate::output::{self, is_terminal};

/// The size of a queue.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Depth {
    ready: u64,
    delayed: u64,
    in_flight: u64,
    dead: u64,
    oldest_age_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Queue {
    queue: String,
    #[serde(flatten)]
    depth: Depth,
}

#[derive(Serialize)]
struct All {
    queues: Vec<Queue>,
}

pub async fn run(context: &Context, args: &Queues) -> Outcome {
    let api = context.functions()?;
    if context.output.json {
        return Ok(context.output.json(&All { queues: look(&api).await? })?);
    }
    if args.once || !is_terminal() {
        return Ok(context.output.line(shown(&look(&api).await?))?);
    }
    let live = live(&api, Duration::from_secs(args.interval));
    tokio::select! {
        outcome = live => outcome,
        // It ends in no other way.
        _ = super::interrupted() => Ok(()),
    }
}

/// Draws the table over the previous one, until Ctrl-C.
async fn live(api: &Api, interval: Duration) -> Outcome {
    let mut drawn = 0;
    loop {
        let text = match look(api).await {
            Ok(queues) => shown(&queues),
            // It may be there again the next time.
            Err(failure) if failure.kind == Kind::Unreachable => format!("error: {failure}"),
            Err(failure) => return Err(failure),
        };
        let mut stdout = std::io::stdout().lock();
        if drawn > 0 {
            // Up to the first line, and everything below away.
            write!(stdout, "\x1b[{drawn}A\x1b[J")?;
        }
        writeln!(stdout, "{text}")?;
        stdout.flush()?;
        drawn = text.lines().count();
        drop(stdout);
        tokio::time::sleep(interval).await;
    }
}

async fn look(api: &Api) -> Outcome<Vec<Queue>> {
    let mut names: Vec<String> = Vec::new();
    pages::read(api, "/queues", QUEUES_MAX, |answer| {
        names.extend(answer.json::<Page<String>>()?.items);
        Ok(())
    })
    .await?;
    let depths = stream::iter(names).map(|queue| async move {
        let answer = api.send(Call::get(join(["queues", &queue]))).await?;
        Outcome::Ok(Queue { queue, depth: answer.json()? })
    });
    depths.buffered(QUEUES_AT_ONCE).try_collect().await
}

fn shown(queues: &[Queue]) -> String {
    let rows: Vec<[String; 6]> = queues
        .iter()
        .map(|Queue { queue, depth }| {
            let numbers = [depth.ready, depth.delayed, depth.in_flight, depth.dead];
            let [ready, delayed, in_flight, dead] = numbers.map(output::thousands);
            let oldest = depth.oldest_age_seconds.map(age).unwrap_or_default();
            [queue.clone(), ready, delayed, in_flight, dead, oldest]
        })
        .collect();
    match rows.as_slice() {
        [] => "no queue is in use".to_owned(),
        rows => {
            let head = ["queue", "ready", "delayed", "in flight", "dead", "oldest"];
            output::table(head, rows)
        }
    }
}

/// A time as people say it: `12 s`, `3 min`, `5 h`, `9 d`.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
