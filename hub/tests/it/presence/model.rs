//! Presence against a model: random interleavings of hubs, faults and other services on a real
//! Redis. Time passes by shifting the times stored in Redis.

mod line;
mod store;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::RedisServer;
use line::Fault;
use world::{HUBS, World};

/// One step; hubs and users by number.
#[derive(Clone, Debug)]
enum Op {
    Join(usize, usize),
    Leave(usize, usize),
    Sync(usize, Fault),
    Beat(usize, Fault),
    /// As `kill -9` does; another process replaces the hub.
    Die(usize),
    Release(usize, Fault),
    /// Time without calls.
    Pass(u64),
    /// Redis executes a call after its client gave up.
    RunLate,
    OthersAdd(usize),
    OthersRemove(usize),
    OthersDelete,
    Flush,
    /// Redis loses only the companions.
    LoseRevs,
    Snapshot,
    /// A failover to a replica in the state of the snapshot.
    Restore,
}

fn op() -> impl Strategy<Value = Op> {
    let hub = || 0..HUBS;
    let user = || 0..world::USERS.len();
    let fault = || {
        prop_oneof![
            6 => Just(Fault::None),
            1 => Just(Fault::CallLost),
            1 => Just(Fault::AnswerLost),
            1 => Just(Fault::CarriedOutLate),
        ]
    };
    prop_oneof![
        10 => (hub(), user()).prop_map(|(hub, user)| Op::Join(hub, user)),
        8 => (hub(), user()).prop_map(|(hub, user)| Op::Leave(hub, user)),
        12 => (hub(), fault()).prop_map(|(hub, fault)| Op::Sync(hub, fault)),
        8 => (hub(), fault()).prop_map(|(hub, fault)| Op::Beat(hub, fault)),
        2 => hub().prop_map(Op::Die),
        2 => (hub(), fault()).prop_map(|(hub, fault)| Op::Release(hub, fault)),
        6 => (100_u64..6_000).prop_map(Op::Pass),
        1 => (6_000_u64..30_000).prop_map(Op::Pass),
        4 => Just(Op::RunLate),
        4 => user().prop_map(Op::OthersAdd),
        4 => user().prop_map(Op::OthersRemove),
        1 => Just(Op::OthersDelete),
        1 => Just(Op::Flush),
        1 => Just(Op::LoseRevs),
        1 => Just(Op::Snapshot),
        1 => Just(Op::Restore),
    ]
}

async fn run(world: &mut World, op: Op) {
    match op {
        Op::Join(hub, user) => world.join(hub, user),
        Op::Leave(hub, user) => world.leave(hub, user),
        Op::Sync(hub, fault) => world.sync(hub, false, fault).await,
        Op::Beat(hub, fault) => world.sync(hub, true, fault).await,
        Op::Die(hub) => world.die(hub),
        Op::Release(hub, fault) => world.release(hub, fault).await,
        Op::Pass(ms) => world.pass(ms).await,
        Op::RunLate => world.run_late().await,
        Op::OthersAdd(user) => world.others_add(user).await,
        Op::OthersRemove(user) => world.others_remove(user).await,
        Op::OthersDelete => world.others_delete().await,
        Op::Flush => world.flush().await,
        Op::LoseRevs => world.lose_revs().await,
        Op::Snapshot => world.snapshot().await,
        Op::Restore => world.restore().await,
    }
}

#[test]
fn after_quiet_time_exactly_the_right_users_are_online() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(RedisServer::start());
    let config = Config { failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(op(), 1..120), |ops| {
        runtime.block_on(async {
            let mut world = World::new(&redis).await;
            for op in ops {
                run(&mut world, op).await;
                world.check_sure().await.map_err(TestCaseError::fail)?;
            }
            world.come_to_rest().await.map_err(TestCaseError::fail)
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
