//! A model of a host in virtual time: writers in a closed loop, on two cores and one lock. Its
//! durations are those of a create on `bellwire-host`, and it gives about the percentiles that were
//! measured there (`make bench`, `tails`). Everything is in microseconds.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::{Place, Turn, WriteLock};

const CORES: usize = 2;
/// Of a core: a create without its statement, an attempt that fails, the statement.
const ELSEWHERE: u64 = 330;
const ATTEMPT: u64 = 45;
const STATEMENT: u64 = 110;
/// A look at the line.
const LOOK: u64 = 15;
/// The commit waits for the disk without a core.
const DISK: u64 = 60;
const COMMITTED: u64 = 12;

/// Requests after which the host replaces an instance by one that has learned nothing.
const INSTANCE_REQUESTS: u32 = 128;
/// A program beside the host holds the lock for the first time, and leaves it free for the second.
const PROGRAM: (u64, u64) = (1_000_000, 100_000);
/// Statements give up.
const DEADLINE: u64 = 6_000_000;

const WARM_UP: u64 = 2_000_000;
const END: u64 = 22_000_000;

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    writers: usize,
    instances: usize,
    is_beside_program: bool,
}

/// What the statements have waited, ascending.
pub(super) struct Waits(Vec<u64>);

impl Waits {
    pub(super) fn percentile(&self, percent: usize) -> u64 {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    pub(super) fn worst(&self) -> u64 {
        self.percentile(100)
    }

    pub(super) fn per_second(&self) -> u64 {
        self.0.len() as u64 * 1_000_000 / (END - WARM_UP)
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, slow, worst] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "{}/s, p50 {median} µs, p99 {slow} µs, worst {worst} µs", self.per_second())
    }
}

/// A small random number generator with the same numbers on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }

    /// `mean`, more or less.
    fn about(&mut self, mean: u64) -> u64 {
        mean / 2 + self.below(mean)
    }
}

/// What a writer wants a core for.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Elsewhere,
    Attempt,
    Statement,
    Look,
    Committed,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    CoreIsDone,
    CoreIsWanted,
    Program,
}

struct Instance {
    /// The writers' places borrow it, also after its replacement.
    lock: &'static WriteLock,
    requests: Rc<Cell<u32>>,
}

impl Instance {
    fn new() -> Self {
        // A few hundred small ones in a test.
        Self { lock: Box::leak(Box::default()), requests: Rc::default() }
    }
}

struct Writer {
    work: Work,
    lock: &'static WriteLock,
    place: Option<Place<'static>>,
    since: u64,
}

struct Host<P> {
    pause: P,
    start: Instant,
    dice: Dice,
    events: BTreeSet<(u64, u64, Event, usize)>,
    scheduled: u64,
    waiting_for_core: VecDeque<usize>,
    idle_cores: usize,
    writers: Vec<Writer>,
    instances: Vec<Instance>,
    is_locked: bool,
    is_program_in: bool,
    waits: Vec<u64>,
}

impl Load {
    pub(super) const fn of(writers: usize) -> Self {
        Self { writers, instances: writers, is_beside_program: false }
    }

    pub(super) const fn over(self, instances: usize) -> Self {
        Self { instances, ..self }
    }

    pub(super) fn beside_a_program(self) -> Self {
        Self { is_beside_program: true, ..self }
    }

    pub(super) fn run(self) -> Waits {
        self.run_with(|place, now| place.turn(now))
    }

