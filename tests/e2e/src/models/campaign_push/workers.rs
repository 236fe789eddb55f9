//! Many workers at once: without failures each user is attempted exactly once; with failures nobody is
//! lost, nobody comes back who has ended, and the counters say what the workers were told.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{join, join_all};
use proptest::prelude::Rng as _;
use shared::campaign_push::{Block, End, Item, State};
use support::RedisServer;
use support::wait::within;

use super::{Push, counts};
use crate::models::record_model::seed::{rng, seed};

const USERS: usize = 4000;
const WORKERS: usize = 6;
const LIMIT: Duration = Duration::from_secs(60);

/// What the workers saw.
#[derive(Default)]
struct Ledger {
    attempts: BTreeMap<Vec<u8>, u32>,
    ended: BTreeSet<Vec<u8>>,
    /// Of settlements that were accepted: sent, failed, invalid, skipped.
    told: [i64; 4],
    doubtful: usize,
    put_off: u32,
}

struct World {
    push: Push,
    ledger: RefCell<Ledger>,
    is_over: Cell<bool>,
}

impl World {
    async fn start(redis: &RedisServer, lease_ms: i64) -> Self {
        let mut push = Push::started(redis, USERS, 10_000).await;
        push.lease_ms = lease_ms;
        Self { push, ledger: RefCell::default(), is_over: Cell::new(false) }
    }

    fn note(&self, block: &Block) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.doubtful += usize::from(block.in_doubt());
        for (_, item) in block.open() {
            assert!(!ledger.ended.contains(&item.element), "came back: {block:?}");
            *ledger.attempts.entry(item.element.clone()).or_default() += 1;
        }
    }

    /// Ends a random part of the block, and says what that was.
    fn send(&self, block: &mut Block, pick: &mut impl FnMut(u32) -> u32) -> Vec<(Item, usize)> {
        let open: Vec<(usize, Item)> = block.open().map(|(at, item)| (at, item.clone())).collect();
        let part = 1 + pick(open.len() as u32) as usize;
        let mut ends = Vec::new();
        for (at, item) in open.into_iter().take(part) {
            let wait = Duration::from_millis(u64::from(pick(40)));
            let (attempts, devices) = (item.attempts + 1, Vec::new());
            let (end, what) = match pick(20) {
                0 => (End::Failed, 1),
                1 => (End::Dead { devices }, 1),
                2 => (End::Invalid, 2),
                3 => (End::Skipped, 3),
                4..7 if attempts < 4 => (End::Later { wait, attempts, is_sent: false, devices }, 4),
                _ => (End::Sent, 0),
            };
            assert!(block.settle(at, end));
            ends.push((item, what));
        }
        ends
    }

    async fn settle(
        &self,
        block: &mut Block,
        ends: Vec<(Item, usize)>,
        is_sent_twice: bool,
    ) -> bool {
        let settlement = block.settlement();
        let mut reply = self.push.call(&settlement.settle).await;
        if is_sent_twice && block.open().count() > 0 {
            reply = self.push.call(&settlement.settle).await;
        }
        let settled = block.answered(&reply).unwrap();
        let mut ledger = self.ledger.borrow_mut();
        for (item, what) in ends.into_iter().filter(|_| settled.is_owned) {
            if let Some(told) = ledger.told.get_mut(what) {
                *told += 1;
                assert!(ledger.ended.insert(item.element), "ended twice");
            } else {
                ledger.put_off += 1;
            }
        }
        settled.is_owned
    }

    async fn work(&self, number: usize, does_fail: bool) {
        let mut random = rng(seed() ^ number as u64);
        let mut pick = move |below: u32| random.next_u32() % below.max(1);
        loop {
            let claim = self.push.new_claim(1 + pick(120) as usize);
            if does_fail && pick(10) == 0 {
                // Its answer is lost: with it, or until it is sent again.
                self.push.send(claim.clone()).await;
                if pick(2) == 0 {
                    continue;
                }
            }
            let claimed = self.push.send(claim).await;
            let Some(mut block) = claimed.block else {
                match claimed.wait {
                    Some(wait) => tokio::time::sleep(wait.min(Duration::from_millis(20))).await,
                    None => return self.is_over.set(true),
                }
                continue;
            };
            self.note(&block);
            while !block.is_over() {
                if does_fail && pick(12) == 0 {
                    // Killed, perhaps after it sent something.
                    self.send(&mut block, &mut pick);
                    break;
                }
                if does_fail && pick(30) == 0 {
                    tokio::time::sleep(Duration::from_millis(120)).await;
                }
                let ends = self.send(&mut block, &mut pick);
                if !self.settle(&mut block, ends, does_fail && pick(5) == 0).await {
                    assert!(does_fail, "nobody took it");
                    break;
                }
            }
        }
    }

    /// Pauses and resumes until all is over; nobody is lost in between.
    async fn interrupt(&self) {
        while !self.is_over.get() {
            tokio::time::sleep(Duration::from_millis(37)).await;
            self.push.control("pause").await;
            let before = self.push.progress().await;
            assert_eq!(before.total(), USERS as i64);
            tokio::time::sleep(Duration::from_millis(13)).await;
            let after = self.push.progress().await;
            assert_eq!(after.total(), USERS as i64);
            assert_eq!(after.waiting, before.waiting, "none leaves the list");
            self.push.control("resume").await;
        }
    }

    async fn run(&self, does_fail: bool) {
        let workers = join_all((0..WORKERS).map(|number| self.work(number, does_fail)));
        within(LIMIT, "the campaign ends", join(workers, self.interrupt())).await;
        let progress = self.push.progress().await;
        assert_eq!(progress.state, State::Done);
        let [sent, failed, invalid, skipped, remaining] = counts(&progress);
        assert_eq!((sent + failed + invalid + skipped, remaining), (USERS as i64, 0));
        let ledger = self.ledger.borrow();
        assert_eq!(ledger.told, [sent, failed, invalid, skipped]);
        assert_eq!(ledger.ended.len(), USERS);
    }
}

#[tokio::test]
async fn without_failures_everybody_is_attempted_exactly_once() {
    let redis = RedisServer::start().await;
    let world = World::start(&redis, super::LEASE_MS).await;
    world.run(false).await;
    let ledger = world.ledger.take();
    assert_eq!(ledger.doubtful, 0);
    // Those who were put off came once more for each time. A worker sees what is left of a block only
    // once, when it claims it.
    let attempts: u32 = ledger.attempts.values().sum();
    assert_eq!((ledger.attempts.len(), attempts), (USERS, USERS as u32 + ledger.put_off));
    assert_eq!(redis.run::<Vec<String>>("KEYS bw:pushblock*").await, [""; 0]);
}

#[tokio::test]
async fn with_failures_nobody_is_lost_and_nobody_who_ended_comes_back() {
    let redis = RedisServer::start().await;
    let world = World::start(&redis, 100).await;
    world.run(true).await;
    assert!(world.ledger.borrow().doubtful > 0, "nobody failed");
    assert_eq!(redis.run::<Vec<String>>("KEYS bw:pushblock*").await, [""; 0]);
}
