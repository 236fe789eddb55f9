//! The publishing service: messages over one connection, at a fixed rate or as fast as the gateway
//! delivers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use support::cpu;

use crate::crowd::Seen;
use crate::payload::Mark;
use crate::wire::{Answers, Wire};

/// Messages published but not delivered, at full speed. Some hundred KiB: enough that the gateway
/// never waits for work, and far below the limits at which Redis closes a slow subscriber (8 MiB
/// for 1 min, 32 MiB at once).
const WINDOW: u64 = 2_000;
/// Longest pipeline.
const BATCH_MAX: u64 = 128;
/// Shortest pipeline at full speed: a smaller one is not worth a round trip.
const BATCH_MIN: u64 = 32;
/// Pause until fewer messages are under way, at full speed.
const PAUSE: Duration = Duration::from_micros(100);
/// After this time without a delivery the rest counts as lost.
const STALL: Duration = Duration::from_secs(5);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// Prime, so that turns reach every user, and consecutive messages go to distant users.
const STRIDE: usize = 7_919;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Messages per second.
    Steady(u32),
    /// As fast as they are delivered.
    Full,
}

/// A connection, and every user's last number.
pub struct Publisher {
    wire: Wire,
    connection: TcpStream,
    answers: Answers,
    users: Arc<Vec<String>>,
    /// The users of one crowd, which stand together in `users`.
    crowd: usize,
    epoch: String,
    /// Per user.
    counts: Vec<u32>,
    sent: u64,
    turn: usize,
    begun: Instant,
    batch: Vec<u8>,
    message: Vec<u8>,
}

/// The results of a burst.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    pub sent: u64,
    /// Messages delivered when the last one was sent, and the time until then.
    pub delivered: u64,
    pub took: Duration,
    /// CPU time of publishing.
    pub cpu: Duration,
}

impl Publisher {
    pub fn connect(
        wire: Wire,
        users: Arc<Vec<String>>,
        epoch: &str,
        begun: Instant,
    ) -> Result<Self> {
        let connection = TcpStream::connect(wire.address())?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(ANSWER_DEADLINE))?;
        connection.set_write_timeout(Some(ANSWER_DEADLINE))?;
        Ok(Self {
            wire,
            connection,
            answers: Answers::default(),
            counts: vec![0; users.len()],
            crowd: users.len(),
            users,
            epoch: epoch.to_owned(),
            sent: 0,
            turn: 0,
            begun,
            batch: Vec::new(),
            message: Vec::new(),
        })
    }

    /// The users are in crowds of this many: a message carries the user's place in its crowd.
    pub fn in_crowds_of(self, crowd: usize) -> Self {
        Self { crowd, ..self }
    }

    /// Number of messages of every user.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Publishes for a while. Blocks; `seen` counts the deliveries.
    pub fn run(&mut self, pace: Pace, duration: Duration, seen: &Seen) -> Result<Burst> {
        let tid = u32::try_from(rustix::thread::gettid().as_raw_pid()).unwrap_or(0);
        let cpu_before = cpu::of_thread(tid);
        let (sent_before, delivered_before) = (self.sent, delivered(seen));
        let begun = Instant::now();
        let mut progress = (delivered_before, begun);
        while begun.elapsed() < duration {
            let now = delivered(seen);
            if now > progress.0 {
                progress = (now, Instant::now());
            }
            let pause = match pace {
                // One by one, as from many independent services: batches would save the gateway
                // most of its wake-ups.
                Pace::Steady(per_s) => {
                    let due = begun.elapsed().as_secs_f64() * f64::from(per_s);
                    let behind = (due as u64).saturating_sub(self.sent - sent_before);
                    self.send(behind.min(BATCH_MAX))?;
                    let count = self.sent - sent_before + 1;
                    let next = Duration::from_secs_f64(count as f64 / f64::from(per_s));
                    next.saturating_sub(begun.elapsed())
                }
                Pace::Full => {
                    let room = WINDOW.saturating_sub(self.sent.saturating_sub(now));
                    if room >= BATCH_MIN {
                        self.send(room.min(BATCH_MAX))?;
                        Duration::ZERO
                    } else if progress.1.elapsed() > STALL {
                        break;
                    } else {
                        PAUSE
                    }
                }
            };
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        let took = begun.elapsed();
        Ok(Burst {
            sent: self.sent - sent_before,
            delivered: delivered(seen) - delivered_before,
            took,
            cpu: cpu::of_thread(tid).saturating_sub(cpu_before),
        })
    }

    /// Publishes to the next `count` users, and reads the answers.
    fn send(&mut self, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.batch.clear();
        for _ in 0..count {
            let to = self.turn;
            self.turn = (self.turn + STRIDE) % self.users.len();
            self.counts[to] += 1;
            let at_us = u64::try_from(self.begun.elapsed().as_micros())?;
            let mark = Mark { at_us, to: u32::try_from(to % self.crowd)?, nth: self.counts[to] };
            let user = &self.users[to];
            self.wire.request(&mut self.batch, &mut self.message, user, &self.epoch, mark)?;
        }
        self.connection.write_all(&self.batch).context("publishing")?;
        self.sent += count;
        let (mut answers, expected) = (0, count * self.wire.answers_per_message());
        let mut buffer = [0; 4096];
        while answers < expected {
            let bytes = self.connection.read(&mut buffer).context("an answer")?;
            ensure!(bytes > 0, "the publisher's connection was closed");
            answers += self.wire.count(&mut self.answers, &buffer[..bytes])?;
        }
        Ok(())
    }
}

fn delivered(seen: &Seen) -> u64 {
    seen.delivered.load(Ordering::Relaxed)
}
