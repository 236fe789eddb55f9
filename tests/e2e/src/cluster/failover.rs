//! Masters that end, hang or hand over while creates go on.

use std::time::Duration;

use serde_json::json;
use support::{Functions, RedisCluster, RedisServer, eventually, eventually_within, token};

use super::stream::Stream;

/// An election takes three or four seconds.
const ELECTION_LIMIT: Duration = Duration::from_secs(20);
/// A create waits about a second for a server that hangs.
const SLOWEST: Duration = Duration::from_secs(5);

/// Waits until another node serves the slots of this one.
async fn replaced(cluster: &RedisCluster, former: &RedisServer) {
    eventually_within(ELECTION_LIMIT, "a replica takes over", async || {
        for node in cluster.nodes.iter().filter(|node| node.port() != former.port()) {
            let nodes: String = node.run("CLUSTER NODES").await;
            let line = nodes.lines().find(|line| line.contains(&format!(":{}@", former.port())))?;
            let serves = line.split(' ').nth(8).is_some();
            if line.contains("master") && serves {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// The relay brings what is missing, also what the former master alone had; then creates are sent as
/// before.
async fn after(functions: &Functions, stream: &Stream<'_>, cluster: &RedisCluster) {
    eventually("nothing is pending", async || {
        let relayed = functions.relay().await;
        (relayed.status == 200 && relayed.json()["pending"] == 0).then_some(())
    })
    .await;
    stream.assert_whole(async |key| cluster.owner_of(key).await).await;
    let (_, pending) = stream.counts();
    stream.once_each().await;
    assert_eq!(stream.counts().1, pending, "still pending");
    stream.assert_whole(async |key| cluster.owner_of(key).await).await;
    assert!(stream.slowest() < SLOWEST, "{:?}", stream.slowest());
}

#[tokio::test]
async fn a_killed_master_delays_deliveries_and_loses_none() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let stream = Stream::new(&functions, 60);
    stream.once_each().await;
    let killed = &cluster.nodes[0];
    stream
        .during(async {
            killed.kill();
            replaced(&cluster, killed).await;
        })
        .await;
    let (_, pending) = stream.counts();
    assert!(pending > 0, "nobody noticed");
    after(&functions, &stream, &cluster).await;
}

#[tokio::test]
async fn a_hanging_master_delays_deliveries_and_loses_none() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let stream = Stream::new(&functions, 60);
    stream.once_each().await;
    let hanging = &cluster.nodes[1];
    stream
        .during(async {
            hanging.pause();
            replaced(&cluster, hanging).await;
            hanging.resume();
            cluster.settled().await;
        })
        .await;
    let (_, pending) = stream.counts();
    assert!(pending > 0, "nobody noticed");
    after(&functions, &stream, &cluster).await;
}

#[tokio::test]
async fn a_master_that_hands_over_delays_nothing() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let stream = Stream::new(&functions, 60);
    stream.once_each().await;
    let former = &cluster.nodes[2];
    let replica = cluster.replica_of(former).await;
    stream
        .during(async {
            cluster.fail_over_to(replica).await;
            cluster.settled().await;
        })
        .await;
    assert!(former.errors("MOVED").await > 0, "nothing was redirected");
    assert_eq!(stream.counts().1, 0, "pending");
    after(&functions, &stream, &cluster).await;
}

/// One server is gone, and another one refuses the call that its users share for one of them.
#[tokio::test]
async fn the_users_of_one_master_do_not_wait_for_another_one() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let [gone, refusing, ..] = cluster.nodes.as_slice() else { unreachable!() };
    let (mut of_gone, mut of_refusing) = (Vec::new(), Vec::new());
    for user in (0..120).map(|at| format!("u{at}")) {
        match cluster.owner_of(&format!("notifications:{user}")).await.port() {
            port if port == gone.port() => of_gone.push(user),
            port if port == refusing.port() => of_refusing.push(user),
            _ => {}
        }
    }
    let is_permitted = |user: &&String| !user.ends_with(['1', '2', '3', '4', '5']);
    let permitted: Vec<&String> = of_refusing.iter().filter(is_permitted).collect();
    assert!(!permitted.is_empty() && permitted.len() < of_refusing.len());
    refusing.run::<()>("ACL SETUSER default resetkeys ~*[^1-5]").await;
    gone.kill();
    // Every call has users of both.
    let users = of_gone.iter().zip(&of_refusing).flat_map(|(gone, refusing)| [gone, refusing]);
    let users = users.chain(of_refusing.iter().skip(of_gone.len()));
    let each = users.map(|user| json!({"userId": user, "title": "one"}));
    let body = json!({ "notifications": each.collect::<Vec<_>>() }).to_string();
    let call = functions.post("/notifications/batch", body);
    let answer = call.token(&token("svc", "notifications:write")).send().await.expect(200);
    let answer = answer.json();
    let results = answer["results"].as_array().unwrap();
    let sent = results.iter().map(|result| &result["notification"]);
    let sent = sent.filter(|notification| notification["delivery"] == "sent");
    let sent: Vec<&str> = sent.filter_map(|notification| notification["userId"].as_str()).collect();
    // Users of the first one may be sent by now: a replica takes over.
    let sent_of_refusing = of_refusing.iter().filter(|user| sent.contains(&user.as_str()));
    assert_eq!(sent_of_refusing.collect::<Vec<_>>(), permitted);
}
