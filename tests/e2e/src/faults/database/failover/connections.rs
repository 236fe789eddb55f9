//! Connections after the address has moved: to a standby, to a server that hangs, to one of several
//! hosts.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use support::{Postgres, RedisServer, eventually};

use super::{ANSWER_LIMIT, BACK_LIMIT, Stage, recorded, shown, start};

#[tokio::test]
async fn connections_to_a_standby_are_left_once_the_address_leads_to_the_primary() {
    let stage = Stage::set().await;
    let Stage { functions, proxy, primary, standby, .. } = &stage;
    functions.notify("alice", "one").await;
    primary.until_replicated().await;
    proxy.cut();
    proxy.lead_to(&standby.address());
    let body = json!({"userId": "alice", "title": "refused"});
    for answer in join_all((0..8).map(|_| functions.create(&body))).await {
        let answer = answer.expect_problem(503, "record_unavailable");
        answer.within(Duration::from_secs(3));
    }
    let readiness = functions.get("/readyz").send().await;
    let readiness = readiness.expect_problem(503, "record_unavailable");
    assert!(readiness.text().contains("read-only"), "{}", readiness.text());
    // A cold feed is loaded from the standby.
    let _: () = stage.redis.run("FLUSHALL").await;
    assert_eq!(functions.titles("alice").await, ["one"]);

    let new = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND pid <> pg_backend_pid() AND backend_start > now() - interval '1 second'";
    eventually("no connection is new", async || (standby.run(new) == "0").then_some(())).await;
    // The connections stay, as to a server that goes on elsewhere.
    proxy.lead_to(&primary.address());
    assert_eq!(functions.notify("alice", "two").await["seq"], 2);
    for answer in join_all((0..8).map(|_| functions.create(&body))).await {
        answer.expect(201);
    }
    functions.get("/readyz").send().await.expect(200);
    assert_eq!(recorded(primary, "alice").len(), 10);
}

/// As after a machine froze: nothing closes the connections to it.
#[tokio::test]
async fn a_primary_that_hangs_fails_the_creates_it_has_and_delays_others() {
    let stage = Stage::set().await;
    let Stage { functions, proxy, primary, standby, .. } = &stage;
    let create = async |user: &str| functions.create(&json!({"userId": user, "title": "t"})).await;
    // At once, so that the host keeps several connections.
    join_all((0..4).map(|_| create("alice"))).await;
    let (holder, connection) =
        tokio_postgres::connect(&primary.url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    holder.batch_execute("BEGIN; LOCK TABLE bellwire.feed IN SHARE MODE").await.unwrap();
    primary.until_replicated().await;
    let (held, delayed) = tokio::join!(create("bob"), async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        eventually("bob's create is there", async || (primary.run(waiting) == "1").then_some(()))
            .await;
        primary.pause();
        standby.promote();
        proxy.lead_to(&standby.address());
        join_all((0..8).map(|_| create("alice"))).await
    });
    held.expect_problem(503, "record_unavailable").within(ANSWER_LIMIT);
    for answer in delayed {
        answer.expect(201).within(BACK_LIMIT);
    }
    create("bob").await.expect(201).within(BACK_LIMIT);
    assert_eq!(shown(functions, "alice").await, recorded(standby, "alice"));
    assert_eq!(recorded(standby, "alice").len(), 12);
    assert_eq!(shown(functions, "bob").await, recorded(standby, "bob"));
    connection.abort();
}

#[tokio::test]
async fn with_several_hosts_in_the_url_no_address_has_to_move() {
    let (redis, primary) = (RedisServer::start().await, Postgres::start().await);
    let standby = primary.replica().await;
    let url = format!(
        "postgres://postgres@{},{}/postgres?sslmode=disable&target_session_attrs=read-write",
        standby.address(),
        primary.address()
    );
    let functions = start(&redis, &url, "127.0.0.1:*").await;
    functions.notify("alice", "one").await;
    primary.until_replicated().await;
    primary.kill();
    let body = json!({"userId": "alice", "title": "refused"});
    let answer = functions.create(&body).await.expect_problem(503, "record_unavailable");
    answer.within(Duration::from_secs(4));
    standby.promote();
    functions
        .create(&json!({"userId": "alice", "title": "two"}))
        .await
        .expect(201)
        .within(BACK_LIMIT);
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
}
