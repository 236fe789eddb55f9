//! What the contract says, without saying how: which value may be served, who may fetch, which
//! write must be dropped.

use super::store::{Read, Store};
use super::{COOL, ERROR, End, FRESH, KEEP, LEASE, Op, STALE};

/// A script that begins in time may see a key that is gone by the time it looks at the clock.
const GRACE: i64 = 30;

type Checked = Result<(), String>;

/// Operations are counted; 0 is "never".
#[derive(Default)]
pub struct Model {
    clock: usize,
    values: usize,
    /// What lies under the key, as far as nothing expired by itself.
    value: Option<Held>,
    leases: Vec<Lease>,
    /// When these happened last.
    key_soft: usize,
    tag_soft: usize,
    tag_hard: usize,
    tag_lost: usize,
    /// Since when the companion has been there without a break; 0 while there is none.
    companion: usize,
    /// Another service wrote or deleted the value.
    foreign: usize,
    /// It replaced the value and kept its expiry.
    replaced: usize,
    /// The source failed: until when it is left alone.
    cool_until: i64,
}

struct Held {
    body: String,
    is_foreign: bool,
    /// When the fetch began whose value this is; when another service wrote it.
    since: usize,
    /// When it was written.
    written: usize,
    /// When its freshness ends, for a value of ours.
    fresh_until: Option<i64>,
    expiry: i64,
}

#[derive(Clone)]
struct Lease {
    token: String,
    taken: usize,
    taken_ms: i64,
    expiry: i64,
    is_over: bool,
}

fn check(is_right: bool, problem: impl FnOnce() -> String) -> Checked {
    if is_right { Ok(()) } else { Err(problem()) }
}

impl Model {
    pub fn step(&mut self, store: &mut Store, op: &Op) -> Checked {
        self.clock += 1;
        match op {
            Op::Read => self.read(store)?,
            Op::Finish(nth, end) => self.finish(store, *nth, *end)?,
            Op::Invalidate { hard } => {
                store.invalidate(*hard, &format!("i{}", self.clock));
                self.end_leases();
                self.cool_until = 0;
                self.key_soft = self.clock;
                // A soft one may remove, too, what its tag has seen.
                if *hard || store.value().is_none() {
                    self.value = None;
                    check(store.value().is_none(), || "it is still there".to_owned())?;
                } else if self.companion == 0 {
                    self.companion = self.clock;
                }
            }
            Op::InvalidateTag { hard } => {
                store.invalidate_tag(*hard, &format!("v{}", self.clock));
                if *hard { self.tag_hard = self.clock } else { self.tag_soft = self.clock }
            }
            Op::ForeignSet(ttl_ms) => {
                let body = self.fresh_body();
                store.foreign_set(&body, *ttl_ms);
                let (since, written, expiry) = (self.clock, self.clock, store.expiry());
                let (is_foreign, fresh_until) = (true, None);
                self.value = Some(Held { body, is_foreign, since, written, fresh_until, expiry });
                self.foreign = self.clock;
                self.forget_decisions();
            }
            Op::ForeignReplace => {
                let body = self.fresh_body();
                if let (true, Some(held)) = (store.foreign_replace(&body), &mut self.value) {
                    held.body = body;
                    self.replaced = self.clock;
                }
            }
            Op::ForeignDelete => {
                // Of nothing it leaves no trace.
                if store.value().is_some() {
                    self.foreign = self.clock;
                    self.forget_decisions();
                }
                store.remove(0);
                self.value = None;
            }
            Op::LoseCompanion(loss) => {
                store.lose(1, *loss);
                self.forget_decisions();
            }
            Op::LoseTag(loss) => {
                store.lose(3, *loss);
                self.tag_lost = self.clock;
            }
            Op::LoseLease(loss) => {
                store.lose(2, *loss);
                self.end_leases();
            }
            Op::Wait(ms) => std::thread::sleep(std::time::Duration::from_millis(*ms)),
        }
        self.nothing_is_eternal(store)
    }

