//! `POST /push/claim`: due pushes, with all that a worker needs to send them.
//!
//! The claim is one statement. What follows decides who gets a push; if it fails, the jobs are
//! claimed again after their leases.

use std::collections::{BTreeMap, BTreeSet};

use runtime::http::auth;
use runtime::record::{AddressedDevice, ClaimedPush, DelayedPush, PushEntry, PushJobId};
use runtime::spin::clock;
use runtime::{Code, Error, RecordApp, Request, Response, log};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::UserId;
use shared::auth::Scope;
use shared::json::Object;
use shared::limits::{
    PUSH_CLAIM_BYTES_MAX, PUSH_JOBS_MAX, PUSH_LEASE_MS_MAX, PUSH_LEASE_MS_MIN, REQUEST_BYTES_MAX,
};
use shared::notification::PushWhen;
use shared::preferences::QuietHours;

use crate::addresses::{self, Known};
use crate::decision::{self, Verdict};

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// Of [`Job`].
    jobs: Vec<Box<RawValue>>,
    skipped: usize,
    /// Milliseconds until the next job is due.
    next_due_ms: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    user_id: &'a str,
    seq: i64,
    rev: i64,
    attempts: i64,
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    /// Bytes as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    created_at_ms: i64,
    ttl_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<&'a QuietHours>,
    /// Only of devices that the user has: names of former ones would add up.
    done: Vec<&'a str>,
    devices: &'a [AddressedDevice],
}

/// Answers `{"jobs":[…],"skipped":n,"nextDueMs":n|null}`: jobs that no other claim gets before
/// their leases end, as many as have room; the number of those that will not be sent, and the time
/// until the next one.
///
/// # Errors
/// Request errors; `record_unavailable`, after which jobs may be claimed until their leases end.
pub async fn claim(app: &RecordApp, request: &Request) -> Result<Response, Error> {
    auth::require(&*app.authenticate(request)?, Scope::PushSend)?;
    let body = request.body(REQUEST_BYTES_MAX).await?;
    request.query(&[])?;
    let (max, lease_ms) = parse(&body)?;
    let now_ms = clock::now_ms();
    // A read, so that a worker that asks in vain takes no lock.
    let next_ms = app.record.next_push_ms().await?;
    if next_ms.is_none_or(|next_ms| next_ms > now_ms) {
        let next_due_ms = next_ms.map(|next_ms| next_ms - now_ms);
        return crate::answer(&Answer { next_due_ms, ..Answer::default() });
    }
    let claimed = app.record.claim_pushes(now_ms, now_ms + lease_ms, max).await?;
    let (mut worth, mut skipped) = (Vec::with_capacity(claimed.len()), Vec::new());
    for job in &claimed {
        match decision::worth_sending(job, now_ms) {
            Some(rest) => worth.push((job, rest)),
            None => skipped.push(job.id.clone()),
        }
    }
    let known = look(app, &worth).await?;
    let (mut jobs, mut bytes, mut beyond) = (Vec::with_capacity(worth.len()), 0, Vec::new());
    for (job, (entry, ttl_seconds)) in worth {
        let Some(known) = known.get(&job.id.user) else { continue };
        match decision::for_user(job, entry, known) {
            Verdict::Send => {
                let text = to_raw_value(&Job::new(job, entry, ttl_seconds, known));
                let text =
                    text.map_err(|_| Error::new(Code::Internal, "a job cannot be written"))?;
                bytes += text.get().len();
                match bytes <= PUSH_CLAIM_BYTES_MAX {
                    true => jobs.push(text),
                    false => beyond.push(due_again(job, now_ms)),
                }
            }
            Verdict::Skip => skipped.push(job.id.clone()),
            Verdict::Wait => {}
        }
    }
    give_back(app, &beyond).await;
    remove(app, &skipped).await;
    let next_ms = app.record.next_push_ms().await?;
    let next_due_ms = next_ms.map(|next_ms| (next_ms - clock::now_ms()).max(0));
    crate::answer(&Answer { jobs, skipped: skipped.len(), next_due_ms })
}

