//! `counts`: the calls to Redis and to the record for one request. They do not depend on the
//! machine.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use support::{Functions, RedisServer, token};

use crate::answer::request;
use crate::load::{self, CONNECTIONS, Load};
use crate::records::{Backend, COUNTING};
use crate::redis_calls::{Counted, Counter};
use crate::scenarios::{Users, address};
use support::table::{Cell, Table};

/// Requests of the first count, with new instances, and of the second, with running ones.
const FIRST: u64 = 1_000;
const NEXT: u64 = 5_000;
/// Hosts drop instances after 1 s without work.
const REST: Duration = Duration::from_millis(1_500);

const COLUMNS: &[&str] = &[
    "",
    "requests",
    "scripts / request",
    "other commands / request",
    "in scripts / request",
    "new connections / 50 requests",
    "SQL statements / request",
];

pub async fn run() -> Result<Vec<Table>> {
    let mut table = Table::new("counts: calls of one request", COLUMNS);
    let (backends, word) = Backend::all(&[COUNTING]).await?;
    for backend in &backends {
        backend.count_statements();
        let redis = RedisServer::start().await;
        let functions = backend.functions(&redis).await;
        let users = Users("counted");
        let create = users.creates(address(&functions)?);
        let read = Load::new(address(&functions)?, users.per_connection(), 200, |at, turn| {
            let user = users.name(at, turn);
            request("GET", &format!("/users/{user}/notifications"), &token(&user, ""), "")
        });
        for (name, load) in [("create", &create), ("warm feed read", &read)] {
            // Another call makes every user's first entry; the first call loads the script.
            send(load, (users.per_connection() * CONNECTIONS) as u64)?;
            tokio::time::sleep(REST).await;
            for (state, requests) in [("first", FIRST), ("next", NEXT)] {
                let name = format!("{name}, {}, {state}", backend.name);
                let statements = backend.statements();
                let counter = Counter::start(&redis).await?;
                send(load, requests)?;
                let counted = counter.finish().await?;
                let statements = statements.zip(backend.statements()).map(|(a, b)| since(&a, b));
                if !counted.others.is_empty() {
                    table.note(format!("{name}, other commands: {:?}.", counted.others));
                }
                if let Some(statements) = statements.as_ref().filter(|all| all.len() > 1) {
                    table.note(format!("{name}, statements: {statements:?}."));
                }
                table.rows.push(row(name, requests, &counted, statements.as_ref()));
            }
        }
        check_feed(&functions, &users).await;
    }
    table.note(
        "Scripts: `cmdstat_evalsha` + `cmdstat_eval`. Other commands: what `MONITOR` shows from \
         clients, scripts' own calls apart. SQL statements: `pg_stat_statements`. First: every \
         instance is new; next: they come and go as their 128 requests are over.",
    );
    table.notes.extend(word);
    Ok(vec![table])
}

fn row(
    name: String,
    requests: u64,
    counted: &Counted,
    statements: Option<&BTreeMap<String, u64>>,
) -> Vec<Cell> {
    let per_request = |count: u64| count as f64 / requests as f64;
    vec![
        Cell::Text(name),
        Cell::Number(requests as f64, 0),
        Cell::Number(per_request(counted.scripts), 3),
        Cell::Number(per_request(counted.others.values().sum()), 3),
        Cell::Number(per_request(counted.in_scripts), 1),
        Cell::Number(per_request(counted.connections) * 50.0, 2),
        statements.map_or(Cell::Nothing, |all| Cell::Number(per_request(all.values().sum()), 3)),
    ]
}

/// The difference between two counts.
fn since(
    before: &BTreeMap<String, u64>,
    mut after: BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    for (name, count) in &mut after {
        *count -= before.get(name).copied().unwrap_or(0);
    }
    after.retain(|_, count| *count > 0);
    after
}

fn send(load: &Load, count: u64) -> Result<()> {
    let running = load::start(load.clone(), Some(count))?;
    running.measure();
    let answers = tokio::task::block_in_place(|| running.finish())?.latencies;
    anyhow::ensure!(answers.len() as u64 == count, "{} answers of {count}", answers.len());
    Ok(())
}

/// Checks that the counted creates were delivered.
async fn check_feed(functions: &Functions, users: &Users) {
    let titles = functions.titles(&users.name(0, 0)).await;
    assert!(titles.len() >= 2, "{titles:?}");
}