    fn fresh_body(&mut self) -> String {
        self.values += 1;
        format!("{{\"n\":{}}}", self.values)
    }

    /// What the companion says is of another value, or there is none.
    fn forget_decisions(&mut self) {
        self.companion = 0;
        self.cool_until = 0;
    }

    /// Whether nobody can know that the tag was invalidated then.
    fn is_forgotten(&self, tag_at: usize) -> bool {
        self.tag_lost > tag_at && !self.has_companion_since(tag_at)
    }

    fn has_companion_since(&self, at: usize) -> bool {
        self.companion != 0 && self.companion <= at
    }

    fn end_leases(&mut self) {
        for lease in &mut self.leases {
            lease.is_over = true;
        }
    }

    fn read(&mut self, store: &mut Store) -> Checked {
        let token = format!("t{}", self.clock);
        let read = store.read(&token);
        let expiry = store.expiry();
        check(expiry != -1, || format!("{read:?} left it without an expiry"))?;
        if let Some(held) = &mut self.value {
            if held.is_foreign && held.expiry == -1 {
                held.expiry = expiry;
            }
            let over = if held.expiry < 0 { 0 } else { read.now - held.expiry };
            let is_seen = read.body.as_ref() == Some(&held.body) && over <= GRACE;
            if over > 0 && !is_seen {
                self.value = None;
                self.forget_decisions();
            }
        }
        if let Some(body) = &read.body {
            self.is_servable(&read, body)?;
            if self.companion == 0 {
                self.companion = self.clock;
            }
        }
        self.is_as_fresh_as_written(&read)?;
        self.is_the_right_reader(&read)?;
        if read.decision.ends_with("lead") {
            let (taken, taken_ms) = (self.clock, read.now);
            self.leases.push(Lease { token, taken, taken_ms, expiry, is_over: false });
        }
        Ok(())
    }

    /// What is served is what lies there, and nothing invalidated it.
    fn is_servable(&self, read: &Read, body: &str) -> Checked {
        let Some(held) = &self.value else { return Err(format!("{read:?} of nothing")) };
        check(held.body == body, || format!("{read:?} instead of {}", held.body))?;
        let is_hard = self.tag_hard > held.since && !self.is_forgotten(self.tag_hard);
        check(!is_hard, || format!("{read:?} was invalidated hard"))?;
        let is_fresh = matches!(read.decision.as_str(), "fresh" | "early-lead");
        let key_soft = self.key_soft > held.since && self.has_companion_since(self.key_soft);
        let tag_soft = self.tag_soft > held.since && !self.is_forgotten(self.tag_soft);
        check(!(is_fresh && (key_soft || tag_soft)), || format!("{read:?} was invalidated"))
    }

    /// A value of ours that nothing has touched follows its cache windows exactly.
    fn is_as_fresh_as_written(&self, read: &Read) -> Checked {
        let Some(held) = &self.value else { return Ok(()) };
        let Some(fresh_until) = held.fresh_until else { return Ok(()) };
        let touched = [self.key_soft, self.tag_soft, self.tag_hard, self.tag_lost];
        if touched.iter().any(|at| *at > held.since) || !self.has_companion_since(held.written) {
            return Ok(());
        }
        let over = read.now - fresh_until;
        let allowed: &[&str] = match over {
            ..0 => &["fresh", "early-lead"],
            0..STALE => &["stale-lead", "stale-follow"],
            STALE..ERROR => &["error-lead", "error-wait", "stale-follow"],
            _ => &["miss-lead", "miss-wait", "cooldown"],
        };
        check(allowed.contains(&read.decision.as_str()), || format!("{read:?}, {over} ms over"))
    }

