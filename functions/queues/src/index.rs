//! `GET /queues`, and the index behind it: the names of the queues that were used in the last 14
//! days. Redis cannot list them, since a queue is a list like any other.
//!
//! The index is outside the queue's hash slot, so a call of its own notes a use, beside the
//! operation. An instance repeats it for a queue every ten minutes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use runtime::http::{auth, number};
use runtime::ports::redis::{Arg, Redis as _, RedisError, Reply};
use runtime::spin::clock;
use runtime::{App, Code, Error, Request, Response, log};
use serde_json::json;
use shared::auth::Scope;
use shared::limits::{QUEUE_TTL_S, QUEUES_INDEXED_MAX, QUEUES_PAGE_DEFAULT, QUEUES_PAGE_MAX};
use shared::{QueueName, keys, script};

use crate::{name, store};

/// A queue stays in the index for 14 days. This is short so that a Redis that lost its data soon has
/// the names again.
const REPEAT_MS: i64 = 10 * 60 * 1000;
/// As [`REPEAT_MS`], after a failure: a missing permission must not cost a call each time.
const RETRY_MS: i64 = 60 * 1000;
/// Queues that an instance remembers.
const TOLD_MAX: usize = 256;

thread_local! {
    /// The time at which each queue is noted again.
    static TOLD: RefCell<BTreeMap<QueueName, i64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes that a queue was used. Never fails: the queue works without it.
pub async fn touch(app: &App, queue: &QueueName) {
    let now_ms = clock::now_ms();
    if !is_due(queue, now_ms) {
        return;
    }
    let args =
        [Arg::Text(queue.as_str()), Arg::Int(QUEUE_TTL_S as i64), Arg::Int(QUEUES_INDEXED_MAX)];
    if let Err(error) = app.redis.eval(&script::QUEUES_TOUCH, &index_keys(), &args).await {
        log::warn("queue_not_indexed", &[("error", &error.to_string())]);
        TOLD.with_borrow_mut(|told| told.insert(queue.clone(), now_ms + RETRY_MS));
    }
}

/// Whether the caller has to note the use; if so, no one else has to for the next ten minutes.
fn is_due(queue: &QueueName, now_ms: i64) -> bool {
    TOLD.with_borrow_mut(|told| {
        if told.get(queue).is_some_and(|next_ms| now_ms < *next_ms) {
            return false;
        }
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert(queue.clone(), now_ms + REPEAT_MS);
        true
    })
}

fn index_keys() -> [String; 2] {
    [keys::QUEUES.to_owned(), keys::QUEUES_TOUCHED.to_owned()]
}

/// Answers `{"items":[name…],"next"}`, in alphabetical order. A queue of which nothing is left is
/// omitted, so that a page may have fewer names than its limit, even none.
///
/// # Errors
/// Request errors; `redis_unavailable`.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesRead)?;
    let (mut limit, mut cursor) = (QUEUES_PAGE_DEFAULT, String::new());
    for (name, value) in request.query(&["limit", "cursor"])? {
        if name == "cursor" {
            cursor = checked_cursor(value)?;
        } else {
            limit = number(&name, &value, 1..=QUEUES_PAGE_MAX)?;
        }
    }
    let args = [Arg::Text(&cursor), Arg::Int(limit), Arg::Int(QUEUE_TTL_S as i64)];
    let reply = app.redis.eval(&script::QUEUES_PAGE, &index_keys(), &args).await?;
    let next = store::text(&reply, 0)?;
    // A name may have become a resource's since, and nothing keeps other services from writing here.
    let names = reply.iter().skip(1).filter_map(Reply::text);
    let names: Vec<QueueName> = names.filter_map(|text| name::parse(text).ok()).collect();
    let exist = try_join_all(names.iter().map(|queue| exists(app, queue))).await?;
    let names = names.iter().zip(exist).filter(|(_, exists)| *exists);
    let items: Vec<&str> = names.map(|(queue, _)| queue.as_str()).collect();
    let next = QueueName::parse(next).is_ok().then_some(next);
    Ok(Response::json(200, json!({"items": items, "next": next}).to_string())
        .with("cache-control", "no-store"))
}

/// A cursor is the last name of the previous page.
fn checked_cursor(value: String) -> Result<String, Error> {
    match QueueName::parse(&value) {
        Ok(_) => Ok(value),
        Err(_) => Err(Error::field(Code::InvalidField, "cursor", "`cursor` is invalid")),
    }
}

/// Whether anything is left of a queue: messages in any state, or the ids that it has given. Renews
/// no expiry: a list of queues must not keep them alive.
async fn exists(app: &App, queue: &QueueName) -> Result<bool, RedisError> {
    let [ready, meta, retry, inflight, delayed, dead, ..] = &keys::queue(queue.as_str());
    let ready = match app.redis.command("LLEN", &[Arg::Text(ready)]).await {
        // The name is another service's key.
        Err(RedisError::WrongType) => return Ok(false),
        outcome => outcome?,
    };
    if ready.first().and_then(Reply::int) != Some(0) {
        return Ok(true);
    }
    let others = [meta, retry, inflight, delayed, dead].map(|key| Arg::Text(key));
    let others = app.redis.command("EXISTS", &others).await?;
    Ok(others.first().and_then(Reply::int) != Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_noted_once_in_ten_minutes_and_memory_is_bounded() {
        let queue = |at: usize| QueueName::parse(&format!("q{at}")).unwrap();
        assert!(is_due(&queue(0), 1_000));
        assert!(!is_due(&queue(0), 1_000 + REPEAT_MS - 1));
        assert!(is_due(&queue(1), 1_000), "another queue");
        assert!(is_due(&queue(0), 1_000 + REPEAT_MS));
        for at in 0..3 * TOLD_MAX {
            is_due(&queue(at), 1_000);
            assert!(TOLD.with_borrow(BTreeMap::len) <= TOLD_MAX);
        }
    }

    #[test]
    fn a_cursor_is_a_name() {
        assert!(checked_cursor("work:mail".to_owned()).is_ok());
        for bad in ["", "a b", "bw:x", "{a}", &"x".repeat(129)] {
            let error = checked_cursor(bad.to_owned()).unwrap_err();
            assert_eq!((error.code(), error.field_name()), (Code::InvalidField, Some("cursor")));
        }
    }
}
