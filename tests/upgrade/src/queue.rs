//! A queue whose messages are sent, received and acknowledged through hosts of both versions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use support::token;
use tokio::time::sleep;

use crate::counts::{Counts, add};
use crate::load::Api;

const PAUSE: Duration = Duration::from_millis(50);
/// Short: a message whose answer was lost comes back after it.
const VISIBILITY_S: u64 = 5;

#[derive(Default)]
pub struct Queue {
    /// Sent, and not received so far.
    open: Mutex<BTreeSet<u64>>,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }

    pub async fn send(self: Arc<Self>, api: Arc<Api>, stop: Arc<AtomicBool>) {
        let token = token("a service", "queues:write");
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            number += 1;
            self.open.lock().insert(number);
            let body = json!({"messages": [number], "dedupId": format!("{number}")});
            api.call("POST", "/queues/upgrade/messages", &token, &body).await;
            sleep(PAUSE).await;
        }
    }

    pub async fn receive(self: Arc<Self>, api: Arc<Api>, stop: Arc<AtomicBool>) {
        let token = token("a worker", "queues:write");
        while !stop.load(Ordering::Relaxed) {
            let body = json!({"max": 5, "visibilitySeconds": VISIBILITY_S});
            let answer = api.call("POST", "/queues/upgrade/receive", &token, &body).await;
            let messages = answer.as_ref().and_then(|answer| answer["messages"].as_array());
            let messages = messages.cloned().unwrap_or_default();
            if messages.is_empty() {
                sleep(PAUSE).await;
                continue;
            }
            let receipts: Vec<&Value> =
                messages.iter().map(|message| &message["receipt"]).collect();
            api.call("POST", "/queues/upgrade/ack", &token, &json!({"receipts": receipts})).await;
            for message in &messages {
                if message["payload"].as_u64().is_some_and(|it| self.open.lock().remove(&it)) {
                    add(&api.counts.worked);
                }
            }
        }
    }

    /// Every message that was sent has been received.
    pub fn check(&self, counts: &Counts) {
        let open = self.open.lock();
        if !open.is_empty() {
            counts.defect(format!("messages that never came: {open:?}"));
        }
    }
}
