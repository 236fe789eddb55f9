//! Consumers that fail at random: whatever they do, nothing is lost, nothing is accepted twice, and
//! nothing is received more often than it may be. The scripts run as in a component, over 10,000
//! messages.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::Rng as _;
use runtime::ports::redis::{Arg, Redis as _, Reply};
use shared::limits::{ONCE_TTL_S, QUEUE_DEDUP_S, QUEUE_TTL_S};
use shared::script::Script;
use shared::{keys, script};
use support::RedisServer;
use support::wait::within;

use crate::models::record_model::redis::FaultyRedis;
use crate::models::record_model::seed::{rng, seed};

const MESSAGES: usize = 10_000;
const CONSUMERS: usize = 4;
const RECEIVES_MAX: i64 = 3;
/// Long enough for a consumer that goes on at once, short enough to wait for.
const VISIBILITY_MS: i64 = 400;
const LIMIT: Duration = Duration::from_secs(120);

/// What became of the messages, as the consumers saw it.
#[derive(Default)]
struct Ledger {
    receives: BTreeMap<usize, i64>,
    acknowledged: BTreeSet<usize>,
    /// First receives, in the order of the answers of one consumer.
    first: Vec<Vec<usize>>,
}

struct Consumer {
    redis: FaultyRedis,
    number: usize,
}

