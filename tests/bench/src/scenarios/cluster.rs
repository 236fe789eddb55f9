//! `cluster`: creates and warm feed reads on a Redis Cluster, compared with one Redis. A cluster of
//! one master tells what the protocol costs from what three servers cost. The Redis of a row of three
//! masters is one of them.
//!
//! Reads are measured with the usual connections, which leave each of three masters a third of the
//! load of one Redis, and with three times as many, which give each the same. The floor is a component
//! that runs the same script on one Redis, and on three in turns, without a cluster: what three
//! servers on the same machine cost anybody.

use anyhow::{Context, Result};
use shared::limits::FEED_ENTRIES_MAX;
use shared::{UserId, keys, script};
use support::table::Table;
use support::{Functions, RedisCluster, RedisServer, paths, redis_server, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{CONNECTIONS, Load};
use crate::measure::{COLUMNS, HELD, Pids, Subject, in_turns, verdict};
use crate::scenarios::{Users, address};

/// The goal.
const GOAL: f64 = 0.9;
const MASTERS: usize = 3;
/// Rows of each place: reads, creates, reads by more connections.
const KINDS: usize = 3;

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let redis = RedisServer::start().await;
    let one_master = RedisCluster::start_with(1, &redis_server::Options::default()).await;
    let cluster = RedisCluster::start().await;
    let on_one = Functions::start(&redis).await;
    let on_one_master = Functions::on(&one_master).start().await;
    let on_cluster = Functions::on(&cluster).start().await;
    let mut subjects = Vec::new();
    for (name, functions, redis) in [
        ("one Redis", &on_one, &redis),
        ("one master", &on_one_master, &one_master.nodes[0]),
        ("three masters", &on_cluster, &cluster.nodes[0]),
    ] {
        let users = Users("cluster");
        for connection in 0..MASTERS * CONNECTIONS {
            functions.notify(&users.name(connection, 0), "one").await;
        }
        let address = address(functions)?;
        let reads = |connections| {
            Load::of(connections, address, 1, 200, |connection, turn| {
                let user = users.name(connection, turn);
                let target = format!("/users/{user}/notifications");
                request("GET", &target, &token(&user, ""), "")
            })
        };
        let more = MASTERS * CONNECTIONS;
        let pids = Pids { server: functions.pid(), redis: redis.pid(), database: None };
        for (name, load) in [
            (format!("feed, {name}"), reads(CONNECTIONS)),
            (format!("create, {name}"), Users("create").creates(address)),
            (format!("feed, {name}, {more} connections"), reads(more)),
        ] {
            subjects.push(Subject { name, load, pids });
        }
    }
    let servers = copies(&redis).await;
    let names = (0..CONNECTIONS).map(|connection| Users("cluster").name(connection, 0));
    let reads: Vec<String> = names.map(|user| read(&user)).collect::<Result<_>>()?;
    let floors = [floor(&servers[..1]).await, floor(&servers).await];
    for (name, floor) in ["one Redis", "three Redis"].into_iter().zip(&floors) {
        let address = address(floor)?;
        let pids = Pids { server: floor.pid(), redis: servers[0].pid(), database: None };
        let load = Load::new(address, 1, 200, |connection, _| {
            request("POST", "/execute-on-others", "", &reads[connection])
        });
        subjects.push(Subject {
            name: format!("floor: the script, {name}"),
            load: Load { text: "Ok(2)", ..load },
            pids,
        });
    }
    let series = in_turns(args, &subjects, async |_| Ok(())).await?;
    let mut table = Table::new("cluster: masters of a cluster beside one Redis", COLUMNS);
    let [.., floor_of_one, floor_of_three] = &series[..] else {
        anyhow::bail!("a series is missing");
    };
    for kind in 0..KINDS {
        let [one, one_master, several] = [0, 1, 2].map(|place| &series[place * KINDS + kind]);
        table.rows.push(one.cells(None));
        for row in [one_master, several] {
            table.rows.push(row.cells(Some(one)));
        }
        let what = format!("{} / {}", several.name, one.name);
        table.note(verdict(&what, several.speed_beside(one), GOAL));
    }
    let of_floor = floor_of_three.speed_beside(floor_of_one);
    let of_feed = series[2 * KINDS].speed_beside(&series[0]);
    let what = format!("{}, beside the floor's ratio ({of_floor:.2})", series[2 * KINDS].name);
    table.note(verdict(&what, of_feed / of_floor, GOAL));
    table.rows.push(floor_of_one.cells(None));
    table.rows.push(floor_of_three.cells(Some(floor_of_one)));
    table.note(HELD);
    Ok(vec![table])
}

/// Three servers with a copy of everything that this one has, scripts excepted.
async fn copies(redis: &RedisServer) -> [RedisServer; MASTERS] {
    let copies =
        [RedisServer::start().await, RedisServer::start().await, RedisServer::start().await];
    for copy in &copies {
        copy.replicate(redis).await;
        copy.promote().await;
        let _: String = copy.run_words(&["SCRIPT", "LOAD", script::FEED_READ.source]).await;
    }
    copies
}

/// A host with a component that runs commands on these servers, in turns.
async fn floor(servers: &[RedisServer]) -> Functions {
    let manifest = paths::workspace().join("tests/host/fixture/spin.toml");
    let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
    let setup = Functions::of(manifest, &servers[0]).variable("secret", "none");
    let setup = setup.variable("redis_others", urls.join(","));
    setup.variable("redis_others_host", "127.0.0.1:*").start().await
}

/// The command of a read, a word per line.
fn read(user: &str) -> Result<String> {
    let user = UserId::parse(user).ok().context("a user's id")?;
    let cap = FEED_ENTRIES_MAX.to_string();
    let words = [
        "EVALSHA",
        script::FEED_READ.sha1(),
        "2",
        &keys::feed(&user),
        &keys::feed_companion(&user),
        "20",
        &cap,
        "2026-01-01T00:00:00.000Z",
        "newest",
        "",
        "0",
    ];
    Ok(words.join("\n"))
}
