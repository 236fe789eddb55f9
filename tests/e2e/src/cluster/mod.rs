//! The functions on a real Redis Cluster, and behind real Sentinels: every capability, slots that
//! are moved, masters that end, hang or hand over. A create is answered 201 in any case, and every
//! 201 is in its feed once and in order. What must have happened is read from Redis' own statistics.

mod capabilities;
mod failover;
mod operations;
mod readiness;
mod redirects;
mod reshard;
mod sentinel;
mod stream;

use serde_json::{Value, json};
use shared::cluster::slot_of;
use support::Functions;

/// The key of a user's feed.
fn feed(user: &str) -> String {
    format!("notifications:{user}")
}

fn slot(user: &str) -> u16 {
    slot_of(&feed(user))
}

/// Creates a notification; returns its `delivery`.
async fn create(functions: &Functions, user: &str, title: &str) -> Value {
    let answer = functions.create(&json!({"userId": user, "title": title})).await;
    answer.expect(201).json()["delivery"].clone()
}
