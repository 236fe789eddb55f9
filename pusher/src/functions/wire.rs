//! Requests and answers of the routes for the worker, as JSON.

use push::Address;
use push::sender::Environment;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::quiet::QuietHours;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClaimQuery {
    pub(crate) max: usize,
    pub(crate) lease_ms: u64,
}

/// The answer to a claim.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claimed {
    pub(crate) jobs: Vec<Job>,
    /// Time until the next job is due.
    #[serde(default)]
    pub(crate) next_due_ms: Option<u64>,
    /// Jobs that were due and need no push.
    #[serde(default)]
    pub(crate) skipped: usize,
}

/// A notification that is to be pushed.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) user_id: String,
    pub(crate) seq: u64,
    pub(crate) rev: i64,
    #[serde(default)]
    pub(crate) attempts: u32,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) created_at_ms: u64,
    pub(crate) ttl_seconds: u64,
    pub(crate) urgency: Option<String>,
    pub(crate) collapse: Option<String>,
    pub(crate) quiet_hours: Option<QuietHours>,
    /// Devices that need no push any more.
    #[serde(default)]
    pub(crate) done: Vec<String>,
    #[serde(default)]
    pub(crate) devices: Vec<Device>,
}

/// An address of a user.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) device: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) rev: i64,
    pub(crate) locale: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) p256dh: Option<String>,
    pub(crate) auth: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) environment: Option<String>,
}

impl Device {
    /// The user's device `default`, with a token that came with a campaign's element.
    pub(crate) fn with_token(token: String, locale: Option<String>) -> Self {
        Self {
            device: "default".to_owned(),
            kind: "fcm".to_owned(),
            rev: 0,
            locale,
            token: Some(token),
            endpoint: None,
            p256dh: None,
            auth: None,
            topic: None,
            environment: None,
        }
    }

    /// `None` if a member is missing, or the kind is unknown to this worker.
    pub(crate) fn address(&self) -> Option<Address> {
        Some(match self.kind.as_str() {
            "fcm" => Address::Fcm { token: self.token.clone()? },
            "webpush" => Address::WebPush {
                endpoint: self.endpoint.clone()?,
                p256dh: self.p256dh.clone()?,
                auth: self.auth.clone()?,
            },
            "apns" => Address::Apns {
                token: self.token.clone()?,
                topic: self.topic.clone()?,
                environment: match self.environment.as_deref() {
                    Some("sandbox") => Environment::Sandbox,
                    _ => Environment::Production,
                },
            },
            _ => return None,
        })
    }
}

#[derive(Serialize)]
pub(crate) struct Settlement<'a> {
    pub(crate) jobs: &'a [Settled],
}

/// What became of a job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settled {
    pub(crate) user_id: String,
    pub(crate) seq: u64,
    pub(crate) rev: i64,
    pub(crate) result: JobResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
    /// Whether a job that waits had an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counted: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) done: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) responses: Vec<Response>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum JobResult {
    Done,
    Later,
}

/// An element of `notification:responses` or `campaign:<id>:responses`: never an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    pub(crate) user_id: String,
    /// Absent for a campaign that writes no feeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notification_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// `sent`, `failed`, `invalid`, `skipped` or `unknown`.
    pub(crate) result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The part of the request that the service found invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressesQuery<'a> {
    pub(crate) user_ids: Vec<&'a str>,
    pub(crate) presence: bool,
}

#[derive(Deserialize)]
pub(crate) struct Users {
    pub(crate) users: Vec<User>,
}

/// Where a user may be reached, and whether they want to be.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// The user's preference.
    #[serde(default = "wanted")]
    pub(crate) push: bool,
    /// Absent: unknown, or not asked for.
    pub(crate) online: Option<bool>,
    pub(crate) quiet_hours: Option<QuietHours>,
    #[serde(default)]
    pub(crate) devices: Vec<Device>,
}

fn wanted() -> bool {
    true
}

#[derive(Serialize)]
pub(crate) struct Prunes<'a> {
    pub(crate) devices: &'a [Prune],
}

/// An address to remove, if it is still the current one.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prune {
    pub(crate) user_id: String,
    pub(crate) device: String,
    pub(crate) rev: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Batch<'a> {
    pub(crate) notifications: &'a [Entry<'a>],
}

/// A notification of a campaign with `feed`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) idempotency_key: String,
}

#[derive(Deserialize)]
pub(crate) struct BatchResults {
    pub(crate) results: Vec<BatchResult>,
}

#[derive(Deserialize)]
pub(crate) struct BatchResult {
    pub(crate) status: u16,
    pub(crate) notification: Option<Created>,
    pub(crate) error: Option<Refused>,
}

#[derive(Deserialize)]
pub(crate) struct Created {
    pub(crate) id: String,
}

#[derive(Deserialize)]
pub(crate) struct Refused {
    pub(crate) code: String,
}
