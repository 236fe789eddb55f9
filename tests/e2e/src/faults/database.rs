//! The way to the record's database: connections that broke or are refused, tables of an older
//! version, a lock that others hold for a while. `failover` is about a primary that is lost, `restore`
//! about a backup that is put back, `roles` about the rights that the functions need.

mod failover;
mod restore;
mod roles;

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use serde_json::json;
use support::functions::Setup;
use support::{Functions, Postgres, RedisServer, eventually, token, within};

/// The version of the record's tables, which its last migration sets.
const NEWEST: u32 = 10;

fn on(postgres: &Postgres, redis: &RedisServer) -> Setup {
    Functions::with(redis)
        .variable("record", "postgres")
        .variable("postgres_url", postgres.url())
        .variable("postgres_host", postgres.address())
}

/// Keeps the host's pool and its instance in use, so that what broke is not merely forgotten.
async fn while_in_use<T>(functions: &Functions, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        let call = std::pin::pin!(functions.create_raw("{"));
        match select(work.as_mut(), call).await {
            Either::Left((output, _)) => return output,
            Either::Right((answer, _)) => drop(answer.expect(400)),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_postgres_that_is_slow_to_accept_connections_delays_and_fails_nothing() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).start().await;
    functions.notify("alice", "one").await;
    // Longer than a statement waits at first, in case it was given a connection that is dead.
    postgres.run("ALTER SYSTEM SET pre_auth_delay = 2");
    postgres.run("SELECT pg_reload_conf()");
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    postgres.run(end_all);
    let body = json!({"userId": "alice", "title": "late"});
    for answer in join_all((0..4).map(|_| functions.create(&body))).await {
        answer.expect(201);
    }
}

#[tokio::test]
async fn a_postgres_that_was_restarted_between_two_creates_goes_unnoticed() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).start().await;
    functions.notify("alice", "first").await;
    // At once, so that the host keeps more than one connection.
    join_all((0..4).map(|_| functions.notify("alice", "before"))).await;
    while_in_use(&functions, async {
        postgres.kill();
        postgres.restart().await;
    })
    .await;
    for at in 6..10 {
        assert_eq!(functions.notify("alice", "after").await["seq"], at);
    }
    assert_eq!(functions.titles("alice").await.len(), 9);
}

#[tokio::test]
async fn a_postgres_without_a_free_connection_is_asked_again() {
    let redis = RedisServer::start().await;
    let postgres = Postgres::start_with(&["max_connections=10"]).await;
    let functions = on(&postgres, &redis).start().await;
    let mut others = Vec::new();
    let url = postgres.url();
    while let Ok(other) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
        others.push((other.0, tokio::spawn(other.1)));
        assert!(others.len() <= 10, "nothing is refused");
    }
    let refused = || postgres.output().matches("too many clients").count();
    eventually("the refusal was logged", async || (refused() == 1).then_some(())).await;
    let freed = async {
        eventually("a create was refused", async || (refused() > 1).then_some(())).await;
        others.clear();
    };
    let (created, ()) = tokio::join!(functions.notify("alice", "one"), freed);
    assert_eq!(created["seq"], 1);
}

/// The host has 64 connections for one component. Instances that rest must not keep any of them: 120
/// of 200 creates waited for those in vain until their deadline.
#[tokio::test]
async fn more_creates_at_once_than_the_host_has_connections_are_all_committed() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).start().await;
    functions.notify("alice", "first").await;
    for round in 0..2 {
        let users: Vec<String> = (0..300).map(|at| format!("user-{round}-{at}")).collect();
        let bodies = users.iter().map(|user| json!({"userId": user, "title": "t"}));
        let answers = join_all(bodies.map(async |body| functions.create(&body).await)).await;
        for answer in answers {
            assert_eq!(answer.expect(201).json()["delivery"], "sent");
        }
    }
}

/// As before, but with new requests all the time, which find the instances that have just answered.
#[tokio::test]
async fn nobody_waits_for_a_connection_while_others_come_and_go() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).start().await;
    functions.notify("alice", "first").await;
    let clients = (0..100).map(async |client: usize| {
        let body = json!({"userId": format!("user-{client}"), "title": "t"});
        for _ in 0..10 {
            functions.create(&body).await.expect(201);
        }
    });
    join_all(clients).await;
}

/// Creates that share a statement would wait for each other's locks.
#[tokio::test]
async fn a_user_whose_counter_somebody_keeps_locked_delays_nobody_else() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    let functions = on(&postgres, &redis).start().await;
    functions.notify("alice", "first").await;
    let connected = tokio_postgres::connect(&postgres.url(), tokio_postgres::NoTls).await;
    let (locking, connection) = connected.unwrap();
    tokio::spawn(connection);
    let lock = "BEGIN; SELECT FROM bellwire.feed WHERE user_id = 'alice' FOR UPDATE";
    locking.batch_execute(lock).await.unwrap();
    let locked = join_all((0..4).map(|_| functions.notify("alice", "later")));
    let others = async {
        let creates = (0..80).map(async |at| functions.notify(&format!("user-{at}"), "t").await);
        within(Duration::from_secs(4), "the others are committed", join_all(creates)).await;
        locking.batch_execute("COMMIT").await.unwrap();
    };
    let (locked, ()) = tokio::join!(locked, others);
    let mut seqs: Vec<_> = locked.iter().map(|created| created["seq"].as_i64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [2, 3, 4, 5]);
}

#[tokio::test]
async fn tables_of_the_first_version_are_brought_up_to_date_by_whoever_comes_first() {
    let (redis, postgres) = (RedisServer::start().await, Postgres::start().await);
    postgres.run(include_str!("../../../../functions/runtime/sql/postgres/001_init.sql"));
    let epoch = postgres.run("SELECT epoch FROM bellwire.record");
    let functions = on(&postgres, &redis).start().await;
    let created = join_all((0..8).map(|_| functions.notify("alice", "t"))).await;
    assert_eq!(created.len(), 8);
    assert_eq!(functions.titles("alice").await.len(), 8);
    let version = "SELECT epoch, schema_version FROM bellwire.record";
    assert_eq!(postgres.run(version), format!("{epoch}|{NEWEST}"));
    // And again, on request, without harm.
    let token = token("an operator", "ops:write");
    functions.post("/admin/migrate", "").token(&token).send().await.expect(200);
    functions.notify("alice", "t").await;
    assert!(postgres.run(version).ends_with(&format!("|{NEWEST}")));
}

#[tokio::test]
async fn creates_wait_for_another_writer_of_the_same_file() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let holder = functions.record.open();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Many times longer than SQLite itself waits.
    let released = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        holder.execute_batch("COMMIT").unwrap();
    };
    let body = json!({"userId": "alice", "title": "two"});
    let creates = join_all((0..20).map(|_| functions.create(&body)));
    let (answers, ()) = tokio::join!(creates, released);
    for answer in answers {
        answer.expect(201).within(Duration::from_secs(5));
    }
    assert_eq!(functions.record.seq("alice"), 21);
}
