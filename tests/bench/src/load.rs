//! The load: keep-alive HTTP/1.1 over plain TCP on one thread, as cheap as possible, since it
//! shares the machine with the measured programs. Every answer must have the expected status and
//! text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as StdInstant};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

use crate::answer::Answer;
use crate::stalls::Slow;

/// Connections, each with one request at a time: the number in the platform's own measurements.
/// [`Load::of`] uses another number.
pub const CONNECTIONS: usize = 32;
/// Longest wait for an answer; then the measurement fails instead of hanging.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Room for a page with its headers, so that reading one allocates nothing.
const BUFFER_BYTES: usize = 64 * 1024;

/// The requests, and the expected answers.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    /// Requests as bytes, per connection; each connection repeats its own in turns.
    pub requests: Arc<Vec<Vec<Vec<u8>>>>,
    pub status: u16,
    /// Text that every body must contain.
    pub text: &'static str,
    /// Items of one request; rates and CPU times are per item, latencies per request.
    pub items: usize,
    /// Whether each connection sends its requests once; otherwise it repeats them.
    pub is_once: bool,
    /// Whether an unexpected status or text is counted; otherwise it ends the measurement.
    pub counts_failures: bool,
}

impl Load {
    /// `make` returns the request for a connection `c` and its turn.
    pub fn new(
        address: SocketAddr,
        turns: usize,
        status: u16,
        make: impl Fn(usize, usize) -> Vec<u8>,
    ) -> Self {
        Self::of(CONNECTIONS, address, turns, status, make)
    }

    /// [`Load::new`] with another number of connections.
    pub fn of(
        connections: usize,
        address: SocketAddr,
        turns: usize,
        status: u16,
        make: impl Fn(usize, usize) -> Vec<u8>,
    ) -> Self {
        let of = |connection| (0..turns).map(|turn| make(connection, turn)).collect();
        let requests = Arc::new((0..connections).map(of).collect());
        Self {
            address,
            requests,
            status,
            text: "",
            items: 1,
            is_once: false,
            counts_failures: false,
        }
    }
}

/// The results of a load while it was measured.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of expected answers, in microseconds; ascending after [`Running::finish`].
    pub latencies: Vec<u32>,
    /// Unexpected answers by status, where the load counts them, including an expected status with
    /// another text.
    pub failures: BTreeMap<u16, u64>,
    /// The slowest of each connection, timed from [`Running::begun`]; the slowest first after
    /// [`Running::finish`].
    pub slowest: Vec<Slow>,
}

/// Requests of a connection that [`Seen::slowest`] keeps.
const SLOWEST_MAX: usize = 8;

impl Seen {
    fn note(&mut self, slow: Slow) {
        if self.slowest.len() < SLOWEST_MAX {
            self.slowest.push(slow);
        } else if let Some(least) = self.slowest.iter_mut().min_by_key(|kept| kept.took)
            && least.took < slow.took
        {
            *least = slow;
        }
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.slowest.extend(other.slowest);
        for (status, count) in other.failures {
            *self.failures.entry(status).or_default() += count;
        }
    }
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPING: u8 = 2;

/// A load that is running on a thread of its own.
pub struct Running {
    phase: Arc<AtomicU8>,
    thread: JoinHandle<Result<Seen>>,
    /// Id of the thread, for its CPU time.
    pub tid: u32,
    pub begun: StdInstant,
}

impl Running {
    /// Counts answers from now on.
    pub fn measure(&self) {
        self.phase.store(MEASURING, Ordering::Relaxed);
    }

    /// Stops counting answers.
    pub fn stop(&self) {
        self.phase.store(STOPPING, Ordering::Relaxed);
    }

    /// Blocks until the last answer has arrived.
    pub fn finish(self) -> Result<Seen> {
        let joined = self.thread.join().map_err(|_| anyhow!("the load's thread panicked"))?;
        let mut seen = joined?;
        seen.latencies.sort_unstable();
        seen.slowest.sort_unstable_by_key(|slow| std::cmp::Reverse(slow.took));
        Ok(seen)
    }
}

/// Starts a load that runs until it is stopped or, with `count`, until it has that many answers. It
/// is warming up until [`Running::measure`].
pub fn start(load: Load, count: Option<u64>) -> Result<Running> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let started = StdInstant::now();
    let shared_phase = Arc::clone(&phase);
    let (tid_sender, tid) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        tid_sender.send(tid).context("the load was dropped")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, run(load, shared_phase, count, started))
    })?;
    Ok(Running { phase, thread, tid: tid.recv()?, begun: started })
}

async fn run(
    load: Load,
    phase: Arc<AtomicU8>,
    count: Option<u64>,
    started: StdInstant,
) -> Result<Seen> {
    let load = Rc::new(load);
    // Without a number: more than the load can ever send.
    let left = Rc::new(AtomicU64::new(count.unwrap_or(u64::MAX)));
    let connections: Vec<_> = (0..load.requests.len())
        .map(|at| connection(Rc::clone(&load), at, Arc::clone(&phase), Rc::clone(&left), started))
        .map(tokio::task::spawn_local)
        .collect();
    let mut seen = Seen::default();
    for connection in connections {
        seen.add(connection.await??);
    }
    Ok(seen)
}

async fn connection(
    load: Rc<Load>,
    at: usize,
    phase: Arc<AtomicU8>,
    left: Rc<AtomicU64>,
    started: StdInstant,
) -> Result<Seen> {
    let mut stream = TcpStream::connect(load.address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut seen = Seen { latencies: Vec::with_capacity(1 << 14), ..Seen::default() };
    let requests = load.requests.get(at).context("no requests for this connection")?;
    let sent_max = if load.is_once { requests.len() } else { usize::MAX };
    for request in requests.iter().cycle().take(sent_max) {
        if phase.load(Ordering::Relaxed) == STOPPING || left.load(Ordering::Relaxed) == 0 {
            break;
        }
        left.fetch_sub(1, Ordering::Relaxed);
        let begun = Instant::now();
        stream.write_all(request).await?;
        // Sets the timer only if the answer is not there at once.
        let answer = timeout(ANSWER_LIMIT, read(&mut stream, &mut buffer)).await;
        let answer = answer.context("no answer in time")??;
        let is_expected = answer.status == load.status && answer.body_has(&buffer, load.text);
        if !is_expected && !load.counts_failures {
            bail!("unexpected answer: {}", String::from_utf8_lossy(&buffer));
        }
        if phase.load(Ordering::Relaxed) != MEASURING {
            continue;
        }
        if is_expected {
            let took = begun.elapsed();
            seen.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            seen.note(Slow { at: begun.into_std().duration_since(started), took });
        } else {
            *seen.failures.entry(answer.status).or_default() += 1;
        }
    }
    Ok(seen)
}

/// Reads one answer into `buffer`, from its start.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Answer> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection: {}", String::from_utf8_lossy(buffer));
        }
        if let Some(answer) = Answer::parse(buffer)?
            && buffer.len() >= answer.bytes()
        {
            return Ok(answer);
        }
    }
}