    /// One fetch at a time, none during a cool-down, and nobody waits for nobody.
    fn is_the_right_reader(&self, read: &Read) -> Checked {
        // A cache lease is over in the millisecond that it names, in which Redis still keeps its key.
        let holds = |until: i64| {
            self.leases.iter().any(|lease| !lease.is_over && read.now < lease.taken_ms + until)
        };
        let waits = matches!(read.decision.as_str(), "miss-wait" | "error-wait");
        if read.decision.ends_with("lead") {
            check(!holds(LEASE), || format!("{read:?}, but somebody fetches"))?;
            check(read.now >= self.cool_until, || format!("{read:?} during the cool-down"))?;
        }
        check(!waits || holds(LEASE + GRACE), || format!("{read:?}, but nobody fetches"))?;
        const KNOWN: &str = "fresh early-lead stale-lead stale-follow error-lead error-wait miss-lead \
                             miss-wait absent cooldown bypass";
        check(KNOWN.split(' ').any(|word| word == read.decision), || format!("{read:?}"))
    }

    fn finish(&mut self, store: &mut Store, nth: usize, end: End) -> Checked {
        let Some(at) = self.leases.len().checked_sub(nth + 1) else { return Ok(()) };
        let lease = self.leases[at].clone();
        let before = store.value();
        let body = self.fresh_body();
        let (status, now) = store.finish(&lease.token, end, &body);
        let after = store.value();
        let over = now - lease.taken_ms - LEASE;
        let is_held = !lease.is_over && over <= GRACE;
        let tags = [self.tag_soft, self.tag_hard, self.tag_lost];
        let is_foreign = self.foreign > lease.taken;
        // One that came and went leaves no trace where there was nothing, or nothing any more.
        let is_traced = before.is_some() || lease.expiry > now;
        let is_replaced = self.replaced > lease.taken && before.is_some();
        let must_drop = !is_held
            || tags.iter().any(|at| *at > lease.taken)
            || (is_foreign && is_traced)
            || is_replaced;
        if status != "stored" {
            check(after == before || after.is_none(), || format!("{status} changed the value"))?;
        }
        let what = || format!("{status} at {now}, taken at {}", lease.taken_ms);
        let may_drop = is_foreign || self.replaced > lease.taken || over > 0;
        if must_drop || (may_drop && status != "stored") {
            self.leases[at].is_over |= status != "lost";
            return check(status != "stored", what);
        }
        self.leases[at].is_over = true;
        let has_value = before.is_some() || lease.expiry > now;
        match (end, status.as_str()) {
            (End::Same, "gone") => return Ok(()),
            // A key-soft invalidation ends cache leases, so nothing else stands in the way.
            (_, "stored") => {}
            _ => return Err(what()),
        }
        match end {
            End::Value => {
                check(after.as_deref() == Some(&body), || "not written".to_owned())?;
                let (since, written, expiry) = (lease.taken, self.clock, now + KEEP);
                let (is_foreign, fresh_until) = (false, Some(now + FRESH));
                self.value = Some(Held { body, is_foreign, since, written, fresh_until, expiry });
                (self.companion, self.cool_until) = (self.clock, 0);
            }
            End::Same => {
                check(has_value, what)?;
                if let Some(held) = &mut self.value {
                    (held.since, held.written) = (lease.taken, self.clock);
                    held.fresh_until = Some(now + FRESH);
                    held.expiry = now + KEEP;
                    held.is_foreign = false;
                }
                (self.companion, self.cool_until) = (self.clock, 0);
            }
            End::Absent | End::Pass => {
                check(after.is_none(), || "still there".to_owned())?;
                self.value = None;
                self.forget_decisions();
            }
            End::Error => {
                self.cool_until = now + COOL;
            }
        }
        Ok(())
    }

    fn nothing_is_eternal(&self, store: &mut Store) -> Checked {
        let eternal = store.eternal();
        // What another service wrote without an expiry gets one when it is first seen.
        let unseen = matches!(&self.value, Some(held) if held.is_foreign && held.expiry == -1);
        check(eternal.is_empty() || unseen, || format!("without an expiry: {eternal:?}"))
    }
}
