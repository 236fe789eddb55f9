//! What Apple's answers mean. Only the documented pairs of status and reason make an address gone:
//! a 410 of a proxy does not.

use serde::Deserialize;

use crate::limits::HOLD;
use crate::outcome::{Answer, Outcome, Verdict};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    reason: String,
}

/// The meaning of an answer.
#[must_use]
pub fn classify(answer: Answer<'_>) -> Verdict {
    let body: Body = serde_json::from_slice(answer.body).unwrap_or_default();
    let retry = |reason, after| Outcome::Retry { reason, after, in_doubt: false };
    let hold = |reason| Outcome::Hold { reason, wait: answer.retry_after.unwrap_or(HOLD) };
    Verdict::Final(match (answer.status, body.reason.as_str()) {
        (200, _) => Outcome::Accepted,
        (410, "Unregistered") => Outcome::Gone("unregistered"),
        (410, "ExpiredToken") => Outcome::Gone("expired_token"),
        // Also the answer for a token of the other environment, so it never removes one.
        (400, "BadDeviceToken") => Outcome::Mismatch("bad_device_token"),
        (400, "DeviceTokenNotForTopic") => Outcome::Mismatch("device_token_not_for_topic"),
        (400, "BadEnvironmentKeyInToken") => Outcome::Stop("bad_environment_key"),
        (400 | 403, "TopicDisallowed" | "TopicMismatch") => Outcome::Stop("topic_disallowed"),
        (403, "ExpiredProviderToken") => return Verdict::Renew(hold("expired_provider_token")),
        (403, "InvalidProviderToken") => Outcome::Stop("invalid_provider_token"),
        (401 | 403, _) => Outcome::Stop("forbidden"),
        (413, _) => Outcome::too_large(),
        (429, "TooManyProviderTokenUpdates") => hold("too_many_provider_token_updates"),
        // About one device, which must not hold all others.
        (429, "TooManyRequests") => {
            retry("too_many_requests", Some(answer.retry_after.unwrap_or(HOLD)))
        }
        (429, _) => hold("quota_exceeded"),
        (408, _) => retry("timeout", answer.retry_after),
        (500..=599, _) => retry("service_error", answer.retry_after),
        (400, "BadCollapseId" | "BadExpirationDate" | "BadPriority" | "BadMessageId") => {
            Outcome::refused("invalid_header")
        }
        (400, "BadTopic" | "MissingTopic" | "InvalidPushType") => Outcome::refused("invalid_topic"),
        (400, _) => Outcome::refused("invalid_argument"),
        (300..=399, _) => Outcome::refused("redirect"),
        _ => Outcome::refused("unexpected_status"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn of(status: u16, reason: &str) -> Verdict {
        let body = format!(r#"{{"reason":"{reason}","timestamp":1700000000000}}"#);
        classify(Answer { status, retry_after: None, body: body.as_bytes() })
    }

    #[test]
    fn documented_reasons() {
        let s = Duration::from_secs;
        let retry = |reason, after| Outcome::Retry { reason, after, in_doubt: false };
        for (status, reason, outcome) in [
            (200, "", Outcome::Accepted),
            (410, "Unregistered", Outcome::Gone("unregistered")),
            (410, "ExpiredToken", Outcome::Gone("expired_token")),
            (410, "", Outcome::refused("unexpected_status")),
            (404, "Unregistered", Outcome::refused("unexpected_status")),
            (400, "BadDeviceToken", Outcome::Mismatch("bad_device_token")),
            (400, "DeviceTokenNotForTopic", Outcome::Mismatch("device_token_not_for_topic")),
            (403, "InvalidProviderToken", Outcome::Stop("invalid_provider_token")),
            (403, "", Outcome::Stop("forbidden")),
            (400, "TopicDisallowed", Outcome::Stop("topic_disallowed")),
            (413, "PayloadTooLarge", Outcome::refused("payload_too_large")),
            (429, "TooManyRequests", retry("too_many_requests", Some(s(60)))),
            (
                429,
                "TooManyProviderTokenUpdates",
                Outcome::Hold { reason: "too_many_provider_token_updates", wait: s(60) },
            ),
            (500, "InternalServerError", retry("service_error", None)),
            (503, "Shutdown", retry("service_error", None)),
        ] {
            assert_eq!(of(status, reason), Verdict::Final(outcome), "{status} {reason}");
        }
        let hold = Outcome::Hold { reason: "expired_provider_token", wait: s(60) };
        let renew = Verdict::Renew(hold);
        assert_eq!(of(403, "ExpiredProviderToken"), renew);
    }

    proptest! {
        #[test]
        fn any_answer_is_classified_and_none_but_a_documented_410_prunes(
            status in 100_u16..700, body in prop::collection::vec(any::<u8>(), 0..100),
            reason in prop_oneof![Just("Unregistered".to_owned()), "[A-Za-z]{0,20}"],
        ) {
            let raw = classify(Answer { status, retry_after: None, body: &body });
            prop_assert!(!matches!(raw, Verdict::Final(Outcome::Gone(_))));
            if matches!(of(status, &reason), Verdict::Final(Outcome::Gone(_))) {
                prop_assert!(status == 410 && ["Unregistered", "ExpiredToken"].contains(&&*reason));
            }
        }
    }
}
