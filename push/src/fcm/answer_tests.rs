use proptest::prelude::*;
use serde_json::json;

use super::*;

fn of(status: u16, body: &Value) -> Verdict {
    classify(Answer { status, retry_after: None, body: body.to_string().as_bytes() })
}

fn outcome(status: u16, body: &Value) -> Outcome {
    match of(status, body) {
        Verdict::Final(outcome) => outcome,
        Verdict::Renew(outcome) => panic!("renew: {outcome:?}"),
    }
}

fn fcm(code: &str) -> Value {
    json!({"error": {"code": 400, "message": "m", "status": "S", "details": [
        {"@type": FCM_ERROR, "errorCode": code},
    ]}})
}

fn bad_request(fields: &[&str]) -> Value {
    let violations: Vec<_> =
        fields.iter().map(|f| json!({"field": f, "description": "Invalid value"})).collect();
    json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "m", "details": [
        {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
        {"@type": BAD_REQUEST, "fieldViolations": violations},
    ]}})
}

#[test]
fn a_token_is_gone_where_fcm_says_so_about_this_token() {
    assert_eq!(outcome(404, &fcm("UNREGISTERED")), Outcome::Gone("unregistered"));
    assert_eq!(outcome(400, &bad_request(&["message.token"])), Outcome::Gone("invalid_token"));
    // The second example of the documentation.
    let documented = json!({"error": {
        "code": 400,
        "message": "The registration token is not a valid FCM registration token",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"}],
    }});
    assert_eq!(outcome(400, &documented), Outcome::Gone("invalid_token"));
}

#[test]
fn details_of_other_types_and_shapes_do_not_hide_the_code() {
    let body = json!({"error": {"code": 404, "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "errorCode": 7, "violations": "x"},
        "text",
        {"@type": FCM_ERROR, "errorCode": "UNREGISTERED", "new": {}},
    ]}});
    assert_eq!(outcome(404, &body), Outcome::Gone("unregistered"));
}

#[test]
fn a_wrong_project_key_or_permission_stops_and_prunes_nothing() {
    // What FCM answers for a project that does not exist.
    let not_found = json!({"error": {
        "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND",
    }});
    assert_eq!(outcome(404, &not_found), Outcome::Stop("project_not_found"));
    assert_eq!(outcome(404, &json!("<html>")), Outcome::Stop("project_not_found"));
    assert_eq!(outcome(404, &fcm("INVALID_ARGUMENT")), Outcome::Stop("project_not_found"));
    assert_eq!(outcome(403, &json!({})), Outcome::Stop("forbidden"));
    let hold = Outcome::Hold { reason: "unauthorized", wait: HOLD };
    assert_eq!(of(401, &json!({})), Verdict::Renew(hold));
    let mismatch = Outcome::Mismatch("sender_id_mismatch");
    assert_eq!(outcome(403, &fcm("SENDER_ID_MISMATCH")), mismatch);
    let third = Outcome::Mismatch("third_party_auth_error");
    assert_eq!(outcome(401, &fcm("THIRD_PARTY_AUTH_ERROR")), third);
}

#[test]
fn an_invalid_message_is_refused_with_its_field_and_prunes_nothing() {
    let refused = |field: Option<&str>| Outcome::Refused {
        reason: "invalid_argument",
        field: field.map(str::to_owned),
    };
    let field = "message.data[0].value";
    assert_eq!(outcome(400, &bad_request(&[field])), refused(Some(field)));
    let both = bad_request(&["message.token", "message.android.ttl"]);
    assert_eq!(outcome(400, &both), refused(Some("message.token")));
    assert_eq!(outcome(400, &fcm("INVALID_ARGUMENT")), refused(None));
    assert_eq!(outcome(400, &fcm("UNREGISTERED")), refused(None));
    assert_eq!(outcome(400, &bad_request(&["a\nb <secret>"])), refused(None));
    // The sentence as a part of another message, without the type.
    let text = format!("Oh no. {INVALID_TOKEN}");
    assert_eq!(outcome(400, &json!({"error": {"message": text}})), refused(None));
    assert_eq!(outcome(400, &json!({"error": {"message": INVALID_TOKEN}})), refused(None));
    assert_eq!(outcome(413, &json!({})), Outcome::refused("payload_too_large"));
    assert_eq!(outcome(302, &json!({})), Outcome::refused("redirect"));
}