impl Consumer {
    async fn run(&self, script: &Script, more: &[String], args: &[Arg<'_>]) -> Vec<Reply> {
        let mut keys = keys::queue("work").to_vec();
        keys.extend_from_slice(more);
        let mut all = vec![Arg::Int(QUEUE_TTL_S as i64), Arg::Text("0123456789abcdef")];
        all.extend_from_slice(args);
        self.redis.eval(script, &keys, &all).await.unwrap()
    }

    /// Says something about receipts; whether each was accepted.
    async fn settle(&self, script: &Script, args: &[Arg<'_>], receipts: &[&str]) -> Vec<bool> {
        let mut all = args.to_vec();
        all.extend(receipts.iter().map(|receipt| Arg::Text(receipt)));
        let reply = self.run(script, &[], &all).await;
        let done = usize::try_from(reply[0].int().unwrap()).unwrap();
        let texts: Vec<&str> = reply[1..].iter().map(|reply| reply.text().unwrap()).collect();
        assert_eq!(texts.len(), receipts.len());
        receipts.iter().map(|receipt| texts[..done].contains(receipt)).collect()
    }

    /// Receives and treats messages until the queue has none left.
    async fn work(&self, ledger: &RefCell<Ledger>) {
        let mut random = rng(seed() ^ self.number as u64);
        // Receipts that were acknowledged, or whose time was let pass: used again to be refused.
        let mut spent: VecDeque<String> = VecDeque::new();
        loop {
            let max = 1 + i64::from(random.next_u32() % 100);
            let args = [
                Arg::Int(max),
                Arg::Int(VISIBILITY_MS),
                Arg::Int(RECEIVES_MAX),
                Arg::Int(100),
                Arg::Int(200),
            ];
            let reply = self.run(&script::QUEUE_RECEIVE, &[], &args).await;
            let messages: Vec<(String, usize)> = reply.chunks(2).map(message).collect();
            self.note(&messages, &mut ledger.borrow_mut());
            if messages.is_empty() && self.is_done().await {
                return;
            }
            for (receipt, number) in messages {
                self.treat(&receipt, number, random.next_u32() % 100, ledger).await;
                spent.push_back(receipt);
            }
            if spent.len() > 200 {
                let old = spent.pop_front().unwrap();
                // Accepted at most if it was neither acknowledged nor given back.
                let accepted = self.settle(&script::QUEUE_ACK, &[], &[&old, &old]).await;
                assert!(!accepted[1] || accepted[0]);
                if accepted[0] {
                    let number = number_of(&old, ledger);
                    assert!(ledger.borrow_mut().acknowledged.insert(number), "twice: {old}");
                }
            }
        }
    }

    /// One message: dealt with, given back, or forgotten in a crash.
    async fn treat(&self, receipt: &str, number: usize, dice: u32, ledger: &RefCell<Ledger>) {
        match dice {
            // Never dealt with.
            _ if number.is_multiple_of(97) => {}
            0..70 => {
                if self.settle(&script::QUEUE_ACK, &[], &[receipt]).await[0] {
                    let is_news = ledger.borrow_mut().acknowledged.insert(number);
                    assert!(is_news, "{number} was acknowledged twice");
                }
                assert!(!self.settle(&script::QUEUE_ACK, &[], &[receipt]).await[0]);
            }
            70..80 => {
                let args = [Arg::Int(0), Arg::Text("nack"), Arg::Text("0")];
                self.settle(&script::QUEUE_NACK, &args, &[receipt]).await;
                assert!(!self.settle(&script::QUEUE_ACK, &[], &[receipt]).await[0]);
            }
            80..88 => {
                let args = [Arg::Int(30), Arg::Text("later"), Arg::Text("0")];
                self.settle(&script::QUEUE_NACK, &args, &[receipt]).await;
            }
            88..94 => {
                self.settle(&script::QUEUE_EXTEND, &[Arg::Int(VISIBILITY_MS)], &[receipt]).await;
            }
            // A crash.
            _ => {}
        }
    }

    fn note(&self, messages: &[(String, usize)], ledger: &mut Ledger) {
        for (receipt, number) in messages {
            let attempt: i64 = receipt.rsplit_once(':').unwrap().1.parse().unwrap();
            let receives = ledger.receives.entry(*number).or_default();
            *receives += 1;
            assert_eq!(*receives, attempt, "{number}: an attempt that nobody saw");
            assert!(attempt <= RECEIVES_MAX, "{number} was received {attempt} times");
            assert!(!ledger.acknowledged.contains(number), "{number} came back from the dead");
            if attempt == 1 {
                ledger.first[self.number].push(*number);
            }
        }
    }

    async fn is_done(&self) -> bool {
        let stats = self.run(&script::QUEUE_STATS, &[], &[]).await;
        let left: i64 = stats[..3].iter().map(|count| count.int().unwrap()).sum();
        if left > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        left == 0
    }
}

thread_local! {
    static NUMBERS: RefCell<BTreeMap<String, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// Receipt and number of a message.
fn message(pair: &[Reply]) -> (String, usize) {
    let receipt = pair[0].text().unwrap().to_owned();
    let number = pair[1].text().unwrap().parse().unwrap();
    NUMBERS.with_borrow_mut(|numbers| numbers.insert(receipt.clone(), number));
    (receipt, number)
}

fn number_of(receipt: &str, _ledger: &RefCell<Ledger>) -> usize {
    NUMBERS.with_borrow(|numbers| numbers[receipt])
}

async fn consumer(redis: &RedisServer, number: usize) -> Consumer {
    let connection = redis.connection().await;
    let redis = FaultyRedis::new(connection, Box::new(|| Duration::ZERO), Box::new(|| None));
    Consumer { redis, number }
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_is_accepted_twice() {
    let redis = RedisServer::start().await;
    let sender = consumer(&redis, 0).await;
    let numbers: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for (at, batch) in numbers.chunks(500).enumerate() {
        let mut args = vec![Arg::Int(0), Arg::Int(ONCE_TTL_S), Arg::Int(QUEUE_DEDUP_S as i64)];
        args.extend(batch.iter().map(|number| Arg::Text(number)));
        let once = [keys::once("work", &at.to_string())];
        // Made twice, as after a broken connection.
        for _ in 0..2 {
            sender.run(&script::QUEUE_SEND, &once, &args).await;
        }
    }

    let ledger = RefCell::new(Ledger { first: vec![Vec::new(); CONSUMERS], ..Ledger::default() });
    let consumers = join_all((0..CONSUMERS).map(|number| consumer(&redis, number))).await;
    let work = join_all(consumers.iter().map(|consumer| consumer.work(&ledger)));
    within(LIMIT, "the queue runs empty", work).await;

    let Ledger { receives, acknowledged, first } = ledger.into_inner();
    for order in &first {
        assert!(order.is_sorted(), "first receives are in the order of the sends");
    }
    assert_eq!(receives.len(), MESSAGES, "every message was received");
    let dead = dead(&sender).await;
    assert!(acknowledged.is_disjoint(&dead));
    assert_eq!(acknowledged.len() + dead.len(), MESSAGES, "dealt with, or dead");
    assert!(dead.len() >= MESSAGES / 97, "those that were never dealt with are dead");
    for number in &dead {
        assert_eq!(receives[number], RECEIVES_MAX, "{number} had all its chances");
    }
    // Nothing is left but the dead.
    let mut connection = redis.connection().await;
    for (at, left) in [(8, dead.len()), (7, dead.len()), (6, 0), (3, 0), (4, 0), (2, 0), (0, 0)] {
        let key = &keys::queue("work")[at];
        let command = match at {
            7 | 8 => "HLEN",
            0 | 2 => "LLEN",
            _ => "ZCARD",
        };
        let count: usize = redis::cmd(command).arg(key).query_async(&mut connection).await.unwrap();
        assert_eq!(count, left, "{key}");
    }
}

/// Numbers of all dead letters, page by page.
async fn dead(consumer: &Consumer) -> BTreeSet<usize> {
    let (mut dead, mut cursor, mut last) = (BTreeSet::new(), String::new(), None);
    loop {
        let args = [Arg::Text(&cursor), Arg::Int(100), Arg::Int(300)];
        let reply = consumer.run(&script::QUEUE_DEAD, &[], &args).await;
        let mut next = None;
        for entry in reply[1..].chunks(5) {
            let number = entry[4].text().unwrap().parse().unwrap();
            let is_news = dead.insert(number);
            assert!(is_news, "a page repeats an entry");
            // Ids were given in the order of the sends.
            let place = (entry[1].int().unwrap(), number);
            assert!(last < Some(place), "{last:?} before {place:?}");
            last = Some(place);
            next = Some(format!("{}:{}", entry[1].int().unwrap(), entry[0].text().unwrap()));
        }
        match next.filter(|_| reply[0].int() == Some(1)) {
            Some(next) => cursor = next,
            None => return dead,
        }
    }
}
