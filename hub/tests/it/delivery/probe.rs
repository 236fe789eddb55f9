//! A subscription that no longer receives messages, although its server answers.

use std::time::Duration;

use ::support::Proxy;
use futures_util::StreamExt as _;
use hub::config::Pace;
use shared::live::Live;
use shared::wire::ChannelEvent;

use crate::support::{Hub, Options, RedisServer, SOON, in_both_modes, until};

fn quick() -> Pace {
    let wait = Duration::from_millis(300);
    Pace { subscription_silence: wait, subscription_pong_deadline: wait, ..Pace::default() }
}

async fn start(redis: RedisServer, proxy: &Proxy, live: Live) -> Hub {
    let redis_url = Some(proxy.url());
    Hub::start_on(redis, Options { live, pace: quick(), redis_url, ..Options::default() }).await
}

async fn a_subscription_left_behind_by_a_failover_is_detected_and_replaced(live: Live) {
    let (old, mut new) = (RedisServer::start().await, RedisServer::start().await);
    new.live = live;
    let proxy = Proxy::to(&old.address()).await;
    let hub = start(old, &proxy, live).await;
    hub.until_ready().await;
    let mut client = hub.connect("alice").await;
    proxy.fail_over_to(&new.address());
    hub.until_not_ready().await;
    hub.until_ready().await;
    assert_eq!(proxy.subscriptions(), 2);
    new.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

async fn a_hub_is_not_ready_while_new_subscriptions_are_deaf_as_well(live: Live) {
    let (mut subscribed, published) = (RedisServer::start().await, RedisServer::start().await);
    subscribed.live = live;
    let proxy = Proxy::to(&published.address()).await;
    proxy.lead_subscriptions_to(&subscribed.address());
    let hub = start(published, &proxy, live).await;
    hub.until_not_ready().await;
    let before = proxy.subscriptions();
    until("it subscribes again and again", async || proxy.subscriptions() >= before + 3).await;
    // Users' own channels are not subscribed at all between two attempts.
    until("the hub says so", async || {
        let answer = hub.get("/readyz").await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        answer.body.contains("does not receive publications")
    })
    .await;
    // Any delivered message shows that the subscription receives.
    let mut client = hub.connect("alice").await;
    subscribed.publish(r#"{"notification":{"userId":"alice"}}"#).await;
    assert_eq!(client.text().await, r#"{"userId":"alice"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_hub_receives_its_own_probes_and_keeps_its_subscription() {
    let hub = Hub::start_with(Options { pace: quick(), ..Options::default() }).await;
    let client = redis::Client::open(hub.redis.url()).unwrap();
    let mut channel = client.get_async_pubsub().await.unwrap();
    channel.subscribe("bw:events").await.unwrap();
    let mut probes = Vec::new();
    while probes.len() < 3 {
        let next = tokio::time::timeout(SOON, channel.on_message().next()).await;
        let message = next.unwrap().unwrap();
        match ChannelEvent::parse(message.get_payload_bytes()).unwrap() {
            ChannelEvent::Probe { hub, n } => probes.push((hub, n)),
            other => panic!("{other:?}"),
        }
        assert_eq!(hub.get("/readyz").await.status, 200);
    }
    let id = &probes[0].0;
    assert_eq!(probes, [1, 2, 3].map(|n| (id.clone(), n)));
}

in_both_modes! {
    a_subscription_left_behind_by_a_failover_is_detected_and_replaced,
    a_hub_is_not_ready_while_new_subscriptions_are_deaf_as_well,
}