#[test]
fn quotas_hold_the_credential_unless_they_are_one_device_s() {
    let quota = |violations: &Value| {
        json!({"error": {"code": 429, "details": [
            {"@type": FCM_ERROR, "errorCode": "QUOTA_EXCEEDED"},
            {"@type": QUOTA_FAILURE, "violations": violations},
        ]}})
    };
    let hold = |s| Outcome::Hold { reason: "quota_exceeded", wait: Duration::from_secs(s) };
    assert_eq!(outcome(429, &fcm("QUOTA_EXCEEDED")), hold(60));
    assert_eq!(outcome(429, &quota(&json!([]))), hold(60));
    let project = json!([{"subject": "device"}, {"subject": "project:p"}]);
    assert_eq!(outcome(429, &quota(&project)), hold(60));
    let device = json!([{"subject": "x", "description": "Device message rate exceeded"}]);
    let retry =
        Outcome::Retry { reason: "device_quota_exceeded", after: Some(HOLD), in_doubt: false };
    assert_eq!(outcome(429, &quota(&device)), retry);
    let answer =
        Answer { status: 429, retry_after: Some(Duration::from_secs(7)), body: b"too many" };
    assert_eq!(classify(answer), Verdict::Final(hold(7)));
}

#[test]
fn what_fails_in_the_service_is_retried_after_what_it_asks() {
    let after = Some(Duration::from_secs(33));
    for status in [500, 502, 503, 504] {
        let answer = Answer { status, retry_after: after, body: b"<html>" };
        let retry = Outcome::Retry { reason: "service_error", after, in_doubt: false };
        assert_eq!(classify(answer), Verdict::Final(retry));
    }
    assert!(matches!(outcome(503, &fcm("UNREGISTERED")), Outcome::Retry { .. }));
    assert_eq!(outcome(200, &json!({"name": "projects/p/messages/1"})), Outcome::Accepted);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("UNREGISTERED".to_owned()),
        Just("INVALID_ARGUMENT".to_owned()),
        Just("message.token".to_owned()),
        Just(FCM_ERROR.to_owned()),
        Just(BAD_REQUEST.to_owned()),
        Just(INVALID_TOKEN.to_owned()),
        ".{0,12}",
    ]
}

/// JSON of the right names and of any shape.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("error".to_owned()),
        Just("details".to_owned()),
        Just("@type".to_owned()),
        Just("errorCode".to_owned()),
        Just("fieldViolations".to_owned()),
        Just("field".to_owned()),
        Just("message".to_owned()),
        Just("status".to_owned()),
        texts(),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_classified_and_none_but_the_documented_answers_prune(
        status in 100_u16..700, bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let verdict = classify(Answer { status, retry_after: None, body: &bytes });
        prop_assert!(!matches!(verdict, Verdict::Final(Outcome::Gone(_))));
    }

    #[test]
    fn hostile_json_never_prunes_without_the_type_and_the_code(
        status in prop_oneof![Just(200_u16), Just(400), Just(401), Just(403), Just(404), Just(410),
            Just(429), Just(500)],
        body in values(),
    ) {
        let verdict = of(status, &body);
        if let Verdict::Final(Outcome::Gone(_)) = verdict {
            let text = body.to_string();
            let has = |part: &str| text.contains(part);
            prop_assert!(match status {
                404 => has(FCM_ERROR) && has("UNREGISTERED"),
                400 => has(BAD_REQUEST) && has("message.token")
                    || has(FCM_ERROR) && has("INVALID_ARGUMENT") && has(INVALID_TOKEN),
                _ => false,
            }, "{status} {text}");
        }
    }

    #[test]
    fn the_status_alone_decides_about_success_and_outage(body in values()) {
        prop_assert_eq!(of(200, &body), Verdict::Final(Outcome::Accepted));
        let retried = matches!(of(503, &body), Verdict::Final(Outcome::Retry { .. }));
        prop_assert!(retried);
    }

    #[test]
    fn several_codes_prune_nothing(other in "[A-Z_]{1,20}") {
        prop_assume!(other != "UNREGISTERED");
        let body = json!({"error": {"details": [
            {"@type": FCM_ERROR, "errorCode": "UNREGISTERED"},
            {"@type": FCM_ERROR, "errorCode": other},
        ]}});
        prop_assert_eq!(outcome(404, &body), Outcome::Stop("project_not_found"));
    }
}
