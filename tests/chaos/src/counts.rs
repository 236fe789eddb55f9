//! Counts of everything that happened, printed at the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Defects of each kind that are printed in full; the rest is only counted.
const SHOWN_MAX: u64 = 10;

#[derive(Default)]
pub struct Counts {
    pub delivered: AtomicU64,
    pub foreign: AtomicU64,
    pub opened: AtomicU64,
    pub refused: AtomicU64,
    pub resumed: AtomicU64,
    pub doubles: AtomicU64,
    pub lost: AtomicU64,
    pub unexpected_gaps: AtomicU64,
    pub other_defects: AtomicU64,
    gaps: Mutex<BTreeMap<String, u64>>,
    closes: Mutex<BTreeMap<u16, u64>>,
    /// For each fault: its number, the longest time until all deliveries, and until correct
    /// presence.
    faults: Mutex<BTreeMap<&'static str, (u64, Duration, Duration)>>,
}

pub fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counts {
    /// A violation of the contract.
    pub fn defect(&self, counter: &AtomicU64, text: &str) {
        if counter.fetch_add(1, Ordering::Relaxed) < SHOWN_MAX {
            eprintln!("DEFECT  {text}");
        }
    }

    pub fn gap(&self, why: String) {
        *self.gaps.lock().entry(why).or_default() += 1;
    }

    pub fn closed(&self, code: Option<u16>) {
        *self.closes.lock().entry(code.unwrap_or(0)).or_default() += 1;
    }

    pub fn recovered(&self, fault: &'static str, delivery: Duration, presence: Duration) {
        let mut faults = self.faults.lock();
        let known = faults.entry(fault).or_default();
        known.0 += 1;
        known.1 = known.1.max(delivery);
        known.2 = known.2.max(presence);
    }

    pub fn is_clean(&self) -> bool {
        [&self.doubles, &self.lost, &self.unexpected_gaps, &self.other_defects]
            .into_iter()
            .all(|counter| get(counter) == 0)
    }

    pub fn text(&self, created: usize) -> String {
        let mut text = format!(
            "created {created}, delivered {} of ours and {} foreign\n\
             connections {}, of them resuming {}, refused or failed {}\n",
            get(&self.delivered),
            get(&self.foreign),
            get(&self.opened),
            get(&self.resumed),
            get(&self.refused),
        );
        for (code, count) in &*self.closes.lock() {
            let code = if *code == 0 { "no code".to_owned() } else { code.to_string() };
            text.push_str(&format!("  closed with {code}: {count}\n"));
        }
        for (why, count) in &*self.gaps.lock() {
            text.push_str(&format!("  gap, {why}: {count}\n"));
        }
        text.push_str("fault                          times  all delivered presence right\n");
        for (fault, (times, delivery, presence)) in &*self.faults.lock() {
            let (delivery, presence) = (delivery.as_secs_f64(), presence.as_secs_f64());
            text.push_str(&format!("{fault:<30} {times:>5} {delivery:>13.1}s {presence:>13.1}s\n"));
        }
        text.push_str(&format!(
            "doubles {}, lost {}, unexpected gaps {}, other defects {}\n",
            get(&self.doubles),
            get(&self.lost),
            get(&self.unexpected_gaps),
            get(&self.other_defects),
        ));
        text
    }
}
