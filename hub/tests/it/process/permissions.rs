//! A Redis user without a permission that the hub needs.

use crate::support::{Hub, until};

#[tokio::test]
async fn a_missing_permission_makes_the_hub_not_ready_and_is_named() {
    let hub = Hub::start().await;
    hub.until_ready().await;
    hub.redis.command(&["ACL", "SETUSER", "default", "-getdel"]).await;
    // The hub checks now and then.
    until("the hub is not ready", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && answer.body.contains("GETDEL on bw:ticket:*")
    })
    .await;
    hub.redis.command(&["ACL", "SETUSER", "default", "+@all"]).await;
    hub.until_ready().await;
}
