//! `POST /queues/{q}/messages`.

use runtime::http::auth;
use runtime::ports::redis::Arg;
use runtime::spin::clock;
use runtime::{App, Error, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::ids::check_id;
use shared::json::{Object, inspect};
use shared::limits::{
    ONCE_TTL_S, QUEUE_DEDUP_S, QUEUE_DELAY_S_MAX, QUEUE_MESSAGES_MAX, QUEUE_PAYLOAD_BYTES_MAX,
    QUEUE_PAYLOAD_DEPTH_MAX, REQUEST_ARRAY_BYTES_MAX,
};
use shared::{Code, QueueName, keys, script};

use crate::store;

/// The parsed request.
struct Batch<'a> {
    payloads: Vec<&'a RawValue>,
    delay_ms: i64,
    dedup_id: Option<String>,
}

/// Appends messages and answers `{"accepted":n,"duplicate":bool}`; a call with a used `dedupId`
/// appends none.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type`.
pub async fn send(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let batch = Batch::parse(&body)?;
    // The call is repeated if its connection breaks.
    let mut more = vec![keys::once(queue.as_str(), &clock::random_word())];
    more.extend(batch.dedup_id.as_ref().map(|id| keys::queue_dedup(queue.as_str(), id)));
    let mut args =
        vec![Arg::Int(batch.delay_ms), Arg::Int(ONCE_TTL_S), Arg::Int(QUEUE_DEDUP_S as i64)];
    args.extend(batch.payloads.iter().map(|payload| Arg::Text(payload.get())));
    let reply = store::run(app, &script::QUEUE_SEND, queue, &more, &args).await?;
    let (accepted, is_duplicate) = (store::int(&reply, 0)?, store::int(&reply, 1)? == 1);
    let body = format!("{{\"accepted\":{accepted},\"duplicate\":{is_duplicate}}}");
    Ok(Response::json(200, body))
}

impl<'a> Batch<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let payloads = object.require_array("messages", QUEUE_MESSAGES_MAX)?;
        let delay_s = object.integer("delaySeconds", 0..=QUEUE_DELAY_S_MAX)?.unwrap_or(0);
        let dedup_id = object.string("dedupId")?;
        object.finish()?;
        if payloads.is_empty() {
            return Err(Error::field(Code::InvalidField, "messages", "`messages` is empty"));
        }
        for (at, payload) in payloads.iter().enumerate() {
            check_payload(payload, &format!("messages[{at}]"))?;
        }
        if let Some(id) = &dedup_id {
            check_id(id, "dedup id")
                .map_err(|error| Error::field(Code::InvalidField, "dedupId", error.detail()))?;
        }
        Ok(Self { payloads, delay_ms: delay_s * 1000, dedup_id })
    }
}

fn check_payload(payload: &RawValue, field: &str) -> Result<(), Error> {
    let bytes = payload.get().len();
    if bytes > QUEUE_PAYLOAD_BYTES_MAX {
        let problem =
            format!("`{field}` has {bytes} bytes, at most {QUEUE_PAYLOAD_BYTES_MAX} are allowed");
        return Err(Error::field(Code::LimitExceeded, field, problem));
    }
    let shape = inspect(payload.get());
    if shape.depth > QUEUE_PAYLOAD_DEPTH_MAX {
        let problem = format!(
            "`{field}` is nested {} deep, at most {QUEUE_PAYLOAD_DEPTH_MAX} are allowed",
            shape.depth
        );
        return Err(Error::field(Code::LimitExceeded, field, problem));
    }
    if shape.has_nul {
        let problem = format!("`{field}` contains U+0000");
        return Err(Error::field(Code::InvalidField, field, problem));
    }
    Ok(())
}
