//! Commits drafts and delivers them: one SQL statement, then one Lua call per user, or one for several
//! users with one entry each. The statement also makes the push jobs.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::join_all;
use runtime::feed::delivery::{self, DeliveryError};
use runtime::ports::redis::{Arg, Redis as _};
use runtime::ports::sql::Backend;
use runtime::record::{Created, Idempotency, NewEntry, Outcome, RecordError};
use runtime::spin::redis::SpinRedis;
use runtime::spin::{background, clock};
use runtime::{Code, Error, Instance as _, RecordApp, log};
use shared::limits::IDEMPOTENCY_MS;
use shared::notification::{Delivery, Draft, Notification, PushOptions, PushWhen};
use shared::{UserId, digest, keys};

/// Feeds written concurrently, each by calls of its own: bounds memory, the instance's tasks, and the
/// connections to the record.
pub const USERS_AT_ONCE: usize = 32;

/// A validated draft with its push and its idempotency key.
pub struct CreateRequest {
    pub draft: Draft,
    pub push: Option<PushOptions>,
    pub idempotency_key: Option<String>,
}

/// The result: the notification, or 422.
pub type Done = Result<(Notification, Delivery), Error>;

/// Commits all requests or none, and delivers the committed ones, with the caller's `trace`.
///
/// # Errors
/// `record_unavailable`, after which the outcome is unknown.
pub async fn commit(
    app: &RecordApp,
    subject: &str,
    requests: Vec<CreateRequest>,
    trace: Option<&str>,
) -> Result<Vec<Done>, Error> {
    let now_ms = clock::now_ms();
    let entries: Vec<NewEntry> =
        requests.into_iter().map(|request| entry(request, subject, now_ms)).collect();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let created = create(app, &entries, now_ms - IDEMPOTENCY_MS).await.map_err(|error| {
        log::error("create_failed", &[("error", &error.to_string())]);
        Error::from(error)
    })?;
    let has_due_push = entries.iter().zip(&created.outcomes).any(is_due_push);
    let mut outcomes: Vec<Result<Committed, Error>> =
        entries.into_iter().zip(created.outcomes).map(committed).collect();
    deliver(app, &created.epoch, &mut outcomes, trace).await;
    if has_due_push {
        background::spawn(wake_push_workers(Rc::clone(&app.redis)));
    }
    let done = |outcome: Result<Committed, Error>| {
        outcome.map(|committed| (committed.notification, committed.delivery))
    };
    Ok(outcomes.into_iter().map(done).collect())
}

async fn create(
    app: &RecordApp,
    entries: &[NewEntry],
    keys_since_ms: i64,
) -> Result<Created, RecordError> {
    match (app.backend, entries) {
        (Backend::Sqlite, [entry]) => {
            let entry = entry.clone();
            app.creates.create(&app.record, entry, keys_since_ms, background::sleep).await
        }
        // Postgres has many writers. A batch is large enough for a commit of its own.
        (Backend::Sqlite | Backend::Postgres, _) => app.record.create(entries, keys_since_ms).await,
    }
}

struct Committed {
    notification: Notification,
    delivery: Delivery,
    kind: CommitKind,
}

impl Committed {
    fn is_fresh(&self) -> bool {
        self.kind == CommitKind::Fresh
    }
}

#[derive(PartialEq, Eq)]
enum CommitKind {
    Fresh,
    Replayed,
    /// Committed and answered before, and deleted or erased since: it is not delivered again.
    Deleted,
}

fn entry(request: CreateRequest, subject: &str, now_ms: i64) -> NewEntry {
    let idempotency = request.idempotency_key.map(|key| Idempotency {
        // The length distinguishes "a" + "b:c" from "a:b" + "c".
        key: format!("{}:{subject}:{key}", subject.len()),
        request_hash: digest::of_create(&request.draft, request.push.as_ref()),
    });
    NewEntry {
        push: request.push.filter(|push| push.when != PushWhen::Never),
        draft: request.draft,
        id: clock::uuid_v7(now_ms),
        created_at_ms: now_ms,
        idempotency,
    }
}

