//! Wakes the worker when a push became due: a message on a channel, best effort. Without it, jobs
//! are claimed every two seconds.

use futures_util::StreamExt as _;
use native::limits::REDIS_CONNECT_DEADLINE;
use shared::keys::PUSH_CHANNEL;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::limits::WAKE_RETRY;

/// Notifies `woken` for each message. Ends only by being dropped.
pub(crate) async fn wake(client: redis::Client, woken: &Notify) {
    loop {
        if let Ok(Ok(mut subscription)) = timeout(REDIS_CONNECT_DEADLINE, subscribe(&client)).await
        {
            let mut messages = subscription.on_message();
            while messages.next().await.is_some() {
                woken.notify_one();
            }
        }
        sleep(WAKE_RETRY).await;
    }
}

async fn subscribe(client: &redis::Client) -> redis::RedisResult<redis::aio::PubSub> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(PUSH_CHANNEL).await?;
    Ok(subscription)
}
