//! `cache`: a fresh hit, compared with one Redis GET on the same host and with a Node server;
//! fetches of the origin under load, and for many readers of a cold key.

use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;
use support::{Functions, Origin, Plan, RedisServer, paths, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{self, CONNECTIONS, Load};
use crate::measure::{COLUMNS, HELD, Pids, Series, Subject, in_turns, verdict};
use crate::node::Node;
use crate::scenarios::address;
use support::table::{Cell, Table};

/// Bytes of the value: a small page of JSON.
const VALUE_BYTES: usize = 1024;
/// The key that the fixture's `/redis-get` reads.
const FLOOR_KEY: &str = "bench";
const KEY_S: u64 = 24 * 3600;
const GOAL: f64 = 0.75;
/// 30 fetches are ideal with a freshness of 2 s.
const RUN: Duration = Duration::from_secs(60);
const RUN_FETCHES_MAX: usize = 33;
const CROWD: usize = 500;
const ORIGIN_TAKES: Duration = Duration::from_millis(5);

const RESOURCES: &str = r#"
[[resource]]
path = "public"
access = "public"
fresh = "7d"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "mine/{userId}"
access = "subject:userId"
fresh = "7d"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "short"
access = "public"
fresh = "2s"
stale = "60s"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "cold/{round}"
access = "public"
fresh = "60s"
http = { url = "http://{{ settings_host }}/value" }
"#;

const FETCHES: &[&str] = &["fetches of the origin", "requests", "fetches", "goal"];

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    let value = format!("{{\"value\":\"{}\"}}", "x".repeat(VALUE_BYTES - 12));
    origin.plan(Plan { delay: ORIGIN_TAKES, ..Plan::json(&value) });
    let setup = Functions::with(&redis).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    let hits = hits(args, &redis, &functions, &origin, &value).await?;
    let fetches = fetches(args, &functions, &origin).await?;
    Ok(vec![hits, fetches])
}

async fn hits(
    args: &Args,
    redis: &RedisServer,
    functions: &Functions,
    origin: &Origin,
    value: &str,
) -> Result<Table> {
    let fixture = paths::workspace().join("tests/host/fixture/spin.toml");
    let setup = Functions::with(redis).manifest(fixture).variable("secret", "none");
    let floor = setup.start().await;
    let node = Node::cache(&redis.url(), &format!("http://{}/value", origin.address())).await;
    let _: () = redis.connection().await.set_ex(FLOOR_KEY, value, KEY_S).await?;

    let floor_pids = Pids { server: floor.pid(), redis: redis.pid(), database: None };
    let pids = Pids { server: functions.pid(), ..floor_pids };
    let (ours, floors) = (address(functions)?, address(&floor)?);
    let plain =
        |address, target: &str| Load::new(address, 1, 200, |_, _| request("GET", target, "", ""));
    let own = Load::new(ours, 1, 200, |connection, _| {
        let user = format!("reader-{connection:02}");
        request("GET", &format!("/cache/mine/{user}"), &token(&user, ""), "")
    });
    let subject = |name: &str, load, pids| Subject { name: name.to_owned(), load, pids };
    let mut subjects = vec![
        subject("floor: ok", plain(floors, "/ok"), floor_pids),
        subject("floor: Redis GET", plain(floors, "/redis-get"), floor_pids),
        subject("cache, public", plain(ours, "/cache/public"), pids),
        subject("cache, one user's, token", own, pids),
    ];
    if let Some(node) = &node {
        let node_pids = Pids { server: node.pid(), ..floor_pids };
        let load = plain(node.address(), "/cache/node");
        subjects.push(subject("Node, ioredis GET/SET", load, node_pids));
    }
    let series = in_turns(args, &subjects, async |_| Ok(())).await?;
    let [ok, floor, public, own, peers @ ..] = &series[..] else {
        anyhow::bail!("a series is missing");
    };
    let mut rows: Vec<(&Series, Option<&Series>)> =
        vec![(ok, None), (floor, None), (public, Some(floor)), (own, Some(floor))];
    rows.extend(peers.iter().map(|peer| (peer, Some(floor))));
    let mut table = Table::new("cache: fresh GET /cache/{resource}", COLUMNS);
    table.rows = rows.iter().map(|(series, floor)| series.cells(*floor)).collect();
    table.note(format!("A value of {} bytes on all sides.", value.len()));
    table.note(HELD);
    for ours in [public, own] {
        let what = format!("{} / {}", ours.name, floor.name);
        table.note(verdict(&what, ours.speed_beside(floor), GOAL));
        for peer in peers {
            let ratio = ours.speed_beside(peer);
            table.note(format!("{} / {}: {ratio:.2}.", ours.name, peer.name));
        }
    }
    Ok(table)
}

async fn fetches(args: &Args, functions: &Functions, origin: &Origin) -> Result<Table> {
    let mut table = Table::new("cache: fetches", FETCHES);
    let load =
        Load::new(address(functions)?, 1, 200, |_, _| request("GET", "/cache/short", "", ""));
    functions.get("/cache/short").send().await.expect(200);
    let before = origin.count();
    let running = load::start(load, None)?;
    running.measure();
    tokio::time::sleep(RUN).await;
    let count = origin.count() - before;
    running.stop();
    let answers = tokio::task::block_in_place(|| running.finish())?.latencies.len();
    let seconds = RUN.as_secs();
    table.rows.push(vec![
        Cell::text(format!("{CONNECTIONS} connections for {seconds} s, fresh for 2 s")),
        Cell::Number(answers as f64, 0),
        Cell::Number(count as f64, 0),
        Cell::text(format!("≤ {RUN_FETCHES_MAX}")),
    ]);
    let mut worst = 0;
    for round in 0..args.rounds {
        let before = origin.count();
        let target = format!("/cache/cold/{round}");
        let reads = (0..CROWD).map(|_| functions.get(&target).send());
        for answer in futures_util::future::join_all(reads).await {
            answer.expect(200);
        }
        worst = worst.max(origin.count() - before);
    }
    let crowd = u32::try_from(CROWD).context("a crowd")?;
    table.rows.push(vec![
        Cell::text(format!("{CROWD} readers of a cold key, worst of {} rounds", args.rounds)),
        Cell::Number(f64::from(crowd), 0),
        Cell::Number(worst as f64, 0),
        Cell::text("1"),
    ]);
    let takes = ORIGIN_TAKES.as_millis();
    table.note(format!("The origin waits {takes} ms before it answers."));
    Ok(table)
}
