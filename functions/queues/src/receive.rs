//! `POST /queues/{q}/receive`.

use std::cell::Cell;
use std::time::Duration;

use runtime::cache::Host as _;
use runtime::http::auth;
use runtime::ports::redis::{Arg, Reply};
use runtime::spin::background;
use runtime::spin::cache_host::SpinHost;
use runtime::{App, Error, Request, Response, log};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::{Object, inspect};
use shared::limits::{
    QUEUE_ANSWER_BYTES, QUEUE_PAYLOAD_DEPTH_MAX, QUEUE_RECEIVE_DEFAULT, QUEUE_RECEIVE_MAX,
    QUEUE_RECEIVES_DEFAULT, QUEUE_RECEIVES_MAX, QUEUE_VISIBILITY_S_DEFAULT, QUEUE_VISIBILITY_S_MAX,
    QUEUE_WAIT_S_MAX, REQUEST_BYTES_MAX,
};
use shared::{QueueName, script};

use crate::settle::bury;
use crate::store;

/// The parsed request.
struct Wanted {
    max: i64,
    visibility_s: i64,
    receives_max: i64,
    /// How long an empty queue is asked again.
    wait: Duration,
}

/// Receives of one instance that wait at the same time, half of what an instance serves by default:
/// consumers that wait must leave room for other calls.
const WAITING_MAX: usize = 8;

thread_local! {
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// A place among the receives that wait.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        WAITING.with(|waiting| {
            let is_free = waiting.get() < WAITING_MAX;
            is_free.then(|| {
                waiting.set(waiting.get() + 1);
                Self
            })
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.with(|waiting| waiting.set(waiting.get() - 1));
    }
}

/// Pauses between two tries on an empty queue: a consumer that waits costs Redis two calls a second,
/// and a message waits for it half a second at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Answers messages: `{"messages":[{"receipt","attempt","payload"}]}`. Each is hidden from other
/// receivers until its visibility timeout; one that is not acknowledged by then is received again.
/// A payload that is not JSON, or nested too deep for a consumer's parser, becomes a dead letter.
///
/// A call is repeated if its connection breaks. Messages taken by the first attempt come back after
/// their visibility timeout.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type`.
pub async fn receive(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let wanted = Wanted::parse(&body)?;
    let args = [
        Arg::Int(wanted.max),
        Arg::Int(wanted.visibility_s * 1000),
        Arg::Int(wanted.receives_max),
        // As many are recovered as can be received, so that recovery keeps up with any receiver.
        Arg::Int(QUEUE_RECEIVE_MAX),
        Arg::Int(QUEUE_ANSWER_BYTES),
    ];
    let reply = take(app, queue, &args, wanted.wait).await?;
    let (body, poison) = messages(&reply)?;
    for (reason, receipts) in [("not JSON", poison.not_json), ("nested too deep", poison.too_deep)]
    {
        if receipts.is_empty() {
            continue;
        }
        // An error here would lose the other messages; those still in flight are received again.
        if let Err(error) = bury(app, queue, &receipts, reason).await {
            log::warn("poison_not_buried", &[("code", error.code().as_str())]);
        }
    }
    Ok(Response::json(200, body))
}

/// Takes messages. As long as there are none, tries again until `wait` has passed.
///
/// A host does not tell whether the client still waits. Messages taken for one that left come back
/// after their visibility timeout.
async fn take(
    app: &App,
    queue: &QueueName,
    args: &[Arg<'_>],
    wait: Duration,
) -> Result<Vec<Reply>, Error> {
    let begun = SpinHost.now_ms();
    let mut pause = PAUSE_MIN;
    let mut place = None;
    loop {
        let reply = store::run(app, &script::QUEUE_RECEIVE, queue, &[], args).await?;
        if reply.is_empty() && !wait.is_zero() && place.is_none() {
            place = Place::take();
            if place.is_none() {
                return Ok(reply);
            }
        }
        let passed = SpinHost.now_ms().saturating_sub(begun);
        let left = wait.saturating_sub(Duration::from_millis(passed.unsigned_abs()));
        if !reply.is_empty() || left.is_zero() {
            return Ok(reply);
        }
        background::sleep(pause.min(left)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Receipts of other services' payloads that no consumer can process.
#[derive(Default)]
struct Poison<'a> {
    not_json: Vec<&'a str>,
    too_deep: Vec<&'a str>,
}

/// The answer, and the messages left out of it.
fn messages(reply: &[Reply]) -> Result<(String, Poison<'_>), Error> {
    let bytes: usize = reply.iter().filter_map(Reply::bytes).map(<[u8]>::len).sum();
    let mut json = String::with_capacity(bytes + reply.len() * 32 + 32);
    let mut poison = Poison::default();
    json.push_str("{\"messages\":[");
    let mut separator = "";
    for pair in reply.chunks_exact(2) {
        let receipt = store::text(pair, 0)?;
        let attempt = receipt.rsplit_once(':').map_or("0", |(_, attempt)| attempt);
        let payload = pair.get(1).and_then(Reply::bytes).and_then(as_json);
        let Some(payload) = payload else {
            poison.not_json.push(receipt);
            continue;
        };
        if is_too_deep(payload) {
            poison.too_deep.push(receipt);
            continue;
        }
        for part in [
            separator,
            "{\"receipt\":\"",
            receipt,
            "\",\"attempt\":",
            attempt,
            ",\"payload\":",
            payload,
            "}",
        ] {
            json.push_str(part);
        }
        separator = ",";
    }
    json.push_str("]}");
    Ok((json, poison))
}

/// A payload as JSON text; `None` if it is not JSON.
pub fn as_json(payload: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(payload).ok()?;
    let value: &RawValue = serde_json::from_str(text).ok()?;
    Some(value.get())
}

/// Whether a payload is nested deeper than `send` accepts.
pub fn is_too_deep(payload: &str) -> bool {
    inspect(payload).depth > QUEUE_PAYLOAD_DEPTH_MAX
}

impl Wanted {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut wanted = Self {
            max: QUEUE_RECEIVE_DEFAULT,
            visibility_s: QUEUE_VISIBILITY_S_DEFAULT,
            receives_max: QUEUE_RECEIVES_DEFAULT,
            wait: Duration::ZERO,
        };
        if body.is_empty() {
            return Ok(wanted);
        }
        let mut object = Object::parse(body)?;
        if let Some(max) = object.integer("max", 1..=QUEUE_RECEIVE_MAX)? {
            wanted.max = max;
        }
        if let Some(seconds) = object.integer("visibilitySeconds", 1..=QUEUE_VISIBILITY_S_MAX)? {
            wanted.visibility_s = seconds;
        }
        if let Some(receives) = object.integer("maxReceives", 1..=QUEUE_RECEIVES_MAX)? {
            wanted.receives_max = receives;
        }
        if let Some(seconds) = object.integer("waitSeconds", 0..=QUEUE_WAIT_S_MAX)? {
            wanted.wait = Duration::from_secs(seconds.unsigned_abs());
        }
        object.finish()?;
        Ok(wanted)
    }
}
