//! Wakes the worker when a push became due: a message on a channel, best effort. Without it, jobs
//! are claimed every two seconds.

use std::sync::Arc;

use futures_util::StreamExt as _;
use native::limits::REDIS_CONNECT_DEADLINE;
use native::redis::Topology;
use redis::RedisResult;
use redis::aio::PubSub;
use shared::cluster::Server;
use shared::keys::PUSH_CHANNEL;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::limits::WAKE_RETRY;

/// Notifies `woken` for each message. Ends only by being dropped.
pub(crate) async fn wake(topology: Arc<Topology>, woken: &Notify) {
    loop {
        let known = topology.known(Instant::now() + REDIS_CONNECT_DEADLINE).await;
        // Every node of a cluster hears what is published on another.
        if let Some(map) = known
            && let Some(server) = fastrand::choice(map.servers())
        {
            tokio::select! {
                () = listen(&topology, server, woken) => {}
                () = is_no_master(&topology, server) => {}
            }
        }
        sleep(WAKE_RETRY).await;
    }
}

/// Until the subscription is lost.
async fn listen(topology: &Topology, server: &Server, woken: &Notify) {
    if let Ok(Ok(mut subscription)) =
        timeout(REDIS_CONNECT_DEADLINE, subscribe(topology, server)).await
    {
        let mut messages = subscription.on_message();
        while messages.next().await.is_some() {
            woken.notify_one();
        }
    }
}

/// Resolves once the server is not a master any more: a silent one never ends the subscription.
async fn is_no_master(topology: &Topology, server: &Server) {
    let mut changes = topology.changes();
    if changes.wait_for(|map| !map.servers().contains(server)).await.is_err() {
        std::future::pending().await
    }
}

async fn subscribe(topology: &Topology, server: &Server) -> RedisResult<PubSub> {
    let mut subscription = topology.client_of(server)?.get_async_pubsub().await?;
    subscription.subscribe(PUSH_CHANNEL).await?;
    Ok(subscription)
}
