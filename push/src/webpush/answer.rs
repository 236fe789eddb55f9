//! What a push service's answers mean. Bodies differ between services, so the status decides.

use std::time::Duration;

use crate::limits::HOLD;
use crate::outcome::{Answer, Outcome, Verdict};

/// The meaning of an answer.
#[must_use]
pub fn classify(answer: Answer<'_>) -> Verdict {
    let retry = |reason| Outcome::Retry { reason, after: answer.retry_after, in_doubt: false };
    Verdict::Final(match answer.status {
        200..=299 => Outcome::Accepted,
        // The path is the subscription, so here a 404 is about the address.
        404 => Outcome::Gone("not_found"),
        410 => Outcome::Gone("gone"),
        // Both also for one subscription that was made with another key, which a client can send us.
        // So it must not hold all others.
        401 => return Verdict::Renew(Outcome::Mismatch("unauthorized")),
        403 => Outcome::Mismatch("forbidden"),
        413 => Outcome::too_large(),
        408 => retry("timeout"),
        // Microsoft's service says 406 where others say 429.
        429 | 406 => {
            let wait = answer.retry_after.unwrap_or(HOLD).max(Duration::from_secs(1));
            Outcome::Hold { reason: "too_many_requests", wait }
        }
        400 => Outcome::refused("invalid_argument"),
        500..=599 => retry("service_error"),
        300..=399 => Outcome::refused("redirect"),
        _ => Outcome::refused("unexpected_status"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_status_decides() {
        let s = Duration::from_secs;
        let of = |status, retry_after| classify(Answer { status, retry_after, body: b"" });
        let hold = |wait| Outcome::Hold { reason: "too_many_requests", wait };
        for (status, after, outcome) in [
            (201, None, Outcome::Accepted),
            (202, None, Outcome::Accepted),
            (404, None, Outcome::Gone("not_found")),
            (410, None, Outcome::Gone("gone")),
            (403, None, Outcome::Mismatch("forbidden")),
            (413, None, Outcome::refused("payload_too_large")),
            (400, None, Outcome::refused("invalid_argument")),
            (307, None, Outcome::refused("redirect")),
            (418, None, Outcome::refused("unexpected_status")),
            (429, None, hold(s(60))),
            (429, Some(s(5)), hold(s(5))),
            (406, Some(s(0)), hold(s(1))),
            (
                503,
                Some(s(9)),
                Outcome::Retry { reason: "service_error", after: Some(s(9)), in_doubt: false },
            ),
        ] {
            assert_eq!(of(status, after), Verdict::Final(outcome), "{status}");
        }
        assert_eq!(of(401, None), Verdict::Renew(Outcome::Mismatch("unauthorized")));
    }

    proptest! {
        #[test]
        fn no_body_prunes(status in 100_u16..700, body in prop::collection::vec(any::<u8>(), 0..50)) {
            let verdict = classify(Answer { status, retry_after: None, body: &body });
            let is_gone = matches!(verdict, Verdict::Final(Outcome::Gone(_)));
            prop_assert_eq!(is_gone, status == 404 || status == 410);
        }
    }
}
