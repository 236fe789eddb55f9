//! `GET /queues/{q}/dead` and `POST /queues/{q}/redrive`: the dead letters.

use runtime::http::auth;
use runtime::http::number;
use runtime::ports::redis::{Arg, Reply};
use runtime::{App, Error, Request, Response};
use shared::auth::Scope;
use shared::json::{Object, quoted};
use shared::limits::{
    QUEUE_ANSWER_BYTES, QUEUE_DEAD_PAGE_DEFAULT, QUEUE_DEAD_PAGE_MAX, QUEUE_RECEIPT_CHARS_MAX,
    QUEUE_RECEIPTS_MAX, REQUEST_ARRAY_BYTES_MAX,
};
use shared::time::rfc3339;
use shared::{Code, QueueName, script};

use crate::index;
use crate::receive::{as_json, is_too_deep};
use crate::settle::texts;
use crate::store;

/// Members of an entry in the script's reply.
const ENTRY: usize = 5;

/// A page, oldest first: `{"items":[{"id","payload","attempts","reason","diedAt"}],"next"}`. A
/// payload that is not JSON, or nested too deep, is given as text in `raw` instead.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type`.
pub async fn page(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesRead)?;
    let (mut limit, mut cursor) = (QUEUE_DEAD_PAGE_DEFAULT, String::new());
    for (name, value) in request.query(&["limit", "cursor"])? {
        if name == "cursor" {
            cursor = checked_cursor(value)?;
        } else {
            limit = number(&name, &value, 1..=QUEUE_DEAD_PAGE_MAX)?;
        }
    }
    let args = [Arg::Text(&cursor), Arg::Int(limit), Arg::Int(QUEUE_ANSWER_BYTES)];
    let reply = store::read(app, &script::QUEUE_DEAD, queue, &[], &args).await?;
    let has_more = store::int(&reply, 0)? == 1;
    let (mut items, mut next) = (Vec::new(), "null".to_owned());
    for entry in reply.get(1..).unwrap_or_default().chunks_exact(ENTRY) {
        items.push(item(entry)?);
        if has_more {
            next = quoted(&format!("{}:{}", store::int(entry, 1)?, store::text(entry, 0)?));
        }
    }
    if !items.is_empty() {
        index::touch(app, queue).await;
    }
    let body = format!("{{\"items\":[{}],\"next\":{next}}}", items.join(","));
    Ok(Response::json(200, body))
}

fn item(entry: &[Reply]) -> Result<String, Error> {
    let bytes = entry.get(4).and_then(Reply::bytes).unwrap_or_default();
    let payload = match as_json(bytes).filter(|json| !is_too_deep(json)) {
        Some(json) => format!("\"payload\":{json}"),
        None => format!("\"raw\":{}", quoted(&String::from_utf8_lossy(bytes))),
    };
    Ok(format!(
        "{{\"id\":{},{payload},\"attempts\":{},\"reason\":{},\"diedAt\":\"{}\"}}",
        quoted(store::text(entry, 0)?),
        store::int(entry, 2)?,
        quoted(store::text(entry, 3)?),
        rfc3339(store::int(entry, 1)?),
    ))
}

/// Validates a cursor, `<milliseconds>:<id>`.
fn checked_cursor(value: String) -> Result<String, Error> {
    let is_sound = value.split_once(':').is_some_and(|(ms, id)| {
        (1..=15).contains(&ms.len())
            && ms.bytes().all(|byte| byte.is_ascii_digit())
            && (1..=QUEUE_RECEIPT_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    match is_sound {
        true => Ok(value),
        false => Err(Error::field(Code::InvalidField, "cursor", "`cursor` is invalid")),
    }
}

/// Returns dead letters to the queue with a new count of receives: those with the given `ids`, or
/// the oldest `max`. Answers `{"redriven":n}`.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type`.
pub async fn redrive(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let (mut ids, mut max) = (Vec::new(), QUEUE_RECEIPTS_MAX as i64);
    if !body.is_empty() {
        let mut object = Object::parse(&body)?;
        if let Some(wanted) = texts(&mut object, "ids")? {
            ids = wanted;
        }
        if let Some(wanted) = object.integer("max", 1..=QUEUE_RECEIPTS_MAX as i64)? {
            max = wanted;
        }
        object.finish()?;
    }
    let mut args = vec![Arg::Int(max)];
    args.extend(ids.iter().map(|id| Arg::Text(id)));
    let reply = store::run(app, &script::QUEUE_REDRIVE, queue, &[], &args).await?;
    Ok(Response::json(200, format!("{{\"redriven\":{}}}", store::int(&reply, 0)?)))
}
