//! `GET /queues/{q}`.

use runtime::http::auth;
use runtime::queue_depth::QueueDepth;
use runtime::spin::clock;
use runtime::{App, Error, Request, Response};
use shared::QueueName;
use shared::auth::Scope;

use crate::index;

/// Answers the number of messages by state.
///
/// # Errors
/// Request errors; `redis_unavailable`; `wrong_type`.
pub async fn stats(app: &App, request: &Request, queue: &QueueName) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::QueuesRead)?;
    request.query(&[])?;
    let depth = QueueDepth::read(&app.redis, queue, &clock::random_word()).await?;
    if depth.has_messages() {
        index::touch(app, queue).await;
    }
    Ok(Response::json(200, depth.to_json().to_string()))
}
