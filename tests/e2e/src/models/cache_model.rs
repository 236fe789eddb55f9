//! The cache's state machine: random sequences of reads, ends of fetches, invalidations, other
//! services' writes and evictions, on a real Redis, against what the contract says of them.
//!
//! The scripts say at which time they ran, so nothing here depends on how fast the machine is.

mod expected;
mod store;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::expected::Model;
use self::store::Store;
use crate::models::record_model::seed::{config, seed};

/// Times of the policy, ms; a sequence waits for a few of them.
pub const FRESH: i64 = 60;
pub const STALE: i64 = 60;
pub const ERROR: i64 = 150;
pub const LEASE: i64 = 80;
pub const ABSENT: i64 = 50;
pub const COOL: i64 = 40;
pub const KEEP: i64 = FRESH + ERROR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Value,
    Same,
    Absent,
    Error,
    Pass,
}

/// How a key of ours gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Evicted,
    /// Another service made it a list.
    Retyped,
    /// Another service wrote into it.
    Garbled,
}

#[derive(Clone, Debug)]
pub enum Op {
    Read,
    /// The fetch of the nth last cache lease ends.
    Finish(usize, End),
    Invalidate {
        hard: bool,
    },
    InvalidateTag {
        hard: bool,
    },
    /// Another service writes, with an expiry or without one.
    ForeignSet(Option<u64>),
    /// It keeps the expiry: no trace is left of that.
    ForeignReplace,
    ForeignDelete,
    LoseCompanion(Loss),
    LoseTag(Loss),
    LoseLease(Loss),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let end = prop_oneof![
        6 => Just(End::Value),
        1 => Just(End::Same),
        1 => Just(End::Absent),
        2 => Just(End::Error),
        1 => Just(End::Pass),
    ];
    let loss = || prop_oneof![2 => Just(Loss::Evicted), 1 => Just(Loss::Retyped), 1 => Just(Loss::Garbled)];
    prop_oneof![
        12 => Just(Op::Read),
        8 => (prop_oneof![4 => Just(0_usize), 1 => 1..3_usize], end)
            .prop_map(|(nth, end)| Op::Finish(nth, end)),
        1 => any::<bool>().prop_map(|hard| Op::Invalidate { hard }),
        2 => any::<bool>().prop_map(|hard| Op::InvalidateTag { hard }),
        1 => prop_oneof![Just(None), (20..400_u64).prop_map(Some)].prop_map(Op::ForeignSet),
        1 => Just(Op::ForeignReplace),
        1 => Just(Op::ForeignDelete),
        1 => loss().prop_map(Op::LoseCompanion),
        1 => loss().prop_map(Op::LoseTag),
        1 => loss().prop_map(Op::LoseLease),
        5 => (1..60_u64).prop_map(Op::Wait),
    ]
}

#[tokio::test]
async fn random_sequences_keep_what_the_contract_says() {
    let redis = support::RedisServer::start().await;
    let url = redis.url();
    let run = move || {
        let seed = seed();
        let mut runner = TestRunner::new(config(250, seed));
        let cases = prop::collection::vec(op(), 1..40);
        let outcome = runner.run(&cases, |ops| {
            let (mut store, mut model) = (Store::new(&url), Model::default());
            for (at, op) in ops.iter().enumerate() {
                if let Err(problem) = model.step(&mut store, op) {
                    return Err(TestCaseError::fail(format!("operation {at}, {op:?}: {problem}")));
                }
            }
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("BELLWIRE_MODEL_SEED={seed}\n{error}");
        }
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
