//! What FCM's answers mean.
//!
//! An address is gone in three cases only, each exactly as documented
//! (<https://firebase.google.com/docs/cloud-messaging/error-codes>): 404 with an `FcmError` that says
//! `UNREGISTERED`; 400 with a `BadRequest` in which every violation is in `message.token`; and 400
//! with an `FcmError` that says `INVALID_ARGUMENT`, no violations, and the documented sentence about
//! the registration token, which is what FCM sends for a malformed one. A 404 alone is a wrong project
//! name; many SDKs report it as a dead token.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::limits::HOLD;
use crate::outcome::{Answer, Outcome, Verdict};

const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const QUOTA_FAILURE: &str = "type.googleapis.com/google.rpc.QuotaFailure";
const INVALID_TOKEN: &str = "The registration token is not a valid FCM registration token";
/// Bytes of a field's name in a response.
const FIELD_BYTES_MAX: usize = 100;

#[derive(Default)]
struct Error {
    message: String,
    details: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    #[serde(rename = "@type")]
    kind: String,
    error_code: String,
    field_violations: Vec<FieldViolation>,
    violations: Vec<QuotaViolation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FieldViolation {
    field: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QuotaViolation {
    subject: String,
    description: String,
}

impl Error {
    /// Details of other types, or of another shape than documented, are left out: they may be new.
    fn parse(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = body.get("error").unwrap_or(&Value::Null);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
        Self { message, details: details.filter_map(|v| Detail::deserialize(v).ok()).collect() }
    }

    /// The code of the only `FcmError`. `None` without one, and if there are several codes.
    fn code(&self) -> Option<&str> {
        let mut codes = self.of(FCM_ERROR).map(|detail| detail.error_code.as_str());
        let code = codes.next()?;
        codes.all(|other| other == code).then_some(code)
    }

    fn of(&self, kind: &'static str) -> impl Iterator<Item = &Detail> {
        self.details.iter().filter(move |detail| detail.kind == kind)
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.of(BAD_REQUEST).flat_map(|detail| &detail.field_violations).map(|v| v.field.as_str())
    }

    fn names_only_the_token(&self) -> bool {
        let mut fields = self.fields().peekable();
        if fields.peek().is_some() {
            return fields.all(|field| field == "message.token");
        }
        self.code() == Some("INVALID_ARGUMENT") && self.message == INVALID_TOKEN
    }

    /// The quota of one device is exhausted, not the project's.
    fn is_device_quota(&self) -> bool {
        let mut violations =
            self.of(QUOTA_FAILURE).flat_map(|detail| &detail.violations).peekable();
        violations.peek().is_some()
            && violations.all(|violation| {
                let is_device = |text: &str| text.to_ascii_lowercase().contains("device");
                is_device(&violation.subject) || is_device(&violation.description)
            })
    }

    /// The first invalid field, if its name is one: the service's own words go no further.
    fn field(&self) -> Option<String> {
        let field = self.fields().next()?;
        let is_name = !field.is_empty()
            && field.len() <= FIELD_BYTES_MAX
            && field.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-[]".contains(&b));
        is_name.then(|| field.to_owned())
    }
}

/// The meaning of an answer.
#[must_use]
pub fn classify(answer: Answer<'_>) -> Verdict {
    let error = Error::parse(answer.body);
    let retry = |reason| Outcome::Retry { reason, after: answer.retry_after, in_doubt: false };
    Verdict::Final(match answer.status {
        200..=299 => Outcome::Accepted,
        // The project's key for APNs or for Web Push, which concerns a part of the devices only. A new
        // OAuth2 token would not help.
        401 if error.code() == Some("THIRD_PARTY_AUTH_ERROR") => {
            Outcome::Mismatch("third_party_auth_error")
        }
        401 => return Verdict::Renew(Outcome::Hold { reason: "unauthorized", wait: HOLD }),
        403 if error.code() == Some("SENDER_ID_MISMATCH") => {
            Outcome::Mismatch("sender_id_mismatch")
        }
        403 => Outcome::Stop("forbidden"),
        404 if error.code() == Some("UNREGISTERED") => Outcome::Gone("unregistered"),
        404 => Outcome::Stop("project_not_found"),
        400 if error.names_only_the_token() => Outcome::Gone("invalid_token"),
        400 => Outcome::Refused { reason: "invalid_argument", field: error.field() },
        413 => Outcome::too_large(),
        408 => retry("timeout"),
        429 if error.is_device_quota() => Outcome::Retry {
            reason: "device_quota_exceeded",
            after: Some(answer.retry_after.unwrap_or(HOLD)),
            in_doubt: false,
        },
        429 => {
            let wait = answer.retry_after.unwrap_or(HOLD).max(Duration::from_secs(1));
            Outcome::Hold { reason: "quota_exceeded", wait }
        }
        500..=599 => retry("service_error"),
        300..=399 => Outcome::refused("redirect"),
        _ => Outcome::refused("unexpected_status"),
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