fn parse(body: &[u8]) -> Result<(usize, i64), Error> {
    let mut object = Object::parse(body)?;
    let max = object.integer("max", 1..=PUSH_JOBS_MAX as i64)?;
    let max = max.ok_or_else(|| object.missing("max"))?;
    let lease_ms = object.integer("leaseMs", PUSH_LEASE_MS_MIN..=PUSH_LEASE_MS_MAX)?;
    let lease_ms = lease_ms.ok_or_else(|| object.missing("leaseMs"))?;
    object.finish()?;
    Ok((usize::try_from(max).unwrap_or(PUSH_JOBS_MAX), lease_ms))
}

/// What is known about the users of these jobs.
async fn look(
    app: &RecordApp,
    worth: &[(&ClaimedPush, (&PushEntry, i64))],
) -> Result<BTreeMap<UserId, Known>, Error> {
    let users: BTreeSet<&UserId> = worth.iter().map(|(job, _)| &job.id.user).collect();
    let users: Vec<UserId> = users.into_iter().cloned().collect();
    let with_presence = worth.iter().any(|(job, _)| job.options.when == PushWhen::Offline);
    let known = addresses::look(app, &users, with_presence).await?;
    Ok(known.into_iter().map(|known| (known.addresses.user.clone(), known)).collect())
}

/// Removes jobs that will not be sent. If that fails, they are claimed and skipped again.
async fn remove(app: &RecordApp, jobs: &[PushJobId]) {
    if let Err(error) = app.record.finish_pushes(jobs).await {
        log::warn("push_not_removed", &[("error", &error.to_string())]);
    }
}

/// Makes jobs due that the answer has no room for. If that fails, they are after their leases.
async fn give_back(app: &RecordApp, jobs: &[DelayedPush]) {
    if let Err(error) = app.record.delay_pushes(jobs).await {
        log::warn("push_not_given_back", &[("error", &error.to_string())]);
    }
}

fn due_again(job: &ClaimedPush, now_ms: i64) -> DelayedPush {
    let (is_counted, done) = (false, Vec::new());
    DelayedPush { id: job.id.clone(), next_at_ms: now_ms, is_counted, done }
}

impl<'a> Job<'a> {
    fn new(job: &'a ClaimedPush, entry: &'a PushEntry, ttl_seconds: i64, known: &'a Known) -> Self {
        let devices = &known.addresses.devices;
        let is_done = |device: &&str| job.done.contains(*device);
        let data = entry.data.as_deref().and_then(|data| serde_json::from_str(data).ok());
        Self {
            user_id: job.id.user.as_str(),
            seq: job.id.seq,
            rev: job.id.rev,
            attempts: job.attempts,
            id: &entry.id,
            title: &entry.title,
            body: entry.body.as_deref(),
            kind: entry.kind.as_deref(),
            data,
            created_at_ms: job.created_at_ms,
            ttl_seconds,
            urgency: job.options.urgency.map(|urgency| urgency.as_str()),
            collapse: job.options.collapse.as_deref(),
            quiet_hours: known.addresses.preferences.quiet_hours.as_ref(),
            done: devices.iter().map(|it| it.device.as_str()).filter(is_done).collect(),
            devices,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_both_of_its_limits() {
        assert_eq!(parse(br#"{"max":500,"leaseMs":1000}"#).unwrap(), (500, 1000));
        for (body, code, field) in [
            (r#"{"leaseMs":1000}"#, Code::MissingField, "max"),
            (r#"{"max":1}"#, Code::MissingField, "leaseMs"),
            (r#"{"max":0,"leaseMs":1000}"#, Code::LimitExceeded, "max"),
            (r#"{"max":501,"leaseMs":1000}"#, Code::LimitExceeded, "max"),
            (r#"{"max":1,"leaseMs":999}"#, Code::LimitExceeded, "leaseMs"),
            (r#"{"max":1,"leaseMs":600001}"#, Code::LimitExceeded, "leaseMs"),
        ] {
            let error = parse(body.as_bytes()).err().unwrap();
            assert_eq!((error.code(), error.field_name()), (code, Some(field)), "{body}");
        }
    }
}
