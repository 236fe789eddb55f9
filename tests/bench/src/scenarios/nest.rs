//! `nest`: the operations of a usual service in NestJS, Prisma and ioredis
//! (`tests/bench/peers/nest`), compared with the functions on the same Redis keys and the same
//! Postgres server.

mod data;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use support::table::Table;
use support::{Functions, Http, RedisServer, token};

use crate::answer::request;
use crate::cli::{Args, RecordKind};
use crate::load::{CONNECTIONS, Load};
use crate::measure::{
    COLUMNS, HELD, Pids, Series, Subject, in_turns, verdict, verdict_below, warm_up,
};
use crate::node::Node;
use crate::records::{Backend, DURABLE, NEST};
use crate::scenarios::{Users, address, feed, ratios};
use data::{CAMPAIGN, ENTRIES, RESOURCES, fill_campaign, fill_databases};

/// More than either side pops in a second.
const POPS_PER_S: f64 = 40_000.0;

/// An operation, with its goal for requests per second on `bellwire-host` and on Spin.
struct Operation {
    name: &'static str,
    goals: Option<(f64, f64)>,
}

const OPERATIONS: [Operation; 7] = [
    Operation { name: "create", goals: Some((5.0, 3.5)) },
    Operation { name: "feed, page of 20", goals: Some((8.0, 5.0)) },
    Operation { name: "cached value, public", goals: Some((3.0, 2.0)) },
    Operation { name: "cached value, public, local = \"250ms\"", goals: Some((3.0, 2.0)) },
    Operation { name: "cached value, own, token", goals: Some((3.0, 2.0)) },
    Operation { name: "push token", goals: None },
    Operation { name: "campaign, next user", goals: None },
];
/// Subjects at which the list of the campaign is filled: the last operation on both sides.
const POPPING: usize = 2 * (OPERATIONS.len() - 1);

impl Operation {
    fn goal(&self) -> Option<f64> {
        let (host, spin) = self.goals?;
        Some(if std::env::var_os("SPIN_BIN").is_some() { spin } else { host })
    }
}

/// Both sides with their data.
struct Sides {
    redis: RedisServer,
    functions: Functions,
    node: Node,
    readers: Vec<String>,
    pids: Pids,
}

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let title = "nest: beside NestJS 11, Prisma 7 and ioredis, on Postgres";
    let mut table = Table::new(title, COLUMNS);
    let (backends, word) = Backend::all(&[DURABLE]).await?;
    table.notes.extend(word);
    let postgres = backends.iter().find(|backend| backend.kind == RecordKind::Postgres);
    let Some(postgres) = postgres else { return Ok(vec![table]) };
    let Some(sides) = Sides::start(postgres).await? else {
        table.note("Skipped: the peer needs Node and npm.");
        return Ok(vec![table]);
    };
    sides.check_same_data().await?;
    let subjects = sides.subjects()?;
    let control = sides.redis.connection().await;
    // More than a turn, or a warm-up, lasts.
    let users = (args.seconds.as_secs_f64() + 2.0) * POPS_PER_S;
    let before = async |at| match at {
        POPPING.. => fill_campaign(control.clone(), users as usize).await,
        _ => Ok(()),
    };
    warm_up(&subjects, before).await?;
    let series = in_turns(args, &subjects, before).await?;
    report(&mut table, &series, args);
    Ok(vec![table])
}

/// The peer on this Redis and on its own database of this server, with its tables; `None` without
/// Node.
pub(super) async fn peer(redis: &RedisServer, postgres: &Backend) -> Result<Option<Node>> {
    let server = postgres.server()?;
    let path = "tests/bench/peers/nest/prisma/migrations/1_init/migration.sql";
    server.run_in(NEST, &std::fs::read_to_string(support::paths::workspace().join(path))?);
    Ok(Node::nest(&redis.url(), &server.url_of(NEST)).await)
}

impl Sides {
    async fn start(postgres: &Backend) -> Result<Option<Self>> {
        let redis = RedisServer::start().await;
        let Some(node) = peer(&redis, postgres).await? else { return Ok(None) };
        let setup = Functions::with(&redis).resources(RESOURCES);
        let functions = postgres.start(setup).await;
        let readers: Vec<String> = (0..CONNECTIONS).map(|at| format!("reader-{at:02}")).collect();
        fill_databases(postgres, &readers)?;
        feed::fill(&functions, &readers, ENTRIES).await;
        for reader in &readers {
            let body = json!({"token": format!("push-token-of-{reader}-{:0>120}", 1)}).to_string();
            let call = functions.call("PUT", &format!("/users/{reader}/token"));
            call.token(&token(reader, "")).body(body).send().await.expect(204);
        }
        let pids = Pids { server: functions.pid(), redis: redis.pid(), database: postgres.pid() };
        Ok(Some(Self { redis, functions, node, readers, pids }))
    }