fn committed((entry, outcome): (NewEntry, Outcome)) -> Result<Committed, Error> {
    let NewEntry { draft, id, created_at_ms, .. } = entry;
    let (notification, kind) = match outcome {
        Outcome::Created { seq, quiet } => {
            (Notification { id, seq, draft, created_at_ms, quiet }, CommitKind::Fresh)
        }
        Outcome::Replayed { id, seq, created_at_ms, is_deleted, quiet } => {
            let kind = if is_deleted { CommitKind::Deleted } else { CommitKind::Replayed };
            (Notification { id, seq, draft, created_at_ms, quiet }, kind)
        }
        Outcome::Mismatch => {
            let detail = "this idempotency key was used with another body";
            return Err(Error::new(Code::IdempotencyMismatch, detail));
        }
    };
    Ok(Committed { notification, delivery: Delivery::Sent, kind })
}

/// Delivers and marks what is still pending. Users with one new entry, such as those of a fan-out, share
/// calls of Redis.
async fn deliver(
    app: &RecordApp,
    epoch: &str,
    outcomes: &mut [Result<Committed, Error>],
    trace: Option<&str>,
) {
    let mut by_user: BTreeMap<UserId, Vec<&mut Committed>> = BTreeMap::new();
    for committed in outcomes.iter_mut().flatten() {
        if committed.kind != CommitKind::Deleted {
            let user = committed.notification.draft.user_id.clone();
            by_user.entry(user).or_default().push(committed);
        }
    }
    let (mut alone, mut several): (Vec<_>, Vec<_>) =
        by_user.into_iter().partition(|(_, group)| matches!(&group[..], [one] if one.is_fresh()));
    if let [_] = &alone[..] {
        several.append(&mut alone);
    }
    let entries: Vec<Notification> =
        alone.iter().flat_map(|(_, group)| group).map(|one| one.notification.clone()).collect();
    let delivered = delivery::deliver_many(&app.redis, &app.record, &entries, epoch, trace).await;
    for ((user, group), delivered) in alone.iter_mut().zip(delivered) {
        note(app, user, epoch, group, delivered);
    }
    for chunk in several.chunks_mut(USERS_AT_ONCE) {
        let deliveries = chunk.iter_mut().map(async |(user, group)| {
            let delivered = deliver_to(app, user, epoch, group, trace).await;
            note(app, user, epoch, group, delivered);
        });
        join_all(deliveries).await;
    }
}

async fn deliver_to(
    app: &RecordApp,
    user: &UserId,
    epoch: &str,
    group: &[&mut Committed],
    trace: Option<&str>,
) -> Result<(), DeliveryError> {
    let fresh: Vec<Notification> = group
        .iter()
        .filter(|committed| committed.is_fresh())
        .map(|committed| committed.notification.clone())
        .collect();
    if !fresh.is_empty() {
        return delivery::deliver_traced(&app.redis, &app.record, &fresh, epoch, trace).await;
    }
    // A repeated request only ensures that the feed has come that far.
    match newest(group) {
        Some(newest) => delivery::ensure(&app.redis, &app.record, user, epoch, newest).await,
        None => Ok(()),
    }
}

/// Marks a user's entries as pending, and has them tried again, if their delivery failed.
fn note(
    app: &RecordApp,
    user: &UserId,
    epoch: &str,
    group: &mut [&mut Committed],
    delivered: Result<(), DeliveryError>,
) {
    let (Err(error), Some(newest)) = (delivered, newest(group)) else { return };
    log::warn("delivery_pending", &[("error", &error.to_string())]);
    retry_later(app, user, epoch, newest);
    for committed in group {
        committed.delivery = Delivery::Pending;
    }
}

fn newest(group: &[&mut Committed]) -> Option<i64> {
    group.iter().map(|committed| committed.notification.seq).max()
}

fn is_due_push((entry, outcome): (&NewEntry, &Outcome)) -> bool {
    let is_due = entry.push.as_ref().is_some_and(|push| push.after_s == 0);
    is_due && matches!(outcome, Outcome::Created { .. })
}

/// Tells the push workers of a job that is due. They also ask by themselves, within seconds.
async fn wake_push_workers(redis: Rc<SpinRedis>) {
    let message = [Arg::Text(keys::PUSH_CHANNEL), Arg::Text("1")];
    if let Err(error) = redis.command("PUBLISH", &message).await {
        log::warn("push_not_announced", &[("error", &error.to_string())]);
    }
}

/// Notes that a user's entries up to `newest` were not delivered, for retries after the answer.
pub fn retry_later(app: &RecordApp, user: &UserId, epoch: &str, newest: i64) {
    if app.unsent.note(user, epoch, newest) {
        background::spawn(retry());
    }
}

/// Retries after the answer.
async fn retry() {
    let Ok(app) = RecordApp::get().await else { return };
    app.unsent.retry(&app.redis, &app.record, background::sleep).await;
}
