//! `cluster`: creates and warm feed reads on a Redis Cluster, compared with one Redis. The Redis of
//! the cluster's row is one of its three masters.

use anyhow::Result;
use support::table::Table;
use support::{Functions, RedisCluster, RedisServer, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{CONNECTIONS, Load};
use crate::measure::{COLUMNS, HELD, Pids, Subject, in_turns, verdict};
use crate::scenarios::{Users, address};

/// The goal.
const GOAL: f64 = 0.9;

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let (redis, cluster) = (RedisServer::start().await, RedisCluster::start().await);
    let (on_one, on_cluster) =
        (Functions::start(&redis).await, Functions::on(&cluster).start().await);
    let mut subjects = Vec::new();
    for (name, functions, redis) in
        [("one Redis", &on_one, &redis), ("three masters", &on_cluster, &cluster.nodes[0])]
    {
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
    let [feed, create, feed_cluster, create_cluster] = &series[..] else {
        anyhow::bail!("a series is missing");
    };
    let mut table = Table::new("cluster: three masters beside one Redis", COLUMNS);
    for (one, several) in [(feed, feed_cluster), (create, create_cluster)] {
        table.rows.push(one.cells(None));
        table.rows.push(several.cells(Some(one)));
        let what = format!("{} / {}", several.name, one.name);
        table.note(verdict(&what, several.speed_beside(one), GOAL));
    }
    table.note(HELD);
    Ok(vec![table])
}
