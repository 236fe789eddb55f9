//! Takes the snapshots.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval};

use crate::console::Console;
use crate::console::live::event;
use crate::console::snapshot::{Reading, Snapshot};

impl Console {
    /// Takes a snapshot at every interval, and tells the viewers. Runs for ever.
    ///
    /// The interval is the steady clock's, which stands still while a machine is suspended. A tick
    /// that was missed is not made up for: its counts are in the next snapshot, with its length.
    ///
    /// Whatever happens after this call is in a snapshot, even before the future is first polled.
    pub(crate) fn sample(self: Arc<Self>) -> impl Future<Output = ()> {
        let mut before = Reading::now(&self.app);
        async move {
            let mut ticks = interval(self.app.config.pace.console_interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let now = Reading::now(&self.app);
                self.publish(now.since(&before, &self.app));
                before = now;
            }
        }
    }

    fn publish(&self, snapshot: Snapshot) {
        // Under the lock: a viewer that copies the ring gets each later snapshot, and none twice.
        let mut ring = self.ring.lock();
        // Nobody reads it without a viewer, and it is most of a snapshot's cost.
        let newest = match self.newest.receiver_count() {
            0 => Bytes::new(),
            _ => event("snapshot", &snapshot),
        };
        ring.push(snapshot);
        self.newest.send_replace(newest);
    }
}
