//! Runs the queue scripts with their common keys and arguments.

use runtime::App;
use runtime::io::clock;
use runtime::redis::{Arg, Redis, Reply};
use shared::limits::QUEUE_TTL_S;
use shared::script::Script;
use shared::{Code, Error, QueueName, keys};

/// Runs a script on a queue's keys and the keys in `more`.
///
/// # Errors
/// `redis_unavailable`, `wrong_type`.
pub async fn run(
    app: &App,
    script: &Script,
    queue: &QueueName,
    more: &[String],
    args: &[Arg<'_>],
) -> Result<Vec<Reply>, Error> {
    let mut keys = keys::queue(queue.as_str()).to_vec();
    keys.extend_from_slice(more);
    let epoch = clock::random_word();
    let mut all = vec![Arg::Int(QUEUE_TTL_S as i64), Arg::Text(&epoch)];
    all.extend_from_slice(args);
    Ok(app.redis.eval(script, &keys, &all).await?)
}

/// The error for a reply that violates the script's contract.
pub fn unexpected() -> Error {
    Error::new(Code::Internal, "Redis gave an unexpected reply")
}

/// The integer at `at`.
///
/// # Errors
/// `internal` if there is none.
pub fn int(reply: &[Reply], at: usize) -> Result<i64, Error> {
    reply.get(at).and_then(Reply::int).ok_or_else(unexpected)
}

/// The text at `at`.
///
/// # Errors
/// `internal` if there is none.
pub fn text(reply: &[Reply], at: usize) -> Result<&str, Error> {
    reply.get(at).and_then(Reply::text).ok_or_else(unexpected)
}
