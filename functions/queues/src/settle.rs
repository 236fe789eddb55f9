//! `POST /queues/{q}/ack`, `/nack` and `/extend`: the results of processing received messages.

use runtime::http::auth;
use runtime::ports::redis::{Arg, Reply};
use runtime::{App, Error, Request, Response};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::{Object, quoted};
use shared::limits::{
    QUEUE_DELAY_S_MAX, QUEUE_REASON_BYTES_MAX, QUEUE_RECEIPT_CHARS_MAX, QUEUE_RECEIPTS_MAX,
    QUEUE_VISIBILITY_S_MAX, REQUEST_ARRAY_BYTES_MAX,
};
use shared::script::{self, Script};
use shared::{Code, QueueName};

use crate::store;

/// Acknowledges messages, which removes them.
///
/// # Errors
/// Request errors; `stale_receipt` if all receipts are stale; `redis_unavailable`.
pub async fn ack(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let receipts = receipts(&mut object)?;
    object.finish()?;
    settle(app, &script::QUEUE_ACK, queue, &[], &receipts).await
}

/// Returns messages, at once or after a delay; those after their last allowed receive become dead
/// letters.
///
/// # Errors
/// As [`ack`].
pub async fn nack(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let receipts = receipts(&mut object)?;
    let delay_s = object.integer("delaySeconds", 0..=QUEUE_DELAY_S_MAX)?.unwrap_or(0);
    let reason = object.string("reason")?.unwrap_or_else(|| "nack".to_owned());
    if reason.len() > QUEUE_REASON_BYTES_MAX {
        let problem = format!("has more than {QUEUE_REASON_BYTES_MAX} bytes");
        return Err(object.beyond("reason", &problem));
    }
    object.finish()?;
    let args = [Arg::Int(delay_s * 1000), Arg::Text(&reason), Arg::Text("0")];
    settle(app, &script::QUEUE_NACK, queue, &args, &receipts).await
}

/// Extends the visibility timeout of messages.
///
/// # Errors
/// As [`ack`].
pub async fn extend(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let mut object = Object::parse(&body)?;
    let receipts = receipts(&mut object)?;
    let seconds = object.integer("visibilitySeconds", 1..=QUEUE_VISIBILITY_S_MAX)?;
    let Some(seconds) = seconds else {
        let problem = "`visibilitySeconds` is required";
        return Err(Error::field(Code::MissingField, "visibilitySeconds", problem));
    };
    object.finish()?;
    settle(app, &script::QUEUE_EXTEND, queue, &[Arg::Int(seconds * 1000)], &receipts).await
}

/// Makes messages dead letters at once.
///
/// # Errors
/// `redis_unavailable`.
pub async fn bury(
    app: &App,
    queue: &QueueName,
    receipts: &[&str],
    reason: &str,
) -> Result<(), Error> {
    let mut args = vec![Arg::Int(0), Arg::Text(reason), Arg::Text("1")];
    args.extend(receipts.iter().map(|receipt| Arg::Text(receipt)));
    store::run(app, &script::QUEUE_NACK, queue, &[], &args).await?;
    Ok(())
}

async fn settle(
    app: &App,
    script: &Script,
    queue: &QueueName,
    args: &[Arg<'_>],
    receipts: &[String],
) -> Result<Response, Error> {
    let mut all = args.to_vec();
    all.extend(receipts.iter().map(|receipt| Arg::Text(receipt)));
    let reply = store::run(app, script, queue, &[], &all).await?;
    let count = usize::try_from(store::int(&reply, 0)?).map_err(|_| store::MALFORMED)?;
    let texts: Vec<&str> = reply.iter().skip(1).filter_map(Reply::text).collect();
    let (done, stale) = texts.split_at_checked(count).ok_or(store::MALFORMED)?;
    if done.is_empty() {
        let problem = "all receipts are stale: the messages were acknowledged, returned, \
                       received again or died meanwhile";
        return Err(Error::new(Code::StaleReceipt, problem));
    }
    let (done, stale) = (list(done), list(stale));
    Ok(Response::json(200, format!("{{\"done\":[{done}],\"stale\":[{stale}]}}")))
}

fn list(receipts: &[&str]) -> String {
    receipts.iter().map(|receipt| quoted(receipt)).collect::<Vec<_>>().join(",")
}

fn receipts(object: &mut Object<'_>) -> Result<Vec<String>, Error> {
    texts(object, "receipts")?.ok_or_else(|| object.missing("receipts"))
}

/// Receipts, or ids of dead letters, of any text: one that no receive issued is stale.
/// # Errors
/// `invalid_field` if the list is empty or not of short texts.
pub fn texts(object: &mut Object<'_>, name: &str) -> Result<Option<Vec<String>>, Error> {
    let Some(values) = object.array(name, QUEUE_RECEIPTS_MAX)? else { return Ok(None) };
    if values.is_empty() {
        return Err(object.invalid(name, "is empty"));
    }
    let text = |value: &&RawValue| serde_json::from_str::<String>(value.get()).ok();
    let texts: Option<Vec<String>> = values.iter().map(text).collect();
    let texts = texts.ok_or_else(|| object.invalid(name, "must be strings"))?;
    if texts.iter().any(|text| text.chars().count() > QUEUE_RECEIPT_CHARS_MAX) {
        return Err(object.invalid(name, "contains a text longer than any receipt"));
    }
    Ok(Some(texts))
}
