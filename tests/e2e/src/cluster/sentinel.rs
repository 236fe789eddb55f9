//! One server behind Sentinels, which replace it.

use std::time::Duration;

use support::{Functions, RedisServer, Sentinel, eventually, eventually_within, logged, within};

use super::create;
use super::stream::Stream;

const BOUND: Duration = Duration::from_secs(5);
/// A Sentinel looks after a former primary every ten seconds.
const DEMOTION_LIMIT: Duration = Duration::from_secs(40);

async fn stage() -> (Sentinel, Functions) {
    let sentinel = Sentinel::start().await;
    let functions = Functions::at(&sentinel.url(), "127.0.0.1:*").start().await;
    functions.get("/readyz").send().await.expect(200);
    assert_eq!(create(&functions, "alice", "one").await, "sent");
    (sentinel, functions)
}

#[tokio::test]
async fn the_functions_follow_a_failover_and_lose_nothing() {
    let (sentinel, functions) = stage().await;
    let stream = Stream::new(&functions, 20);
    let former: &RedisServer = sentinel.primary().await;
    stream
        .during(async {
            former.kill();
            sentinel.replaced(former.port()).await;
        })
        .await;
    assert!(stream.counts().1 > 0, "nobody noticed");
    stream.once_each().await;
    let primary = sentinel.primary().await;
    assert_ne!(primary.port(), former.port());
    stream.assert_whole(async |_| primary).await;
    functions.relay().await.expect(200);
}

/// Sentinel promotes the replica first. Until it demotes the former primary, some seconds later, that
/// one still takes writes: the relay repeats them.
#[tokio::test]
async fn what_a_former_primary_still_took_comes_back() {
    let (sentinel, functions) = stage().await;
    let stream = Stream::new(&functions, 20);
    let former = sentinel.primary().await;
    stream
        .during(async {
            sentinel.fail_over().await;
            eventually_within(DEMOTION_LIMIT, "the former primary is a replica", async || {
                // A server that is demoted closes its clients' connections.
                let info = former.try_run::<String>(&["INFO", "replication"]).await.ok()?;
                info.contains("role:slave").then_some(())
            })
            .await;
        })
        .await;
    let primary = sentinel.primary().await;
    assert_ne!(primary.port(), former.port());
    eventually("nothing is pending", async || {
        let relayed = functions.relay().await;
        (relayed.status == 200 && relayed.json()["pending"] == 0).then_some(())
    })
    .await;
    stream.assert_whole(async |_| primary).await;
    stream.once_each().await;
    stream.assert_whole(async |_| primary).await;
    assert!(stream.slowest() < BOUND, "{:?}", stream.slowest());
}

#[tokio::test]
async fn one_sentinel_is_enough_and_an_unknown_name_is_an_outage() {
    let (sentinel, functions) = stage().await;
    sentinel.kill_sentinel(0);
    sentinel.kill_sentinel(1);
    functions.kill();
    functions.restart().await;
    eventually("a create is sent", async || {
        (create(&functions, "alice", "two").await == "sent").then_some(())
    })
    .await;
    let url = sentinel.url().replace("/mymaster", "/another");
    let functions = Functions::at(&url, "127.0.0.1:*").start().await;
    let created = within(BOUND, "the create is answered", create(&functions, "alice", "one"));
    assert_eq!(created.await, "pending");
    logged(|| functions.output(), &["no master of the name"]).await;
}
