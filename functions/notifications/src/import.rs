//! `POST /notifications/import`: history from another system. It is committed like a batch and comes
//! to the feeds, but nothing is published or pushed, and preferences mute none of it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use runtime::feed::delivery::bring_imported;
use runtime::feed::marks::announce;
use runtime::http::auth;
use runtime::http::idempotency::check_key;
use runtime::record::{Idempotency, ImportedEntry, NewEntry, Outcome};
use runtime::spin::clock;
use runtime::{Code, Error, RecordApp, Request, Response, log};
use serde_json::value::RawValue;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::REQUEST_ARRAY_BYTES_MAX;
use shared::notification::{Delivery, History, Notification, Quiet};
use shared::{UserId, digest};

use crate::batch;
use crate::commit::{USERS_AT_ONCE, retry_later};

/// Answers 200 with a result per notification, in order. An invalid notification does not prevent
/// the others from being committed; those are committed together, with a seq in their order.
///
/// # Errors
/// Request errors; `record_unavailable`, after which the outcome is unknown.
pub async fn import(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    let claims = app.authenticate(request)?;
    auth::require(&claims, Scope::NotificationsImport)?;
    let body = request.body(REQUEST_ARRAY_BYTES_MAX).await?;
    request.query(&[])?;
    let now_ms = clock::now_ms();
    let checked = batch::items(&body)?.into_iter().map(|item| entry(item, &claims.sub, now_ms));
    let (entries, errors) = batch::split(checked);
    let done = commit(app, entries, now_ms).await?;
    Ok(batch::answer(errors, done.into_iter()))
}

fn entry(item: &RawValue, subject: &str, now_ms: i64) -> Result<ImportedEntry, Error> {
    let mut object = Object::parse(item.get().as_bytes())?;
    let history = History::take_from(&mut object, now_ms)?;
    let idempotency_key = object.string("idempotencyKey")?;
    object.finish()?;
    if let Some(key) = &idempotency_key {
        check_key(key, "idempotencyKey")?;
    }
    let History { draft, created_at_ms, read_at_ms } = history;
    let idempotency = idempotency_key.map(|key| Idempotency {
        // Creates do not know these keys: theirs begin with a number.
        key: format!("import:{}:{subject}:{key}", subject.len()),
        request_hash: digest::of_import(&draft, created_at_ms, read_at_ms),
    });
    // Hubs take an entry for new by the time in its id.
    let id = clock::uuid_v7(created_at_ms);
    let entry = NewEntry { draft, id, created_at_ms, idempotency, push: None };
    Ok(ImportedEntry { entry, read_at_ms })
}

/// Commits all entries or none, brings them to the feeds, and returns the JSON text of each.
async fn commit(
    app: &RecordApp,
    entries: Vec<ImportedEntry>,
    now_ms: i64,
) -> Result<Vec<Result<String, Error>>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let created = app.record.import(&entries, now_ms).await.map_err(|error| {
        log::error("import_failed", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    let imported: Vec<Result<(Notification, Option<i64>), Error>> =
        entries.into_iter().zip(created.outcomes).map(notification).collect();
    let mut newest: BTreeMap<UserId, i64> = BTreeMap::new();
    for (notification, _) in imported.iter().flatten() {
        let seq = newest.entry(notification.draft.user_id.clone()).or_default();
        *seq = notification.seq.max(*seq);
    }
    let deliveries = deliver(app, &created.epoch, newest, now_ms).await;
    let shown = imported.into_iter().map(|imported| {
        let (notification, read_at_ms) = imported?;
        let delivery = deliveries.get(&notification.draft.user_id);
        let delivery = delivery.copied().unwrap_or(Delivery::Pending);
        Ok(delivery.overlay(&notification.to_json(), read_at_ms))
    });
    Ok(shown.collect())
}

/// The imported notification and when it was read. A repeat has the first answer, whatever became of
/// the entry.
fn notification(
    (imported, outcome): (ImportedEntry, Outcome),
) -> Result<(Notification, Option<i64>), Error> {
    let ImportedEntry { entry: NewEntry { draft, id, created_at_ms, .. }, read_at_ms } = imported;
    let (id, seq) = match outcome {
        Outcome::Created { seq, .. } => (id, seq),
        Outcome::Replayed { id, seq, .. } => (id, seq),
        Outcome::Mismatch => {
            let detail = "this idempotency key was used with another body";
            return Err(Error::new(Code::IdempotencyMismatch, detail));
        }
    };
    let quiet = Some(Quiet::Imported);
    Ok((Notification { id, seq, draft, created_at_ms, quiet }, read_at_ms))
}

/// Brings each user's feed up to the given seq.
async fn deliver(
    app: &RecordApp,
    epoch: &str,
    newest: BTreeMap<UserId, i64>,
    now_ms: i64,
) -> BTreeMap<UserId, Delivery> {
    let users: Vec<(UserId, i64)> = newest.into_iter().collect();
    let mut deliveries = BTreeMap::new();
    for chunk in users.chunks(USERS_AT_ONCE) {
        let calls = chunk.iter().map(|(user, seq)| deliver_to(app, user, epoch, *seq, now_ms));
        let users = chunk.iter().map(|(user, _)| user.clone());
        deliveries.extend(users.zip(join_all(calls).await));
    }
    deliveries
}

async fn deliver_to(
    app: &RecordApp,
    user: &UserId,
    epoch: &str,
    newest: i64,
    now_ms: i64,
) -> Delivery {
    let marks = match bring_imported(&app.redis, &app.record, user).await {
        Ok(marks) => marks,
        Err(error) => {
            log::warn("delivery_pending", &[("error", &error.to_string())]);
            retry_later(app, user, epoch, newest);
            return Delivery::Pending;
        }
    };
    // Sockets that miss it have the number with their next ping.
    if let Err(error) = announce(&app.redis, &app.record, user, &marks, now_ms).await {
        log::warn("unread_not_announced", &[("error", &error.to_string())]);
    }
    Delivery::Sent
}
