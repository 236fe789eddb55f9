//! What became of one push, and therefore what the worker does next.

use std::time::Duration;

/// A short name of the reason, for metrics and responses. Always one of the code's own words: what a
/// service answered is never copied into it.
pub type Reason = &'static str;

const TOO_LARGE: Reason = "payload_too_large";

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service accepted the push.
    Accepted,
    /// The service says that this address is gone: it may be removed, if it is still the current one
    /// and the guard agrees ([`crate::guard::Guard`]).
    Gone(Reason),
    /// This push is refused and would be again: neither repeated, nor is the address removed.
    /// `field` names the part of the request that the service found invalid.
    Refused { reason: Reason, field: Option<String> },
    /// Credential and address do not belong together: another sender's token, another VAPID key,
    /// another environment. One such address is the device's problem, many are the operator's, so
    /// the caller counts them with a [`crate::guard::Guard`] and pauses when it trips. The address is
    /// never removed.
    Mismatch(Reason),
    /// Failed for now: repeated after at least `after`, and counted as an attempt. `in_doubt` says
    /// that the service may have accepted it.
    Retry { reason: Reason, after: Option<Duration>, in_doubt: bool },
    /// Nothing can be sent for `wait`, or this push cannot: repeated afterwards, not counted.
    Hold { reason: Reason, wait: Duration },
    /// The credential is wrong or has no permission: pause until an operator has mended it. No
    /// address is removed.
    Stop(Reason),
}

impl Outcome {
    /// The label in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Gone(_) => "gone",
            Outcome::Refused { .. } => "refused",
            Outcome::Mismatch(_) => "mismatch",
            Outcome::Retry { .. } => "retry",
            Outcome::Hold { .. } => "hold",
            Outcome::Stop(_) => "stop",
        }
    }

    /// Whether the content is larger than the service takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Outcome::Refused { reason: TOO_LARGE, .. })
    }

    pub(crate) fn too_large() -> Self {
        Outcome::refused(TOO_LARGE)
    }

    pub(crate) fn refused(reason: Reason) -> Self {
        Outcome::Refused { reason, field: None }
    }
}

/// What an answer of a service means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Final(Outcome),
    /// The credential's token was not accepted: renew it and send once more. The outcome is what it
    /// means if a new token is refused, too, or if none can be had.
    Renew(Outcome),
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Verdict::Final(outcome)
    }
}

/// An answer as far as it is classified. `body` may be cut off, or be anything.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: &'a [u8],
}