    /// With another rule for what a statement does next.
    pub(super) fn run_with(self, pause: impl Fn(&mut Place<'_>, Instant) -> Turn) -> Waits {
        let instances: Vec<Instance> = (0..self.instances).map(|_| Instance::new()).collect();
        let writer = |at: usize| Writer {
            work: Work::Elsewhere,
            lock: instances[at % self.instances].lock,
            place: None,
            since: 0,
        };
        let mut host = Host {
            pause,
            start: Instant::now(),
            dice: Dice(7),
            events: BTreeSet::new(),
            scheduled: 0,
            waiting_for_core: (0..self.writers).collect(),
            idle_cores: CORES,
            writers: (0..self.writers).map(writer).collect(),
            instances,
            is_locked: false,
            is_program_in: false,
            waits: Vec::new(),
        };
        if self.is_beside_program {
            host.schedule(PROGRAM.1, Event::Program, 0);
        }
        host.run();
        host.waits.sort_unstable();
        Waits(host.waits)
    }
}

impl<P: Fn(&mut Place<'_>, Instant) -> Turn> Host<P> {
    fn schedule(&mut self, at: u64, event: Event, writer: usize) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled, event, writer));
    }

    fn run(&mut self) {
        let mut now = 0;
        while now < END {
            while self.idle_cores > 0
                && let Some(writer) = self.waiting_for_core.pop_front()
            {
                self.idle_cores -= 1;
                let busy = self.begin(writer, now);
                self.schedule(now + busy, Event::CoreIsDone, writer);
            }
            let (at, _, event, writer) = self.events.pop_first().expect("the writers never rest");
            now = at;
            match event {
                Event::CoreIsWanted => self.waiting_for_core.push_back(writer),
                Event::Program => self.program(now),
                Event::CoreIsDone => {
                    self.idle_cores += 1;
                    self.end(writer, now);
                }
            }
        }
    }

    /// The time that the writer's work takes a core.
    fn begin(&mut self, at: usize, now: u64) -> u64 {
        let writer = &mut self.writers[at];
        match writer.work {
            Work::Elsewhere => self.dice.about(ELSEWHERE),
            Work::Look => LOOK,
            Work::Committed => COMMITTED,
            Work::Attempt | Work::Statement => {
                if writer.since == 0 {
                    writer.since = now;
                }
                if self.is_locked || self.is_program_in {
                    return self.dice.about(ATTEMPT);
                }
                writer.work = Work::Statement;
                self.is_locked = true;
                STATEMENT
            }
        }
    }

    fn end(&mut self, at: usize, now: u64) {
        match self.writers[at].work {
            Work::Elsewhere => self.next(at, Work::Attempt, now),
            Work::Statement => {
                let disk = self.dice.about(DISK);
                self.next(at, Work::Committed, now + disk);
            }
            Work::Committed => {
                self.is_locked = false;
                let time = self.instant(now);
                if let Some(place) = self.writers[at].place.take() {
                    place.served(time);
                }
                self.answer(at, now);
            }
            Work::Attempt | Work::Look => self.wait(at, now),
        }
    }

    fn wait(&mut self, at: usize, now: u64) {
        let time = self.instant(now);
        let writer = &mut self.writers[at];
        if now - writer.since > DEADLINE {
            writer.place = None;
            return self.answer(at, now);
        }
        let lock = writer.lock;
        let place = writer.place.get_or_insert_with(|| lock.join(time));
        let (work, pause) = match (self.pause)(place, time) {
            Turn::Ask(pause) => (Work::Attempt, pause),
            Turn::Hold(pause) => (Work::Look, pause),
        };
        let due = match u64::try_from(pause.as_micros()).unwrap() {
            0 => now,
            // The host's timer fires at whole milliseconds.
            pause => (now + pause).next_multiple_of(1000) + self.dice.below(100),
        };
        self.next(at, work, due);
    }

    /// The writer's client sends its next request, which the host gives to any instance.
    fn answer(&mut self, at: usize, now: u64) {
        if now > WARM_UP {
            self.waits.push(now - self.writers[at].since);
        }
        let chosen = self.dice.below(self.instances.len() as u64) as usize;
        let instance = &mut self.instances[chosen];
        if instance.requests.get() == INSTANCE_REQUESTS {
            *instance = Instance::new();
        }
        instance.requests.set(instance.requests.get() + 1);
        let lock = instance.lock;
        self.writers[at] = Writer { work: Work::Elsewhere, lock, place: None, since: 0 };
        self.next(at, Work::Elsewhere, now);
    }

    fn next(&mut self, at: usize, work: Work, due: u64) {
        self.writers[at].work = work;
        self.schedule(due, Event::CoreIsWanted, at);
    }

    /// Enters as soon as no statement has the lock, and leaves after its time.
    fn program(&mut self, now: u64) {
        let next = match (self.is_program_in, self.is_locked) {
            (false, true) => 50,
            (is_in, _) => {
                self.is_program_in = !is_in;
                if is_in { PROGRAM.1 } else { PROGRAM.0 }
            }
        };
        self.schedule(now + next, Event::Program, 0);
    }

    fn instant(&self, at: u64) -> Instant {
        self.start + Duration::from_micros(at)
    }
}
