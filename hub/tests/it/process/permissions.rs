//! A Redis user who may not do what the hub needs.

use crate::support::{Hub, until};

#[tokio::test]
async fn a_missing_permission_is_not_ready_and_named() {
    let hub = Hub::start().await;
    hub.until_ready().await;
    hub.redis.command(&["ACL", "SETUSER", "default", "-getdel"]).await;
    // The hub looks now and then.
    until("the hub is not ready", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && answer.body.contains("GETDEL on bw:ticket:*")
    })
    .await;
    hub.redis.command(&["ACL", "SETUSER", "default", "+@all"]).await;
    hub.until_ready().await;
}
