//! Runs the queue scripts with their common keys and arguments, and notes the queue in the index.

use futures_util::future::join;
use runtime::App;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::clock;
use shared::limits::QUEUE_TTL_S;
use shared::script::Script;
use shared::{Error, QueueName, keys};

use crate::index;

/// Runs a worker's script on a queue's keys and the keys in `more`.
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
    // At the same time, not one after the other.
    join(read(app, script, queue, more, args), index::touch(app, queue)).await.0
}

/// As [`run`], for a reader. It notes the queue by itself if it finds any message: names that people
/// mistype are not queues.
///
/// # Errors
/// `redis_unavailable`, `wrong_type`.
pub async fn read(
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

/// The error of a reply that does not have the shape that the script's header states.
pub const MALFORMED: RedisError = RedisError::Malformed("a queue script");

/// The integer at position `at` of a reply.
///
/// # Errors
/// `Malformed` if there is none.
pub fn int(reply: &[Reply], at: usize) -> Result<i64, RedisError> {
    reply.get(at).and_then(Reply::int).ok_or(MALFORMED)
}

/// The text at position `at` of a reply.
///
/// # Errors
/// `Malformed` if there is none.
pub fn text(reply: &[Reply], at: usize) -> Result<&str, RedisError> {
    reply.get(at).and_then(Reply::text).ok_or(MALFORMED)
}
