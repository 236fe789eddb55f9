//! A model of writers on one lock, in virtual time: it shows the effect of the pauses on the
//! slowest writers. The model has one core per writer. With fewer cores, writers without a pause
//! ask less often, and the slowest are served sooner (`make bench`, `tails`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// Durations in microseconds: a statement that writes, a rejected attempt, the time between two
/// statements, the whole run.
const WRITE: u64 = 360;
const QUESTION: u64 = 120;
const ELSEWHERE: u64 = 3_000;
const END: u64 = 20_000_000;

/// Statements after which an instance is replaced by one that has learned nothing.
const INSTANCE: u32 = 128;

struct Writer {
    lock: WriteLock,
    wait: Wait,
    since: u64,
    statements: u32,
}

/// A small random number generator with the same numbers on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

/// The waits of all statements in microseconds, ascending. `pause` returns the pause of a writer.
fn waits(writers: usize, pause: impl Fn(&mut Writer, u64) -> u64) -> Vec<u64> {
    let mut dice = Dice(7);
    let new =
        |since| Writer { lock: WriteLock::default(), wait: Wait::default(), since, statements: 0 };
    let mut all: Vec<Writer> = (0..writers).map(|at| new(at as u64 * 97)).collect();
    let mut asking: BinaryHeap<_> =
        all.iter().enumerate().map(|(at, writer)| Reverse((writer.since, at))).collect();
    let (mut free_at, mut waits) = (0, Vec::new());
    while let Some(Reverse((now, at))) = asking.pop() {
        if now > END {
            break;
        }
        let writer = &mut all[at];
        let age = now - writer.since;
        if now < free_at {
            let pause = pause(writer, age);
            // The host's timer fires at whole milliseconds.
            let next = match pause {
                0 => now + QUESTION,
                pause => (now + QUESTION + pause).next_multiple_of(1000) + dice.below(100),
            };
            asking.push(Reverse((next, at)));
            continue;
        }
        free_at = now + WRITE / 2 + dice.below(WRITE);
        waits.push(free_at - writer.since);
        if age > 0 {
            writer.lock.got_it(Duration::from_micros(age));
        }
        let next = free_at + ELSEWHERE / 2 + dice.below(ELSEWHERE);
        writer.statements += 1;
        (writer.since, writer.wait) = (next, Wait::default());
        if writer.statements == INSTANCE {
            *writer = new(next);
        }
        asking.push(Reverse((next, at)));
    }
    waits.sort_unstable();
    waits
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn by_age(writer: &mut Writer, age: u64) -> u64 {
    let pause = writer.lock.pause(&mut writer.wait, Duration::from_micros(age));
    u64::try_from(pause.as_micros()).unwrap()
}

#[test]
fn the_slowest_hundredth_waits_at_most_six_times_the_median() {
    for writers in [32, 128] {
        let waits = waits(writers, by_age);
        let (median, slow) = (percentile(&waits, 50), percentile(&waits, 99));
        assert!(slow <= 6 * median, "{writers}: {median} µs, {slow} µs");
        // And the lock is rarely idle.
        let busy = waits.len() as u64 * WRITE * 100 / END;
        assert!(busy >= 70, "{writers}: busy for {busy} %");
    }
}

#[test]
fn few_writers_hardly_wait() {
    let waits = waits(8, by_age);
    assert!(percentile(&waits, 99) < 10_000, "{} µs", percentile(&waits, 99));
}

/// The model distinguishes fair from unfair pauses.
#[test]
fn equal_pauses_are_unfair() {
    for writers in [32, 128] {
        let waits = waits(writers, |_, _| 2_000);
        assert!(percentile(&waits, 99) > 8 * percentile(&waits, 50), "{writers}");
    }
}

#[test]
fn pauses_shrink_with_age_and_a_lock_that_is_held_for_seconds_costs_little() {
    let lock = WriteLock::default();
    lock.got_it(Duration::from_secs(60));
    assert!(lock.usual.get() <= USUAL_MAX);
    let (mut wait, mut age, mut questions) = (Wait::default(), Duration::ZERO, 0);
    let mut last = Duration::MAX;
    while age < Duration::from_secs(5) {
        let pause = lock.pause(&mut wait, age);
        if wait.hasty <= 1 {
            assert!(pause <= last, "{age:?}: {pause:?} after {last:?}");
            last = pause;
        }
        age += pause + Duration::from_micros(QUESTION);
        questions += 1;
    }
    assert!(questions < 1_500, "{questions}");
}
