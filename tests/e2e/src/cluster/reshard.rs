//! Many slots are moved while creates go on.

use std::collections::BTreeSet;
use std::time::Duration;

use support::{Functions, RedisCluster};

use super::slot;
use super::stream::Stream;

/// Slots without a user, moved between those that have one.
const OTHERS: usize = 100;

#[tokio::test]
async fn every_create_during_a_move_of_many_slots_is_sent_once_and_in_order() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let stream = Stream::new(&functions, 150);
    stream.once_each().await;
    let mut slots: BTreeSet<u16> = stream.users.iter().map(|user| slot(user)).collect();
    slots.extend((0..OTHERS).map(|at| (at * 160) as u16));
    // To the next master and on, so that every slot moves at least once.
    let masters = cluster.masters().await;
    stream
        .during(async {
            for target in &masters {
                cluster.reshard(slots.iter().copied(), target).await;
            }
        })
        .await;
    let (answered, pending) = stream.counts();
    let mut seen = [0; 3];
    for node in &cluster.nodes {
        for (count, code) in seen.iter_mut().zip(["MOVED", "ASK", "TRYAGAIN"]) {
            *count += node.errors(code).await;
        }
    }
    println!("{answered} creates, {pending} pending, slowest {:?}, {seen:?}", stream.slowest());
    assert!(answered > 1000, "{answered} creates");
    assert!(seen[0] > 0, "nothing was redirected");
    assert_eq!(pending, 0, "of {answered}");
    assert!(stream.slowest() < Duration::from_secs(2), "{:?}", stream.slowest());
    stream.assert_whole(async |key| cluster.owner_of(key).await).await;
}
