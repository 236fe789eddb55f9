//! `GET /queues/{q}`.

use runtime::{App, Error, Request, Response, auth};
use serde_json::{Value, json};
use shared::auth::Scope;
use shared::script;

use crate::name::QueueName;
use crate::store;

/// Answers `{"ready","delayed","inFlight","dead","oldestAgeSeconds"}`. The age is that of the oldest
/// message that was received before or sent with a delay, null without one: those that only lie in
/// the list carry no time.
///
/// # Errors
/// Of the request; `redis_unavailable`; `wrong_type`.
pub async fn stats(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesWrite)?;
    let reply = store::run(app, &script::QUEUE_STATS, queue, &[], &[]).await?;
    let age_ms = store::int(&reply, 4)?;
    let age = if age_ms < 0 { Value::Null } else { json!(age_ms / 1000) };
    let body = json!({
        "ready": store::int(&reply, 0)?,
        "delayed": store::int(&reply, 1)?,
        "inFlight": store::int(&reply, 2)?,
        "dead": store::int(&reply, 3)?,
        "oldestAgeSeconds": age,
    });
    Ok(Response::json(200, body.to_string()))
}