    /// Checks that both sides answer the same, from the same keys.
    async fn check_same_data(&self) -> Result<()> {
        fill_campaign(self.redis.connection().await, 2).await?;
        let reader = &self.readers[0];
        let own = token(reader, "");
        let service = token("a service", "campaigns:write notifications:write");
        let node = Http::plain(&self.node.address().to_string());
        let get = async |http: &Http, target: &str, token: &str| {
            http.get(target).token(token).send().await.expect(200).json()
        };
        let target = format!("/users/{reader}/notifications");
        let pages = [get(&self.functions, &target, &own).await, get(&node, &target, &own).await];
        let ids = |page: &Value| -> Vec<Value> {
            let entries = page["notifications"].as_array().map_or(&[][..], Vec::as_slice);
            entries.iter().map(|entry| entry["id"].clone()).collect()
        };
        ensure!(ids(&pages[0]).len() == 20 && ids(&pages[0]) == ids(&pages[1]), "{pages:?}");
        for (ours, theirs) in [
            ("/cache/all_blogs".to_owned(), "/blogs".to_owned()),
            (format!("/cache/profile/{reader}"), format!("/profiles/{reader}")),
            (format!("/users/{reader}/token"), format!("/users/{reader}/token")),
        ] {
            // The peer first: its value is then served by the functions, too.
            let theirs = get(&node, &theirs, &own).await;
            let ours = get(&self.functions, &ours, &own).await;
            ensure!(ours == theirs, "{ours} is not {theirs}");
        }
        let target = format!("/campaigns/{CAMPAIGN}/next");
        for (http, user) in [(&node, "user-0"), (&*self.functions, "user-1")] {
            let call = http.post(&target, "").token(&service);
            let answer = call.send().await.expect(200).json();
            ensure!(answer["users"][0]["userId"] == user, "{answer}");
        }
        Ok(())
    }

    /// The peer and the functions, for each operation.
    fn subjects(&self) -> Result<Vec<Subject>> {
        let (ours, theirs) = (address(&self.functions)?, self.node.address());
        let service = token("a service", "campaigns:write");
        let own = |address, text, prefix: &str, suffix: &str| {
            let load = Load::new(address, 1, 200, |connection, _| {
                let user = &self.readers[connection];
                request("GET", &format!("{prefix}{user}{suffix}"), &token(user, ""), "")
            });
            Load { text, ..load }
        };
        let public = |address, target: &str| {
            let load = Load::new(address, 1, 200, |_, _| request("GET", target, "", ""));
            Load { text: "\"author\"", ..load }
        };
        let next = |address| {
            let target = format!("/campaigns/{CAMPAIGN}/next");
            let load = Load::new(address, 1, 200, |_, _| request("POST", &target, &service, ""));
            Load { text: "\"userId\"", ..load }
        };
        let creates = Load { text: "\"id\"", ..Users("nest").creates(theirs) };
        let (users, page, push) = ("/users/", "/notifications", "/token");
        let loads = [
            [creates, Users("bellwire").creates(ours)],
            [theirs, ours].map(|address| own(address, "Order 0024", users, page)),
            [public(theirs, "/blogs"), public(ours, "/cache/all_blogs")],
            [public(theirs, "/blogs"), public(ours, "/cache/all_blogs/copied")],
            [
                own(theirs, "\"about\"", "/profiles/", ""),
                own(ours, "\"about\"", "/cache/profile/", ""),
            ],
            [theirs, ours].map(|address| own(address, "push-token-of", users, push)),
            [next(theirs), next(ours)],
        ];
        let node = Pids { server: self.node.pid(), ..self.pids };
        let of = |(operation, [theirs, ours]): (&Operation, [Load; 2])| {
            let name = |who: &str| format!("{}: {who}", operation.name);
            [
                Subject { name: name("NestJS"), load: theirs, pids: node },
                Subject { name: name("functions"), load: ours, pids: self.pids },
            ]
        };
        Ok(OPERATIONS.iter().zip(loads).flat_map(of).collect())
    }
}

fn report(table: &mut Table, series: &[Series], args: &Args) {
    let mut bars = Vec::new();
    for (operation, pair) in OPERATIONS.iter().zip(series.chunks(2)) {
        let [theirs, ours] = pair else { continue };
        table.rows.push(theirs.cells(None));
        table.rows.push(ours.cells(Some(theirs)));
        let goal = operation.goal();
        bars.push(ours.speed_bar(operation.name, theirs, goal));
        if let Some(goal) = goal {
            let name = operation.name;
            table.note(verdict(&format!("{name}, requests/s"), ours.speed_beside(theirs), goal));
            let cpu = ours.server_cpu_beside(theirs);
            table.note(verdict_below(&format!("{name}, server CPU"), cpu, 1.0));
        }
    }
    table.note(
        "The peer is one Node process; the functions use both cores, which they share with Redis, \
         Postgres and the load. CPU × does not depend on that.",
    );
    table.note(HELD);
    table.charts.push(ratios(
        args,
        "nest",
        "Requests per second beside a service in NestJS",
        "NestJS, Prisma, ioredis on the same Redis and Postgres",
        bars,
    ));
}
