//! Responses of the push services, in the queue `notification:responses`, for other services.

use std::cell::Cell;

use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use runtime::spin::clock;
use runtime::{Code, Error, log};
use serde_json::value::RawValue;
use shared::json::inspect;
use shared::limits::{
    ONCE_TTL_S, PUSH_RESPONSES_MAX, QUEUE_DEDUP_S, QUEUE_MESSAGES_MAX, QUEUE_PAYLOAD_BYTES_MAX,
    QUEUE_PAYLOAD_DEPTH_MAX, QUEUE_TTL_S, QUEUES_INDEXED_MAX,
};
use shared::{keys, script};

/// An instance notes the queue in the index of queues this often.
const INDEXED_MS: i64 = 10 * 60 * 1000;

thread_local! {
    /// When the queue is noted again.
    static INDEX_AT_MS: Cell<i64> = const { Cell::new(0) };
}

/// The text of a response: JSON within the limits of a message. `path` names it in the error.
///
/// # Errors
/// `invalid_field` or `limit_exceeded`.
pub fn checked<'a>(response: &'a RawValue, path: &str) -> Result<&'a str, Error> {
    let json = response.get();
    let shape = inspect(json);
    if shape.has_nul {
        let problem = format!("`{path}` contains U+0000");
        return Err(Error::field(Code::InvalidField, path, problem));
    }
    let (bytes_max, depth_max) = (QUEUE_PAYLOAD_BYTES_MAX, QUEUE_PAYLOAD_DEPTH_MAX);
    if json.len() > bytes_max || shape.depth > depth_max {
        let problem = format!(
            "`{path}` has more than {bytes_max} bytes or is nested more than {depth_max} deep"
        );
        return Err(Error::field(Code::LimitExceeded, path, problem));
    }
    Ok(json)
}

/// Appends responses to the queue, as bare payloads. Never fails: what the queue or Redis does not
/// take is dropped, because their jobs are settled, and must not wait for Redis.
pub async fn append(redis: &impl Redis, responses: &[&str]) {
    if responses.is_empty() {
        return;
    }
    match append_all(redis, responses).await {
        Ok(()) => {}
        Err(RedisError::WrongType) => dropped(responses, "the key holds another type"),
        // Some of them may be in the queue.
        Err(error) => dropped(responses, &error.to_string()),
    }
}

async fn append_all(redis: &impl Redis, responses: &[&str]) -> Result<(), RedisError> {
    let queue = keys::NOTIFICATION_RESPONSES;
    let waiting = redis.command("LLEN", &[Arg::Text(queue)]).await?;
    if waiting.first().and_then(Reply::int) >= Some(PUSH_RESPONSES_MAX) {
        dropped(responses, "the queue is full");
        return Ok(());
    }
    for chunk in responses.chunks(QUEUE_MESSAGES_MAX) {
        let mut keys = keys::queue(queue).to_vec();
        // The call is repeated if its connection breaks.
        keys.push(keys::once(queue, &clock::random_word()));
        let epoch = clock::random_word();
        let at_once = Arg::Int(0);
        let mut args = vec![Arg::Int(QUEUE_TTL_S as i64), Arg::Text(&epoch), at_once];
        args.extend([Arg::Int(ONCE_TTL_S), Arg::Int(QUEUE_DEDUP_S as i64)]);
        args.extend(chunk.iter().map(|response| Arg::Text(response)));
        redis.eval(&script::QUEUE_SEND, &keys, &args).await?;
    }
    index(redis).await;
    Ok(())
}

/// Notes that the queue is in use. Never fails: the queue works without it.
async fn index(redis: &impl Redis) {
    let now_ms = clock::now_ms();
    if now_ms < INDEX_AT_MS.get() {
        return;
    }
    INDEX_AT_MS.set(now_ms + INDEXED_MS);
    let queue = Arg::Text(keys::NOTIFICATION_RESPONSES);
    let args = [queue, Arg::Int(QUEUE_TTL_S as i64), Arg::Int(QUEUES_INDEXED_MAX)];
    let keys = [keys::QUEUES.to_owned(), keys::QUEUES_TOUCHED.to_owned()];
    if let Err(error) = redis.eval(&script::QUEUES_TOUCH, &keys, &args).await {
        log::warn("queue_not_indexed", &[("error", &error.to_string())]);
    }
}

fn dropped(responses: &[&str], why: &str) {
    let count = responses.len().to_string();
    log::warn("push_responses_dropped", &[("count", &count), ("reason", why)]);
}
