//! One thing after the other, on one backend and one Redis.

use std::cell::RefCell;

use proptest::test_runner::{TestCaseError, TestRunner};
use redis::aio::MultiplexedConnection;
use support::RedisServer;

use super::crowd::Server;
use super::heard::{Listener, check_order, is_heard};
use super::ops::{Op, ops};
use super::seed::{config, seed};
use super::sql::Database;
use super::world::World;

const CASES: u32 = 150;

#[test]
fn any_sequence_on_sqlite() {
    any_sequence(async { Server::sqlite() });
}

#[test]
fn any_sequence_on_postgres() {
    any_sequence(Server::postgres());
}

fn any_sequence(server: impl Future<Output = Server>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (redis, server) = runtime.block_on(async { (RedisServer::start().await, server.await) });
    let database = runtime.block_on(server.connect());
    let seed = seed();
    let (connection, listener) =
        runtime.block_on(async { (redis.connection().await, Listener::subscribe(&redis).await) });
    let listener = RefCell::new(listener);
    let ops = ops(database.file().is_some());
    let outcome = TestRunner::new(config(CASES, seed)).run(&ops, |ops| {
        let listener = &mut listener.borrow_mut();
        let run = run(connection.clone(), &database, listener, &ops);
        runtime.block_on(run).map_err(TestCaseError::fail)
    });
    // Lists that another service began last.
    runtime.block_on(redis.run::<()>("FLUSHALL"));
    if let Err(error) = outcome {
        panic!("BELLWIRE_MODEL_SEED={seed}: {error}");
    }
}

async fn run(
    mut connection: MultiplexedConnection,
    database: &Database,
    listener: &mut Listener,
    ops: &[Op],
) -> Result<(), String> {
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    database.remove().await;
    listener.take(&mut connection).await;
    let mut world = World::new(connection.clone(), database.clone());
    for (at, op) in ops.iter().enumerate() {
        world.apply(op).await.map_err(|error| format!("at {at}, {op:?}: {error}"))?;
    }
    world.come_to_rest().await.map_err(|error| format!("at the end: {error}"))?;
    let messages = listener.take(&mut connection).await;
    check_order(&messages, &world.expected.skipped, &world.expected.tainted_epochs)?;
    for message in &messages {
        let of_user = |at: &usize| super::world::user(*at).as_str() == message.user;
        let at = (0..super::ops::USERS).find(of_user).unwrap();
        let is_twice = messages.iter().filter(|other| other.json == message.json).count() > 1;
        if is_twice && !world.expected.doubts[at].lost_data {
            return Err(format!("published twice: {message:?}"));
        }
    }
    match world.expected.must_be_heard.iter().find(|json| !is_heard(&messages, json)) {
        Some(json) => Err(format!("never published: {json}\n{messages:#?}")),
        None => Ok(()),
    }
}
