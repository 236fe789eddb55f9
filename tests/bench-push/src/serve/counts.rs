//! What the service got since it was last asked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value, json};

/// Numbers of addresses above this are not told apart.
const NUMBERS_MAX: usize = 2_000_000;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Fcm,
    WebPush,
    OAuth,
    Refused,
}

#[derive(Default)]
pub struct Counts {
    /// By [`Kind`].
    requests: [AtomicU64; 4],
    body_bytes: AtomicU64,
    /// Connections: since the last time, now, and the most at once.
    connections: AtomicU64,
    open: AtomicU64,
    open_most: AtomicU64,
    /// Pushes by the address's number.
    by_address: Mutex<Vec<u8>>,
}

/// An open connection.
pub struct Open<'a>(&'a Counts);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Counts {
    pub fn opened(&self) -> Open<'_> {
        self.connections.fetch_add(1, Relaxed);
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.open_most.fetch_max(open, Relaxed);
        Open(self)
    }

    pub fn count(&self, kind: Kind, number: Option<usize>, bytes: usize) {
        self.requests[kind as usize].fetch_add(1, Relaxed);
        self.body_bytes.fetch_add(bytes as u64, Relaxed);
        let Some(number) = number.filter(|number| *number < NUMBERS_MAX) else { return };
        let Ok(mut by_address) = self.by_address.lock() else { return };
        if by_address.len() <= number {
            by_address.resize(number + 1, 0);
        }
        by_address[number] = by_address[number].saturating_add(1);
    }

    /// The counts, which begin anew. Connections that stay open count for the most at once only.
    pub fn take(&self) -> Value {
        let take = |counter: &AtomicU64| counter.swap(0, Relaxed);
        let open = self.open.load(Relaxed);
        let by_address = self.by_address.lock().map(|mut seen| std::mem::take(&mut *seen));
        let by_address = by_address.unwrap_or_default();
        let of = |is: fn(u8) -> bool| by_address.iter().filter(|&&count| is(count)).count();
        json!({
            "fcm": take(&self.requests[Kind::Fcm as usize]),
            "webPush": take(&self.requests[Kind::WebPush as usize]),
            "oauth": take(&self.requests[Kind::OAuth as usize]),
            "refused": take(&self.requests[Kind::Refused as usize]),
            "bodyBytes": take(&self.body_bytes),
            "connections": take(&self.connections),
            "openMost": self.open_most.swap(open, Relaxed),
            "addresses": of(|count| count > 0),
            "addressesRepeated": of(|count| count > 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_since_the_last_time() {
        let counts = Counts::default();
        let (first, second) = (counts.opened(), counts.opened());
        drop(second);
        for number in [Some(3), Some(3), Some(1), None, Some(NUMBERS_MAX)] {
            counts.count(Kind::Fcm, number, 10);
        }
        let taken = counts.take();
        assert_eq!((&taken["fcm"], &taken["bodyBytes"]), (&json!(5), &json!(50)));
        assert_eq!((&taken["connections"], &taken["openMost"]), (&json!(2), &json!(2)));
        assert_eq!((&taken["addresses"], &taken["addressesRepeated"]), (&json!(2), &json!(1)));
        let taken = counts.take();
        assert_eq!((&taken["fcm"], &taken["openMost"]), (&json!(0), &json!(1)));
        drop(first);
    }
}
