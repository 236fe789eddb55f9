//! `cluster`: creates and warm feed reads on a Redis Cluster, compared with one Redis. A cluster of
//! one master tells what the protocol costs from what three servers cost. The Redis of a row of three
//! masters is one of them.

use anyhow::Result;
use support::table::Table;
use support::{Functions, RedisCluster, RedisServer, redis_server, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{CONNECTIONS, Load};
use crate::measure::{COLUMNS, HELD, Pids, Subject, in_turns, verdict};
use crate::scenarios::{Users, address};

/// The goal.
const GOAL: f64 = 0.9;

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
        for connection in 0..CONNECTIONS {
            functions.notify(&users.name(connection, 0), "one").await;
        }
        let pids = Pids { server: functions.pid(), redis: redis.pid(), database: None };
        let reads = Load::new(address(functions)?, 1, 200, |connection, turn| {
            let user = users.name(connection, turn);
            let target = format!("/users/{user}/notifications");
            request("GET", &target, &token(&user, ""), "")
        });
        subjects.push(Subject { name: format!("feed, {name}"), load: reads, pids });
        let creates = Users("create").creates(address(functions)?);
        subjects.push(Subject { name: format!("create, {name}"), load: creates, pids });
    }
    let series = in_turns(args, &subjects, async |_| Ok(())).await?;
    let mut table = Table::new("cluster: masters of a cluster beside one Redis", COLUMNS);
    for kind in 0..2 {
        let [one, one_master, several] = [0, 2, 4].map(|at| &series[at + kind]);
        table.rows.push(one.cells(None));
        for row in [one_master, several] {
            table.rows.push(row.cells(Some(one)));
        }
        let what = format!("{} / {}", several.name, one.name);
        table.note(verdict(&what, several.speed_beside(one), GOAL));
    }
    table.note(HELD);
    Ok(vec![table])
}
