//! Slots that have moved or are being moved.

use std::time::Duration;

use support::{Functions, RedisCluster, RedisServer, eventually, within};
use tokio::net::TcpSocket;

use super::{create, feed, slot};

const BOUND: Duration = Duration::from_secs(5);

/// A user whose feed has entries, and a master that does not serve it.
async fn stage<'a>(
    cluster: &'a RedisCluster,
    functions: &Functions,
) -> (&'a RedisServer, &'a RedisServer) {
    assert_eq!(create(functions, "alice", "one").await, "sent");
    let source = cluster.owner_of(&feed("alice")).await;
    let masters = cluster.masters().await;
    let target = masters.into_iter().find(|master| master.port() != source.port()).unwrap();
    (source, target)
}

/// The sum of a number over all nodes.
async fn sum(cluster: &RedisCluster, of: impl AsyncFn(&RedisServer) -> u64) -> u64 {
    let mut sum = 0;
    for node in &cluster.nodes {
        sum += of(node).await;
    }
    sum
}

#[tokio::test]
async fn a_create_is_one_call_of_the_right_master_and_an_instance_learns_the_slots_once() {
    const CREATES: u64 = 100;
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    for node in &cluster.nodes {
        node.run::<()>("CONFIG RESETSTAT").await;
    }
    for at in 0..CREATES {
        assert_eq!(create(&functions, &format!("u{at}"), "one").await, "sent");
    }
    let calls = async |name: &'static str| sum(&cluster, async |node| node.calls(name).await).await;
    assert_eq!(calls("evalsha").await, CREATES);
    // An instance serves 128 requests.
    assert_eq!(calls("cluster|slots").await, 1);
    assert_eq!(sum(&cluster, async |node| node.errors("MOVED").await).await, 0);
}

#[tokio::test]
async fn a_moved_slot_is_followed_at_once() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let (source, target) = stage(&cluster, &functions).await;
    for title in ["two", "three"] {
        assert_eq!(create(&functions, "alice", title).await, "sent");
    }
    cluster.reshard([slot("alice")], target).await;
    for title in ["four", "five"] {
        assert_eq!(create(&functions, "alice", title).await, "sent");
    }
    assert!(source.errors("MOVED").await >= 1, "nothing was redirected");
    let titles = functions.titles("alice").await;
    assert_eq!(titles, ["five", "four", "three", "two", "one"]);
    assert_eq!(target.list(&feed("alice")).await.len(), 5);
}

#[tokio::test]
async fn a_slot_on_its_way_is_asked_for_on_the_other_side() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let (source, target) = stage(&cluster, &functions).await;
    let migration = cluster.migrate(slot("alice"), target).await;
    migration.move_keys().await;
    for _ in 0..3 {
        assert_eq!(functions.titles("alice").await, ["one"]);
    }
    assert!(source.errors("ASK").await >= 3, "nothing was asked for");
    let asked = target.calls("asking").await;
    assert!(asked >= 3, "nothing was asked for there");
    // A script that writes waits until the slot has arrived.
    let ends = async {
        eventually("a create is asked for there", async || {
            (target.calls("asking").await > asked).then_some(())
        })
        .await;
        migration.finish().await;
    };
    let created = create(&functions, "alice", "two");
    let both = futures_util::future::join(created, ends);
    let (delivery, ()) = within(BOUND, "the create is answered", both).await;
    assert_eq!(delivery, "sent");
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    assert_eq!(target.list(&feed("alice")).await.len(), 2);
}

#[tokio::test]
async fn a_call_between_the_halves_of_a_slot_waits_for_its_end() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let (source, target) = stage(&cluster, &functions).await;
    let migration = cluster.migrate(slot("alice"), target).await;
    migration.move_some(&[&feed("alice")]).await;
    let ends = async {
        eventually("a call is told to try again", async || {
            (source.errors("TRYAGAIN").await >= 1).then_some(())
        })
        .await;
        migration.move_keys().await;
        migration.finish().await;
    };
    let created = create(&functions, "alice", "two");
    let both = futures_util::future::join(created, ends);
    let (delivery, ()) = within(BOUND, "the create is answered", both).await;
    assert_eq!(delivery, "sent");
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
}

#[tokio::test]
async fn a_slot_that_stays_between_its_halves_delays_the_delivery_only() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let (_, target) = stage(&cluster, &functions).await;
    let migration = cluster.migrate(slot("alice"), target).await;
    migration.move_some(&[&feed("alice")]).await;
    let created = within(BOUND, "the create is answered", create(&functions, "alice", "two"));
    assert_eq!(created.await, "pending");
    let titles = within(BOUND, "the feed is answered", functions.titles("alice"));
    assert_eq!(titles.await, ["two", "one"], "from the record");
    migration.move_keys().await;
    migration.finish().await;
    assert_eq!(create(&functions, "alice", "three").await, "sent");
    assert_eq!(functions.titles("alice").await, ["three", "two", "one"]);
    assert_eq!(target.list(&feed("alice")).await.len(), 3);
}

fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

#[tokio::test]
async fn seeds_that_are_away_cost_a_connection_and_nothing_else() {
    let cluster = RedisCluster::start().await;
    // Bound, so that no server of another test takes them, but not listening.
    let sockets: Vec<TcpSocket> = std::iter::repeat_with(bound).take(4).collect();
    let closed: Vec<String> =
        sockets.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect();
    let url = format!("redis+cluster://{},{}", closed.join(","), cluster.nodes[3].address());
    // Each instance begins with a seed of its own; some have the good one last.
    for _ in 0..5 {
        let functions = Functions::at(&url, "127.0.0.1:*").start().await;
        for at in 0..5 {
            assert_eq!(create(&functions, &format!("u{at}"), "one").await, "sent");
        }
    }
    let only_closed = format!("redis+cluster://{}", closed.join(","));
    let functions = Functions::at(&only_closed, "127.0.0.1:*").start().await;
    let created = within(BOUND, "the create is answered", create(&functions, "alice", "one"));
    assert_eq!(created.await, "pending");
}
