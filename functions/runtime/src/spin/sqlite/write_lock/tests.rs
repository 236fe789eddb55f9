mod model;

use super::*;
use model::Load;

/// The number of instances is the host's choice: it gives new requests to those that wait.
const LOADS: [Load; 4] =
    [Load::of(32).over(12), Load::of(32).over(32), Load::of(128).over(8), Load::of(128).over(32)];

#[test]
fn the_slowest_hundredth_waits_at_most_four_times_the_median() {
    for load in LOADS {
        let waits = load.run();
        let (median, slow) = (waits.percentile(50), waits.percentile(99));
        assert!(slow <= 4 * median, "{load:?}: {waits}");
        assert!(waits.worst() <= 500_000, "{load:?}: {waits}");
        // And the lock is rarely idle.
        assert!(waits.per_second() >= 2_200, "{load:?}: {waits}");
    }
}

#[test]
fn few_writers_hardly_wait() {
    let waits = Load::of(8).over(8).run();
    assert!(waits.percentile(99) < 20_000, "{waits}");
}

/// The model distinguishes fair from unfair pauses.
#[test]
fn equal_pauses_are_unfair() {
    for load in LOADS {
        let waits = load.run_with(|_, _| Turn::Ask(Duration::from_millis(2)));
        assert!(waits.percentile(99) > 8 * waits.percentile(50), "{load:?}: {waits}");
    }
}

/// Attempts without a pause by everyone whose turn is past leave no core to the writer.
#[test]
fn three_hundred_writers_are_all_served() {
    let waits = Load::of(300).over(32).run();
    assert!(waits.worst() < 4_000_000 && waits.per_second() > 500, "{waits}");
}

#[test]
fn a_program_that_holds_the_lock_most_of_the_time_keeps_nobody_out() {
    for instances in [8, 32] {
        let load = Load::of(128).over(instances).beside_a_program();
        let waits = load.run();
        // The lock is free for a tenth of a second in each 1.1 s.
        assert!(waits.percentile(99) < 2_500_000, "{load:?}: {waits}");
        assert!(waits.worst() < 4_500_000, "{load:?}: {waits}");
    }
}

/// The times of a test: milliseconds after its start.
fn clock() -> impl Fn(u64) -> Instant {
    let start = Instant::now();
    move |ms| start + Duration::from_millis(ms)
}

#[test]
fn only_the_first_in_line_asks_without_a_pause() {
    let (lock, at) = (WriteLock::default(), clock());
    let (mut first, mut second) = (lock.join(at(0)), lock.join(at(1)));
    assert_eq!(first.turn(at(30)), Turn::Ask(Duration::ZERO));
    assert!(matches!(second.turn(at(30)), Turn::Ask(pause) if pause >= PAUSE_MIN));
    first.served(at(30));
    assert_eq!(second.turn(at(40)), Turn::Ask(Duration::ZERO));
}

#[test]
fn behind_a_first_in_line_that_is_overdue_the_others_do_not_ask() {
    let (lock, at) = (WriteLock::default(), clock());
    let (mut first, mut second) = (lock.join(at(0)), lock.join(at(100)));
    let mut third = lock.join(at(150));
    let overdue = 1 + OVERDUE.as_millis() as u64;
    assert_eq!(second.turn(at(overdue)), Turn::Hold(HOLD));
    assert_eq!(third.turn(at(overdue)), Turn::Hold(HOLD));
    assert_eq!(first.turn(at(overdue)), Turn::Ask(Duration::ZERO));
    // Its deadline ends the first one: it leaves the line as one that is served.
    drop(first);
    assert!(matches!(third.turn(at(overdue)), Turn::Ask(_)));
    assert_eq!(third.turn(at(100 + overdue)), Turn::Hold(HOLD));
    drop((second, third));
    assert!(lock.line.borrow().is_empty());
}

#[test]
fn the_first_wait_of_an_instance_is_its_estimate_and_later_ones_move_it() {
    let (lock, at) = (WriteLock::default(), clock());
    assert_eq!(lock.usual(), USUAL_FIRST);
    lock.join(at(0)).served(at(80));
    assert_eq!(lock.usual(), Duration::from_millis(80));
    lock.join(at(100)).served(at(120));
    assert_eq!(lock.usual(), Duration::from_millis(65));
    lock.join(at(0)).served(at(60_000));
    lock.join(at(0)).served(at(60_000));
    assert_eq!(lock.usual(), USUAL_MAX);
}

#[test]
fn pauses_shrink_with_age_and_a_lock_that_is_held_for_seconds_costs_little() {
    let (lock, start) = (WriteLock::default(), Instant::now());
    lock.join(start).served(start + Duration::from_millis(160));
    let mut place = lock.join(start);
    let (mut age, mut attempts, mut last) = (Duration::ZERO, 0, Duration::MAX);
    while age < Duration::from_secs(5) {
        let Turn::Ask(pause) = place.turn(start + age) else { panic!("it is the first in line") };
        if place.hasty <= 1 {
            assert!(pause <= last, "{age:?}: {pause:?} after {last:?}");
            last = pause;
        }
        age += pause + Duration::from_micros(100);
        attempts += 1;
    }
    assert!(attempts < 2_600, "{attempts}");
}
