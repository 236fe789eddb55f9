//! The index of campaigns under way.

use shared::campaign_push::index::{self, Pushing};
use shared::{CampaignId, keys};
use support::RedisServer;

use super::Push;

async fn listed(push: &Push) -> Vec<Pushing> {
    let words = index::list();
    let mut command = redis::cmd(words[0]);
    let reply: Vec<Vec<u8>> =
        command.arg(&words[1..]).query_async(&mut push.connection.clone()).await.unwrap();
    index::listed(&reply)
}

fn id(text: &str) -> CampaignId {
    CampaignId::parse(text).unwrap()
}

#[tokio::test]
async fn a_campaign_that_was_touched_since_it_was_listed_stays() {
    let redis = RedisServer::start().await;
    let push = Push::of(&redis).await;
    for name in ["a", "b", "a"] {
        push.call(&index::touch(&id(name))).await;
    }
    let before = listed(&push).await;
    // By time; the two last touches may be of one millisecond.
    let mut names: Vec<String> = before.iter().map(|one| one.campaign.to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b"]);
    // Within the same millisecond, too.
    push.call(&index::touch(&id("a"))).await;
    for one in &before {
        push.call(&index::drop(one)).await;
    }
    let after = listed(&push).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].campaign, id("a"));
    push.call(&index::drop(&after[0])).await;
    assert!(listed(&push).await.is_empty());
}

#[tokio::test]
async fn what_nobody_touches_is_forgotten_and_the_index_is_bounded() {
    let redis = RedisServer::start().await;
    let push = Push::of(&redis).await;
    let day_ago = push.now_ms().await - 24 * 3600 * 1000 - 1;
    redis.run::<i64>(&format!("ZADD {} {day_ago} old", keys::PUSHING)).await;
    for at in 0..5 {
        let mut touch = index::touch(&id(&format!("c{at}")));
        touch.args[2] = b"3".to_vec();
        push.call(&touch).await;
    }
    let names: Vec<String> =
        listed(&push).await.iter().map(|one| one.campaign.to_string()).collect();
    assert_eq!(names, ["c2", "c3", "c4"]);
}
